"""Convolutions in explained networks: their gradient to the input, and what training an explanation takes of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.models.dynamic_scales import ScaleSwitch, current_switch


def conv2d(x: Tensor, weight: Tensor, *, stride: int, padding: int, groups: int) -> Tensor:
    """``conv2d(x, weight)`` whose frozen gradient is cheap to differentiate.

    torch writes the second derivative to the weights as a convolution with a kernel of the feature map's size; it is an
    ordinary weight gradient, for which there are much faster programs.
    """
    switch = current_switch()
    if switch is None:
        return F.conv2d(x, weight, None, stride, padding, groups=groups)
    is_explained = x is switch.explained
    if torch.is_autocast_enabled(x.device.type):  # the written-out derivatives need both in one type
        half = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(half), weight.to(half)
    product, _ = _Convolved.apply(x, weight, switch, (stride, padding, groups), is_explained)
    return product


class _Convolved(torch.autograd.Function):
    """A convolution and a token without content, which makes autograd come here after each of its `_ConvolvedBack`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, switch: ScaleSwitch, form: tuple[int, int, int], is_explained: bool
    ) -> tuple[Tensor, Tensor]:
        ctx.switch, ctx.form, ctx.is_explained = switch, form, is_explained
        ctx.postponed = []
        ctx.set_materialize_grads(False)
        stride, padding, groups = form
        product = F.conv2d(x, weight, None, stride, padding, groups=groups)
        token = product.new_empty(0)
        ctx.save_for_backward(x, weight, token)
        return product, token

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, _: Tensor | None) -> Any:  # type: ignore[override]
        x, weight, token = ctx.saved_tensors
        if ctx.switch.is_frozen:
            assert gradient is not None
            return _ConvolvedBack.apply(gradient, x, weight, token, ctx.form, ctx.postponed), None, None, None, None
        products: list[tuple[Tensor, Tensor]] = ctx.postponed.copy()
        to_x, to_weight = None, None
        ctx.postponed.clear()
        if products and torch.is_grad_enabled():
            raise RuntimeError("A loss on W(x) can be differentiated once, not with create_graph.")
        if gradient is not None:
            products.append((gradient, x))
            if ctx.needs_input_grad[0] and not ctx.is_explained:
                to_x = _convolution_gradients(gradient, x, weight, ctx.form, (True, False))[0]
        if products and ctx.needs_input_grad[1]:
            stacked, inputs = (_stacked(parts) for parts in zip(*products, strict=True))
            to_weight = _convolution_gradients(stacked, inputs, weight, ctx.form, (False, True))[1]
        return to_x, to_weight, None, None, None


class _ConvolvedBack(torch.autograd.Function):
    """The gradient of a convolution to its input, which is linear in the gradient and in the weights."""

    @staticmethod
    def forward(
        ctx: Any,
        gradient: Tensor,
        x: Tensor,
        weight: Tensor,
        token: Tensor,
        form: tuple[int, int, int],
        postponed: list[tuple[Tensor, Tensor]],
    ) -> Tensor:
        layout = _layout_of(x)
        gradient = gradient.contiguous(memory_format=layout)
        ctx.form, ctx.layout, ctx.postponed = form, layout, postponed
        ctx.save_for_backward(gradient, weight, token)
        return _convolution_gradients(gradient, x, weight, form, (True, False))[0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, second: Tensor) -> Any:  # type: ignore[override]
        gradient, weight, token = ctx.saved_tensors
        stride, padding, groups = ctx.form
        # In another layout than the forward pass, torch would bring the weights into that one, and their gradient back.
        second = second.contiguous(memory_format=ctx.layout)
        to_gradient = F.conv2d(second, weight, None, stride, padding, groups=groups)
        to_weight = None
        if weight.numel() > gradient.numel() + second.numel():
            # Where weights outweigh maps, one gradient to them, of all products together, is cheaper than their sum.
            ctx.postponed.append((gradient, second))
        elif ctx.needs_input_grad[2]:
            to_weight = _convolution_gradients(gradient, second, weight, ctx.form, (False, True))[1]
        return to_gradient, None, to_weight, token, None, None


def _stacked(batches: tuple[Tensor, ...]) -> Tensor:
    return batches[0] if len(batches) == 1 else torch.cat(batches)


def _layout_of(x: Tensor) -> torch.memory_format:
    is_channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if is_channels_last else torch.contiguous_format


def _convolution_gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, form: tuple[int, int, int], wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    stride, padding, groups = form
    to_x, to_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, [*wanted, False]
    )
    return to_x, to_weight
