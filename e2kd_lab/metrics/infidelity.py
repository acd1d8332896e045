"""Infidelity and sensitivity of explanations (Yeh et al., NeurIPS 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.losses.precision import at_least_float32


def infidelity(changes: Tensor, maps: Tensor, falls: Tensor, *, scaled: bool = False) -> Tensor:
    r"""Mean squared error of a map as a linear model of what changes of the image do to the logit.

    .. math:: \mathrm{INFD}_n = \frac1R \sum_r \big( \langle I_{nr}, \Phi_n \rangle - (z(x_n) - z(x_n - I_{nr})) \big)^2

    (Definition 2.1 of the paper).

    Parameters
    ----------
    changes : Tensor
        Changes I of the images that are subtracted from them, (R, N, ...).
    maps : Tensor
        Attributions :math:`\Phi` per unit of change, of the shape of the images, (N, ...).
    falls : Tensor
        By how much each change lowers the explained logit, (R, N).
    scaled : bool
        Multiply each map by the factor that fits best, for explanations whose scale has no meaning, such as CAMs.

    Returns
    -------
    Tensor
        (N,), >= 0, in squared units of the logit; 0 is best.

    Examples
    --------
    >>> weights = torch.tensor([[1.0, -2.0]])
    >>> changes = torch.rand(5, 1, 2)
    >>> infidelity(changes, weights, (changes * weights).sum(-1))
    tensor([0.])
    """
    products = (at_least_float32(changes) * at_least_float32(maps)).flatten(2).sum(2)
    if scaled:
        squares = products.square().sum(0)
        products = products * ((products * falls).sum(0) / squares.masked_fill(squares == 0, 1))
    return (products - falls).square().mean(0)


def sensitivity(maps: Tensor, changed: Tensor) -> Tensor:
    r"""Largest relative change of an explanation under small changes of the image.

    .. math:: \mathrm{SENS}_n = \max_r \| \Phi(x_n + \delta_{nr}) - \Phi(x_n) \| / \| \Phi(x_n) \|

    Parameters
    ----------
    maps : Tensor
        Explanations of the images, (N, ...).
    changed : Tensor
        Explanations of R changed copies of each, (R, N, ...).

    Returns
    -------
    Tensor
        (N,), >= 0, low is best; NaN where the map is zero everywhere.

    Examples
    --------
    >>> sensitivity(torch.tensor([[3.0, 4.0]]), torch.tensor([[[3.0, 4.0]], [[3.0, 5.0]]]))
    tensor([0.2000])
    """
    norms = torch.linalg.vector_norm(at_least_float32(maps).flatten(1), dim=1)
    moved = torch.linalg.vector_norm((at_least_float32(changed) - maps).flatten(2), dim=2).amax(0)
    return (moved / norms).masked_fill(norms == 0, torch.nan)
