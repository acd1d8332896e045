r"""Activations, gates and pooling of ordinary networks as dynamic scales, whether layers or functions compute them.

An activation f with f(0) = 0 is a scale times its input, f(x) = g(x) x, and a gate is a scale itself: constant in the
explanation W(x), differentiated elsewhere (see `e2kd_lab.models.dynamic_scales`). ReLU, leaky ReLU and maxima are
piecewise linear, so that their own derivative is right already.

===================================================  ==============================================
function                                             scale
===================================================  ==============================================
SiLU                                                 sigmoid(x)
GELU                                                 the normal distribution function, or its tanh form
Hardswish                                            relu6(x + 3) / 6
Mish                                                 tanh(softplus(x))
ReLU6, Hardtanh, ELU, CELU, SELU, tanh, softsign      f(x) / x
sigmoid, Hardsigmoid, softmax                        the function itself: what it multiplies is scaled
layer and group normalisation                        1 / standard deviation; the mean is linear
===================================================  ==============================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from e2kd_lab.models.dynamic_scales import dynamic, scaled
from e2kd_lab.system.errors import ExperimentError

# In place of zero in f(x) / x, which has a limit there.
_TINY = 1e-6


class DynamicFunctions(TorchFunctionMode):
    """Forward passes inside mark activations and gates as dynamic scales; their values do not change.

    Parameters
    ----------
    average : bool
        Average where the network takes a maximum over windows.

    Attributes
    ----------
    max_pools : int
        Number of max poolings that were met.

    Examples
    --------
    >>> from e2kd_lab.models.dynamic_scales import constant_scales
    >>> x = torch.tensor([2.0], requires_grad=True)
    >>> with DynamicFunctions(), constant_scales():
    ...     y = F.silu(x)
    >>> torch.allclose(torch.autograd.grad(y, x)[0] * x, y)  # y = g x, with g constant
    True
    """

    def __init__(self, *, average: bool = False) -> None:
        super().__init__()
        self.average, self.max_pools = average, 0

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        if function in _POOLS:
            self.max_pools += 1
            if self.average:
                return _POOLS[function](*arguments, **options)
        handler = _SCALED.get(function)
        return function(*arguments, **options) if handler is None else handler(*arguments, **options)


def _silu(x: Tensor, inplace: bool = False) -> Tensor:
    return scaled(x, torch.sigmoid(x))


def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "tanh":
        return scaled(x, 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return scaled(x, 0.5 * (1 + torch.erf(x / math.sqrt(2))))


def _hardswish(x: Tensor, inplace: bool = False) -> Tensor:
    return scaled(x, F.relu6(x + 3) / 6)


def _mish(x: Tensor, inplace: bool = False) -> Tensor:
    return scaled(x, torch.tanh(F.softplus(x)))


def _layer_norm(
    x: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    y = _standardized(x, tuple(range(-len(shape), 0)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    y = _standardized(x.unflatten(1, (groups, -1)), tuple(range(2, x.ndim + 1)), eps).flatten(1, 2)
    channels = (-1, *[1] * (x.ndim - 2))
    y = y if weight is None else y * weight.view(channels)
    return y if bias is None else y + bias.view(channels)


def _standardized(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred * dynamic((centred.square().mean(dims, keepdim=True) + eps).rsqrt())


def _ratio(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def divided(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        divisor = torch.where(x == 0, _TINY, x)
        # A copy, because the function may work in place.
        return scaled(x, function(divisor.clone(), *arguments, **options) / divisor)

    return divided


def _gate(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda *arguments, **options: dynamic(function(*arguments, **options))


def _average_pool(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    if return_indices or dilation not in (1, (1, 1), [1, 1]):
        raise ExperimentError(
            "Max pooling with dilation or indices cannot become average pooling; expected max pooling without either."
        )
    return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)


def _adaptive_average_pool(x: Tensor, output_size: Any, return_indices: bool = False) -> Tensor:
    return F.adaptive_avg_pool2d(x, output_size)


_SCALED: dict[Any, Callable[..., Tensor]] = {
    F.silu: _silu,
    F.gelu: _gelu,
    F.hardswish: _hardswish,
    F.mish: _mish,
    F.layer_norm: _layer_norm,
    F.group_norm: _group_norm,
}
_OF_SCALE = (F.relu6, F.hardtanh, F.elu, F.celu, F.selu, F.tanh, torch.tanh, Tensor.tanh, F.softsign)
_SCALED |= {function: _ratio(function) for function in _OF_SCALE}
_GATES = (
    *(torch.sigmoid, Tensor.sigmoid, F.sigmoid, torch.special.expit, F.hardsigmoid),
    *(F.softmax, torch.softmax, Tensor.softmax),
)
_SCALED |= {function: _gate(function) for function in _GATES}
_POOLS: dict[Any, Callable[..., Tensor]] = {
    torch.max_pool2d: _average_pool,
    F.max_pool2d: _average_pool,
    F.adaptive_max_pool2d: _adaptive_average_pool,
}
