"""Adaptive gradient clipping (Brock et al., ICML 2021), as used for B-cos networks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_MIN_WEIGHT_NORM, _MIN_GRADIENT_NORM = 1e-3, 1e-6


@torch.no_grad()
def clip_gradients_adaptively(parameters: Iterable[nn.Parameter], factor: float) -> None:
    r"""Clip each unit's gradient to a multiple of the norm of its weights, in place.

    .. math:: g_i \leftarrow g_i \min\Big(1, \lambda \frac{\max(\lVert w_i\rVert, 10^{-3})}{\lVert g_i\rVert}\Big)

    A unit is an output filter of a convolution, a row of a linear layer, or a whole vector.

    Parameters
    ----------
    parameters : iterable of Parameter
        Parameters of the network; those without a gradient are skipped.
    factor : float
        The largest ratio lambda, > 0; 0.01 for B-cos networks (Sec. C.1).

    Raises
    ------
    ValueError
        If the factor is not positive.
    """
    if not factor > 0:
        raise ValueError(f"clip_gradients_adaptively needs a factor > 0, got {factor}.")
    for parameter in parameters:
        if parameter.grad is None:
            continue
        largest = factor * _unit_norms(parameter).clamp(min=_MIN_WEIGHT_NORM)
        norms = _unit_norms(parameter.grad)
        shrink = (largest / norms.clamp(min=_MIN_GRADIENT_NORM)).to(parameter.dtype)
        parameter.grad.mul_(torch.where(norms >= largest, shrink, 1.0))


def _unit_norms(tensor: Tensor) -> Tensor:
    if tensor.squeeze().ndim <= 1:
        return torch.linalg.vector_norm(tensor)
    dimensions = (1,) if tensor.ndim <= 3 else (1, 2, 3)
    return torch.linalg.vector_norm(tensor, dim=dimensions, keepdim=True)
