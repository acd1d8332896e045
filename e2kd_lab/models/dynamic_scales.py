"""What B-cos explanations hold constant: the scales that a layer computes from its own input.

Every B-cos network is dynamic linear: its logits are W(x) x plus a constant, where W(x) is a product of weight matrices
and of *dynamic scales*: |cos(x, w)| of B-cos layers, 1/std of normalisation layers, the attention matrix. The
explanation W(x) is the gradient to the input that treats these scales as constants (B-cos v2, Sec. 3). Its own gradient
to the parameters must not: training an explanation means changing the scales, too.

So one forward pass serves both: layers mark their scales by `dynamic` or `scaled`, and a switch that belongs to this
pass says for each backward pass whether they are constants::

    with switchable_scales() as switch:
        logits = model(x)
    with switch.frozen():
        (weights,) = torch.autograd.grad(logits[:, k].sum(), x, create_graph=True)
    loss(logits, weights).backward()  # differentiates the scales inside logits and weights

The switch belongs to one forward pass and not to the model, so that explanations drawn on one thread do not disturb a
training step on another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor


class ScaleSwitch:
    """Says whether the scales of one forward pass are constants in the backward pass that runs now."""

    def __init__(self) -> None:
        self.is_frozen = False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Backward passes inside treat the scales as constants."""
        self.is_frozen = True
        try:
            yield
        finally:
            self.is_frozen = False


_CONSTANT = ScaleSwitch()
_switch: ContextVar[ScaleSwitch | None] = ContextVar("scale switch of the forward pass", default=None)


@contextmanager
def switchable_scales() -> Iterator[ScaleSwitch]:
    """Forward passes inside build a graph in which the scales can be frozen for single backward passes."""
    switch = ScaleSwitch()
    token = _switch.set(switch)
    try:
        yield switch
    finally:
        _switch.reset(token)


@contextmanager
def constant_scales() -> Iterator[None]:
    """Forward passes inside treat their scales as constants for good: cheaper, where nothing is trained."""
    token = _switch.set(_CONSTANT)
    try:
        yield
    finally:
        _switch.reset(token)


def dynamic(scale: Tensor) -> Tensor:
    """Mark a tensor as a scale; its value does not change."""
    switch = _switch.get()
    if switch is None:
        return scale
    if switch is _CONSTANT:
        return scale.detach()
    return _Marked.apply(scale, switch)


def scaled(x: Tensor, scale: Tensor) -> Tensor:
    """``x * dynamic(scale)`` for tensors of one shape, without computing gradients that a frozen switch drops."""
    switch = _switch.get()
    if switch is None or switch is _CONSTANT:
        return x * dynamic(scale)
    return _Scaled.apply(x, scale, switch)


class _Marked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scale: Tensor, switch: ScaleSwitch) -> Tensor:
        ctx.switch = switch
        return scale.view_as(scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return None if ctx.switch.is_frozen else gradient, None


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, switch: ScaleSwitch) -> Tensor:
        ctx.switch = switch
        ctx.save_for_backward(x, scale)
        return x * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        x, scale = ctx.saved_tensors
        return gradient * scale, None if ctx.switch.is_frozen else gradient * x, None
