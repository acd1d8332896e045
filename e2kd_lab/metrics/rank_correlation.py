"""Spearman's rank correlation of explanations, per image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.precision import at_least_float32


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of two maps; equal values share their mean rank.

    Parameters
    ----------
    first, second : Tensor
        Maps of one shape, (N, ...).

    Returns
    -------
    Tensor
        (N,), in [-1, 1], in at least float32; 0 where a map is constant.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> round(rank_correlation(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 4.0, 9.0]])).item(), 4)
    1.0
    """
    if first.shape != second.shape:
        raise ValueError(
            f"rank_correlation needs maps of one shape, got {tuple(first.shape)} and {tuple(second.shape)}."
        )
    return F.cosine_similarity(_centred_ranks(first), _centred_ranks(second), dim=1).clamp(-1, 1)


def _centred_ranks(maps: Tensor) -> Tensor:
    rows = at_least_float32(maps.detach()).flatten(1).contiguous()
    ordered = rows.sort(dim=1).values
    lowest, highest = (torch.searchsorted(ordered, rows, right=right) for right in (False, True))
    ranks = (lowest + highest).to(rows.dtype) / rows.shape[1] - 1  # in [-1, 1]
    return ranks - ranks.mean(1, keepdim=True)
