"""Dynamic scales of B-cos networks: constant in the explanation W(x), but not in its own gradient.

B-cos networks are dynamic linear: the logits are W(x) x plus a constant, where W(x) is a product of weight matrices and
*dynamic scales* that layers compute from their input: |cos(x, w)| of B-cos layers, 1/std of normalisation layers, the
attention matrix. The explanation W(x) is the gradient with respect to the input with these scales held constant (B-cos
v2, Sec. 3). Training the explanation, however, must differentiate the scales.

One forward pass serves both: layers mark their scales by `dynamic` or `scaled`, and a switch of this pass decides for
each backward pass whether the scales are constant::

    with switchable_scales(x) as switch:
        logits = model(x)
    with switch.frozen():
        (weights,) = torch.autograd.grad(logits[:, k].sum(), x, create_graph=True)
    loss(logits, weights).backward()  # differentiates the scales inside logits and weights

The switch belongs to a forward pass, not to the model, so that explaining on one thread does not disturb training on
another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor


class ScaleSwitch:
    """Decides whether the scales of a forward pass are constant in the current backward pass.

    Parameters
    ----------
    explained : Tensor, optional
        The input x of W(x). Only frozen backward passes compute its gradient.
    """

    def __init__(self, explained: Tensor | None = None) -> None:
        self.explained = explained
        self.is_frozen = False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Scales are constant in backward passes inside."""
        self.is_frozen = True
        try:
            yield
        finally:
            self.is_frozen = False


_CONSTANT = ScaleSwitch()
_CONSTANT.is_frozen = True
_switch: ContextVar[ScaleSwitch | None] = ContextVar("scale switch of the forward pass", default=None)


@contextmanager
def switchable_scales(explained: Tensor | None = None) -> Iterator[ScaleSwitch]:
    """Forward passes inside build graphs whose scales can be frozen for single backward passes.

    Parameters
    ----------
    explained : Tensor, optional
        The model's input x of W(x). Other backward passes then stop at the first layer, which saves its most expensive
        gradient.
    """
    switch = ScaleSwitch(explained)
    token = _switch.set(switch)
    try:
        yield switch
    finally:
        _switch.reset(token)


@contextmanager
def constant_scales() -> Iterator[None]:
    """Scales of forward passes inside are constant in all backward passes: cheaper, where no explanation is trained."""
    token = _switch.set(_CONSTANT)
    try:
        yield
    finally:
        _switch.reset(token)


def current_switch() -> ScaleSwitch | None:
    """The switch of the current forward pass; None if its scales are frozen in no backward pass, or in all."""
    switch = _switch.get()
    return None if switch is _CONSTANT else switch


def read_by_scales(x: Tensor) -> Tensor:
    """The tensor to compute scales from: ``x``, detached if no backward pass needs their gradient."""
    switch = _switch.get()
    return x.detach() if switch is _CONSTANT or (switch is not None and x is switch.explained) else x


def dynamic(scale: Tensor) -> Tensor:
    """Mark a tensor as a dynamic scale; its value does not change."""
    switch = _switch.get()
    if switch is None:
        return scale
    if switch is _CONSTANT:
        return scale.detach()
    return _Marked.apply(scale, switch)


def scaled(x: Tensor, scale: Tensor) -> Tensor:
    """``x * dynamic(scale)``, without computing gradients that a frozen switch drops.

    ``scale`` has the shape of ``x`` or is broadcast to it.
    """
    switch = current_switch()
    if switch is None:
        return x * dynamic(scale)
    return _Scaled.apply(x, scale, switch)


def scaled_by_cosine(product: Tensor, norm: Tensor) -> Tensor:
    r"""``product * dynamic(|product| / norm)``: the B-cos unit with B = 2, fused.

    Parameters
    ----------
    product : Tensor
        :math:`\hat w^\top x`.
    norm : Tensor
        :math:`\lVert x\rVert`, positive; broadcast to ``product``.
    """
    switch = _switch.get()
    if switch is _CONSTANT:
        return product * (product.detach().abs() / norm.detach())
    return _ScaledByCosine.apply(product, norm, switch)


def normalized_by_batch(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    r"""``x * dynamic(weight / sqrt(variance + eps))``, with each channel's biased variance over the batch.

    Parameters
    ----------
    x : Tensor
        (N, C, H, W).
    weight : Tensor
        (C,).
    eps : float
        Added to the variance.

    Returns
    -------
    normalized, variance : Tensor
        (N, C, H, W); (C,), without gradient.
    """
    normalized, _, variance = _NormalizedByBatch.apply(x, weight, eps, _switch.get())
    return normalized, variance


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
        to_scale = None if ctx.switch.is_frozen else (gradient * x).sum_to_size(scale.shape)
        return gradient * scale, to_scale, None


class _ScaledByCosine(torch.autograd.Function):
    """y = o |o| / n, and its derivatives written out: dy/do = 2 |o| / n, dy/dn = -y / n."""

    @staticmethod
    def forward(ctx: Any, product: Tensor, norm: Tensor, switch: ScaleSwitch | None) -> Tensor:
        scale = product.abs().div_(norm)
        ctx.switch = switch
        ctx.save_for_backward(product, norm, scale)
        return product * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        product, norm, scale = ctx.saved_tensors
        if ctx.switch is not None and ctx.switch.is_frozen:
            return _TimesCosine.apply(gradient, product, norm, scale), None, None
        if torch.is_grad_enabled():  # this gradient will be differentiated: the saved scale has no graph
            to_product = gradient * (product.abs() / norm)
            return 2 * to_product, (to_product * product).sum_to_size(norm.shape) / -norm, None
        to_product = gradient * scale
        to_norm = (to_product * product).sum_to_size(norm.shape).div_(-norm)
        return to_product.mul_(2), to_norm, None


class _TimesCosine(torch.autograd.Function):
    """h = g |o| / n, the frozen gradient, which training an explanation differentiates in g, o and n."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, product: Tensor, norm: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(gradient, product, norm, scale)
        return gradient * scale

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, second: Tensor) -> Any:  # type: ignore[override]
        gradient, product, norm, scale = ctx.saved_tensors
        both = second * gradient
        to_norm = (both * scale).sum_to_size(norm.shape).div_(-norm)
        to_product = both.mul_(torch.copysign(1 / norm, product, out=torch.empty_like(product)))
        return second * scale, to_product, to_norm, None


class _NormalizedByBatch(torch.autograd.Function):
    """y = x s, the scale s, through which a frozen gradient depends on x, and the variance."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, eps: float, switch: ScaleSwitch | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.eps, ctx.switch = eps, switch
        ctx.set_materialize_grads(False)
        mean, variance = _channel_moments(x)
        scale = (weight * (variance + eps).rsqrt()).view(-1, 1, 1)
        ctx.save_for_backward(x, mean, variance, scale)
        ctx.mark_non_differentiable(variance)
        return x * scale, scale, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, to_scale: Tensor | None, _: None) -> Any:  # type: ignore[override]
        x, mean, variance, scale = ctx.saved_tensors
        if ctx.switch is not None and ctx.switch.is_frozen:
            return None if gradient is None else gradient * scale, None, None, None
        if torch.is_grad_enabled():  # this gradient will be differentiated: the saved moments have no graph
            mean, variance = _channel_moments(x)
        if gradient is not None:
            along = (gradient * x).sum((0, 2, 3)).view_as(scale)
            to_scale = along if to_scale is None else to_scale + along
        if to_scale is None:
            return None, None, None, None
        to_weight = to_scale.flatten() * (variance + ctx.eps).rsqrt()
        # d var / dx = 2 (x - mean) / n, ds / d var = -s / (2 (var + eps))
        slope = -to_scale * scale / (variance + ctx.eps).view_as(scale) * (x.shape[1] / x.numel())
        to_x = torch.addcmul(-slope * mean, x, slope)
        if gradient is not None:
            to_x = to_x.addcmul_(gradient, scale)
        return to_x, to_weight, None, None


def _channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (1, C, 1, 1) and biased variance (C,) of each channel; on a CPU several times faster than ``var_mean``."""
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    return mean, (x - mean).square_().mean(dim=(0, 2, 3))
