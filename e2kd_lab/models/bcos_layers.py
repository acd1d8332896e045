r"""The layers of B-cos networks (Böhle et al., CVPR 2022 and TPAMI 2024); parameters are named as in their checkpoints.

A B-cos unit replaces the product :math:`w^\top x` by

.. math:: \mathrm{B\text{-}cos}(x; w) = \lVert x\rVert \, |\cos(x, w)|^{B} \, \mathrm{sign}(\cos(x, w))
          = |\cos(x, w)|^{B-1} \; \hat w^\top x, \qquad \hat w = w / \lVert w\rVert,

that is, a linear map with unit-norm weights times a *dynamic scale* (see `e2kd_lab.models.dynamic_scales`). No layer
has a bias and there are no activation functions, so that the whole network stays dynamic linear.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from e2kd_lab.models.conv2d_double_backward import conv2d
from e2kd_lab.models.dynamic_scales import (
    dynamic,
    normalized_by_batch,
    read_by_scales,
    scaled,
    scaled_by_cosine,
)

# As in the published networks; inside the root for patches, outside for vectors.
_PATCH_EPS, _VECTOR_EPS, _COSINE_EPS = 1e-6, 1e-12, 1e-6


def unit_rows(weight: Tensor) -> Tensor:
    """Weights (K, ...) with each of the K filters divided by its L2 norm."""
    return _UnitRows.apply(weight)


def bcos_scaled(product: Tensor, norm: Tensor, b: float) -> Tensor:
    r"""Multiply :math:`\hat w^\top x` by its dynamic scale :math:`|\cos(x, w)|^{B-1}`.

    Parameters
    ----------
    product : Tensor
        :math:`\hat w^\top x`.
    norm : Tensor
        :math:`\lVert x\rVert`, positive, broadcastable to ``product``.
    b : float
        The exponent B >= 1.
    """
    if b == 1:
        return product
    if b == 2:
        return scaled_by_cosine(product, norm)
    return scaled(product, (product.abs() / norm + _COSINE_EPS) ** (b - 1))


class BcosUnit(nn.Module):
    """Base of B-cos layers: ``linear`` holds weights that are normalised to unit norm.

    Attributes
    ----------
    has_frozen_weight : bool
        Whether the weights have been replaced by their final values (see `freeze_weight`).
    """

    linear: nn.Conv2d | nn.Linear
    has_frozen_weight = False

    def weight(self) -> Tensor:
        """Unit-norm weights that multiply the input."""
        return self.linear.weight if self.has_frozen_weight else unit_rows(self.linear.weight)

    def freeze_weight(self, scale: Tensor | None = None) -> None:
        """Replace the parameter by its unit-norm weights, times ``scale`` (K,) per filter; this cannot be undone."""
        if self.has_frozen_weight:
            return
        weight = self.weight().detach()
        if scale is not None:
            weight = weight * scale.view(-1, *[1] * (weight.ndim - 1))
        if parametrize.is_parametrized(self.linear):  # torch's removal would take the weights of copies, too
            self.linear.__class__ = parametrize.type_before_parametrizations(self.linear)
            del self.linear.parametrizations
        self.linear.weight = nn.Parameter(weight, requires_grad=False)
        self.has_frozen_weight = True


class BcosConv2d(BcosUnit):
    """B-cos convolution.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, groups : int
        As for a convolution without bias; the padding is at most half the kernel size.
    b : float
        The exponent B.
    max_out : int
        Filters per output channel; the one with the largest product counts.
    """

    linear: nn.Conv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        *,
        groups: int = 1,
        b: float = 2.0,
        max_out: int = 1,
    ) -> None:
        super().__init__()
        if 2 * padding > kernel_size:
            raise ValueError(f"BcosConv2d needs padding <= kernel_size / 2, got {padding} and {kernel_size}.")
        self.kernel_size, self.stride, self.padding, self.b, self.max_out = kernel_size, stride, padding, b, max_out
        # The parameter's name in published checkpoints is "<layer>.linear.weight".
        self.linear = nn.Conv2d(
            in_channels, out_channels * max_out, kernel_size, stride, padding, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        product = conv2d(x, self.weight(), stride=self.stride, padding=self.padding, groups=self.linear.groups)
        if self.max_out > 1:
            product = product.unflatten(1, (-1, self.max_out)).amax(2)  # (N, out_channels, H', W')
        return bcos_scaled(product, self.patch_norm(read_by_scales(x), product.shape[1]), self.b)

    def patch_norm(self, x: Tensor, out_channels: int) -> Tensor:
        """L2 norm of the patch under the kernel, zero padding included: (N, 1 or out_channels, H', W')."""
        groups = self.linear.groups
        squares = x.unflatten(1, (groups, -1)).square().sum(2) if groups > 1 else _SquaredNorm.apply(x)
        if self.kernel_size > 1 or self.stride > 1:  # the sum over the patch
            squares = F.avg_pool2d(squares, self.kernel_size, self.stride, self.padding, divisor_override=1)
        norm = (squares + _PATCH_EPS).sqrt()
        return norm.repeat_interleave(out_channels // groups, dim=1) if groups > 1 else norm


class BcosLinear(BcosUnit):
    """B-cos unit on the last dimension: (..., in_features) to (..., out_features)."""

    linear: nn.Linear

    def __init__(self, in_features: int, out_features: int, *, b: float = 2.0) -> None:
        super().__init__()
        self.b = b
        self.linear = nn.Linear(in_features, out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        norm = torch.linalg.vector_norm(read_by_scales(x), dim=-1, keepdim=True) + _VECTOR_EPS
        return bcos_scaled(F.linear(x, self.weight()), norm, self.b)


class BatchNormUncentered2d(nn.BatchNorm2d):
    """Batch normalisation that divides by the standard deviation but subtracts no mean and adds no bias.

    The variance is the ordinary, centred and biased one; ``running_mean`` is kept for the checkpoints' sake only.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features)
        self.register_parameter("bias", None)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) per channel."""
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        if not self.training:
            return scaled(x, (self.weight * (self.running_var + self.eps).rsqrt()).view(-1, 1, 1))
        normalized, variance = self.normalized(x)
        with torch.no_grad():
            self.running_var.lerp_(variance.to(self.running_var.dtype), 0.1)
            self.num_batches_tracked.add_(1)
        return normalized

    def normalized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalize a batch (N, C, H, W) with its own statistics; also their biased variances (C,)."""
        return normalized_by_batch(x, self.weight, self.eps)


class AveragePool2d(nn.AvgPool2d):
    """Average pooling with a cheap double backward: torch's own adds zeros of the input's size."""

    def forward(self, x: Tensor) -> Tensor:
        """Average over windows of (N, C, H, W)."""
        return _AveragePooled.apply(x, self.kernel_size, self.stride, self.padding)


class LayerNormNoBias(nn.Module):
    """Layer normalisation of the last dimension without bias; 1/std is a dynamic scale, centring is linear."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (..., dim)."""
        centred = x - x.mean(-1, keepdim=True)
        variance = centred.square().mean(-1, keepdim=True)
        return centred * dynamic((variance + self.eps).rsqrt()) * self.weight


class LayerNorm2dNoBias(LayerNormNoBias):
    """Layer normalisation over channels and space (one group), a weight per channel, without bias."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, dim, H, W)."""
        centred = x - x.mean((1, 2, 3), keepdim=True)
        variance = centred.square().mean((1, 2, 3), keepdim=True)
        return centred * dynamic((variance + self.eps).rsqrt()) * self.weight.view(-1, 1, 1)


class _UnitRows(torch.autograd.Function):
    """Rows divided by their norms; the derivative projects out each row's direction."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.ndim)), keepdim=True)
        unit = weight / norm
        ctx.save_for_backward(unit, norm)
        return unit

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        unit, norm = ctx.saved_tensors
        along = (gradient * unit).sum_to_size(norm.shape)
        return torch.addcmul(gradient, unit, along, value=-1).div_(norm)


class _SquaredNorm(torch.autograd.Function):
    """Sum of squares over the channels, (N, C, H, W) to (N, 1, H, W), without a copy of all squares."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)
        return torch.linalg.vector_norm(x, dim=1, keepdim=True).square_()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Tensor | None:  # type: ignore[override]
        if gradient is None:  # of a frozen scale
            return None
        (x,) = ctx.saved_tensors
        return x * (2 * gradient)


class _AveragePooled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel_size: int, stride: int, padding: int) -> Tensor:
        ctx.windows = [[kernel_size] * 2, [stride] * 2, [padding] * 2]
        ctx.save_for_backward(x.detach())  # gives the gradient its size, nothing else
        return F.avg_pool2d(x, kernel_size, stride, padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return torch.ops.aten.avg_pool2d_backward(gradient, x, *ctx.windows, False, True, None), None, None, None
