r"""Layers of ordinary networks with the B-cos factor (Arya et al., "B-cosification", NeurIPS 2024).

A B-cosified layer keeps the weights that it was trained with. They are not normalised to unit norm, as those of a B-cos
network that is trained from scratch are:

.. math:: y = \left( \frac{|w^\top x|}{\lVert x\rVert} \right)^{B-1} w^\top x.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from e2kd_lab.models.bcos_layers import BatchNormUncentered2d, bcos_scaled
from e2kd_lab.models.conv2d_double_backward import conv2d
from e2kd_lab.models.dynamic_scales import read_by_scales
from e2kd_lab.system.errors import ExperimentError

# As in B-cos layers: inside the root for patches, outside for vectors.
_PATCH_EPS, _VECTOR_EPS = 1e-6, 1e-12


class BcosifiedUnit(nn.Module):
    """A convolution or linear layer of any library, times its dynamic scale.

    The layer's own forward pass runs, padding of its own kind included; what it hands to `torch.nn.functional.conv2d`
    or ``linear`` gives the norm of each patch.

    Parameters
    ----------
    linear : nn.Module
        The layer, which calls one of these functions once; kept, not copied.
    b : float
        The exponent B >= 1.

    Examples
    --------
    >>> unit = BcosifiedUnit(nn.Linear(2, 1, bias=False), b=2.0)
    >>> _ = nn.init.ones_(unit.linear.weight)
    >>> round(unit(torch.tensor([3.0, 4.0])).item(), 4)  # 7 * 7 / 5
    9.8
    """

    def __init__(self, linear: nn.Module, b: float = 2.0) -> None:
        super().__init__()
        self.linear, self.b = linear, b

    def forward(self, x: Tensor) -> Tensor:
        """Map what the layer maps: (N, C, H, W) to (N, K, H', W'), or (..., C) to (..., K)."""
        with _Captured() as captured:
            product = self.linear(x)
        return product if self.b == 1 else bcos_scaled(product, captured.norm(), self.b)

    def extra_repr(self) -> str:
        """The exponent, for the module's repr."""
        return f"b={self.b}"


class UncentredWithBias(BatchNormUncentered2d):
    """Uncentred batch normalisation with a bias: in evaluation mode the function of the centred one it came from.

    Parameters
    ----------
    norm : nn.BatchNorm2d
        The centred normalisation, with running statistics.

    Raises
    ------
    ExperimentError
        If it has no running statistics.
    """

    def __init__(self, norm: Any) -> None:
        super().__init__(norm.num_features)
        if norm.running_var is None:
            raise ExperimentError("it keeps no running statistics")
        self.eps = norm.eps
        self.to(norm.running_var)
        assert self.running_var is not None
        with torch.no_grad():
            if norm.weight is not None:
                self.weight.copy_(norm.weight)
            self.running_var.copy_(norm.running_var)
            shift = -norm.running_mean * self.weight * (norm.running_var + norm.eps).rsqrt()
            self.register_parameter("bias", nn.Parameter(shift if norm.bias is None else shift + norm.bias))
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W) per channel."""
        return super().forward(x) + self.bias.view(-1, 1, 1)

    def without_bias(self) -> BatchNormUncentered2d:
        """The same normalisation without its bias."""
        norm = BatchNormUncentered2d(self.num_features).to(self.weight)
        norm.eps = self.eps
        norm.load_state_dict({name: value for name, value in self.state_dict().items() if name != "bias"})
        return norm.train(self.training)


class _Captured(TorchFunctionMode):
    """Runs a layer's forward pass and keeps the arguments of its convolution or matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any]] = []

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        if function is F.linear:
            self.calls.append((None, arguments[0]))
        elif function is F.conv2d:
            form = _Form(*arguments[1:], **options)
            self.calls.append((form, arguments[0]))
            return form.product(arguments[0])
        return function(*arguments, **options)

    def norm(self) -> Tensor:
        """Norm of each patch, (N, 1 or K, H', W'), or of each vector, (..., 1)."""
        if len(self.calls) != 1:
            raise ExperimentError(f"it computes {len(self.calls)} convolutions or matrix products instead of one")
        form, x = self.calls[0]
        x = read_by_scales(x)
        if form is None:
            return torch.linalg.vector_norm(x, dim=-1, keepdim=True) + _VECTOR_EPS
        return form.patch_norm(x)


class _Form:
    """Arguments of `torch.nn.functional.conv2d`."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> None:
        self.weight, self.bias, self.groups = weight, bias, groups
        self.kernel = (weight.shape[2], weight.shape[3])
        self.stride, self.dilation = _pair(stride), _pair(dilation)
        self.padding = padding if isinstance(padding, str) else _pair(padding)

    def product(self, x: Tensor) -> Tensor:
        """The convolution, with a fast double backward where `conv2d` has one."""
        (stride, other_stride), padding = self.stride, self.padding
        plain = stride == other_stride and self.dilation == (1, 1) and padding[0] == padding[1]
        if self.bias is None and plain and isinstance(padding[0], int):
            return conv2d(x, self.weight, stride=stride, padding=padding[0], groups=self.groups)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def patch_norm(self, x: Tensor) -> Tensor:
        """L2 norm of the patch under the kernel, zero padding included, of each group: (N, 1 or K, H', W')."""
        squares = x.square().unflatten(1, (self.groups, -1)).sum(2)  # (N, groups, H, W)
        padding = self.padding
        if self.dilation == (1, 1) and not isinstance(padding, str) and self._is_pooled(padding):
            if self.kernel != (1, 1) or self.stride != (1, 1):  # the sum over the patch
                squares = F.avg_pool2d(squares, self.kernel, self.stride, padding, divisor_override=1)
        else:
            ones = x.new_ones(self.groups, 1, *self.kernel)
            squares = F.conv2d(squares, ones, None, self.stride, padding, self.dilation, self.groups)
        norm = (squares + _PATCH_EPS).sqrt()
        filters = len(self.weight) // self.groups
        return norm.repeat_interleave(filters, dim=1) if self.groups > 1 and filters > 1 else norm

    def _is_pooled(self, padding: tuple[int, int]) -> bool:
        return all(2 * pad <= side for pad, side in zip(padding, self.kernel, strict=True))


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1 % len(value)])
