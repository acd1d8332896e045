"""Cosine similarity of explanations per image, and the maps that have none."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def explanation_cosine(student_maps: Tensor, teacher_maps: Tensor) -> Tensor:
    """Cosine similarity of two explanations of the same class, per image.

    Parameters
    ----------
    student_maps, teacher_maps : Tensor
        Maps, (N, C, H, W).

    Returns
    -------
    Tensor
        (N,), in [-1, 1]; 0 where a map is all zero.

    Examples
    --------
    >>> import torch
    >>> student, teacher = torch.ones(1, 1, 2, 2), torch.eye(2)[None, None]
    >>> explanation_cosine(student, teacher)
    tensor([0.7071])
    """
    return F.cosine_similarity(student_maps.flatten(1), teacher_maps.flatten(1), dim=1)


def dead_maps(maps: Tensor) -> Tensor:
    """Which explanation maps are zero everywhere; their cosine is 0.

    Parameters
    ----------
    maps : Tensor
        Maps, (N, C, H, W).

    Returns
    -------
    Tensor
        Booleans (N,).

    Examples
    --------
    >>> import torch
    >>> dead_maps(torch.tensor([0.0, 0.5]).view(2, 1, 1, 1))
    tensor([ True, False])
    """
    over = (1, 2, 3)
    return (maps.amax(over) == 0) & (maps.amin(over) == 0)  # many times faster than counting
