"""Convolution with a fast double backward, for training explanations.

Three passes go through each convolution of a network whose W(x) is trained:

1. forward: ``y = conv(x, w)`` (`_Conv2d.forward`);
2. frozen backward, to W(x): ``g_x = conv_transposed(g_y, w)``, linear in ``g_y`` and ``w``
   (`_Conv2d.backward` calls `_InputGradient.forward`);
3. training backward: the derivatives of step 2 (`_InputGradient.backward`), then those of step 1 (`_Conv2d.backward`).

Step 3 needs two gradients of the same weights, one per step. Where weights are larger than feature maps, the first is
postponed and both are computed at once, from the concatenated batches. Autograd calls `_Conv2d.backward` after
`_InputGradient.backward` because the latter depends on an empty token, the second output of `_Conv2d`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.models.dynamic_scales import ScaleSwitch, current_switch


def conv2d(x: Tensor, weight: Tensor, *, stride: int, padding: int, groups: int) -> Tensor:
    """`torch.nn.functional.conv2d` whose frozen gradient is cheap to differentiate.

    torch computes the second derivative with respect to the weights as a convolution with a kernel of the feature map's
    size. It equals an ordinary weight gradient, for which much faster kernels exist.
    """
    switch = current_switch()
    if switch is None:
        return F.conv2d(x, weight, None, stride, padding, groups=groups)
    is_explained = x is switch.explained
    if torch.is_autocast_enabled(x.device.type):  # the derivatives below need both in one type
        half = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(half), weight.to(half)
    product, _ = _Conv2d.apply(x, weight, switch, (stride, padding, groups), is_explained)
    return product


class _Conv2d(torch.autograd.Function):
    """A convolution, and an empty token that orders the backward passes (see the module)."""

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
            return _InputGradient.apply(gradient, x, weight, token, ctx.form, ctx.postponed), None, None, None, None
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


class _InputGradient(torch.autograd.Function):
    """Gradient of a convolution with respect to its input: linear in the output's gradient and in the weights."""

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
        # In another memory layout, torch would convert the weights to it, and their gradient back.
        second = second.contiguous(memory_format=ctx.layout)
        to_gradient = F.conv2d(second, weight, None, stride, padding, groups=groups)
        to_weight = None
        if weight.numel() > gradient.numel() + second.numel():
            # Weights larger than maps: one gradient of all products is cheaper than the sum of their gradients.
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
