"""Bootstrap intervals of means over images."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Interval(NamedTuple):
    """A mean and the ends of its interval, in units of the values."""

    mean: float
    low: float
    high: float


def bootstrap_interval(values: Tensor, *, level: float = 0.95, resamples: int = 1000) -> Interval:
    """Mean over images and its percentile bootstrap interval (Efron, 1979); the same values give the same interval.

    Parameters
    ----------
    values : Tensor
        A value per image, (N,); NaN are left out.
    level : float
        Coverage of the interval, in (0, 1).
    resamples : int
        Samples of N images, drawn with replacement.

    Returns
    -------
    Interval
        Mean, low and high end; all NaN without a value.

    Examples
    --------
    >>> bootstrap_interval(torch.tensor([0.5, 0.5]))
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    known = values.detach().double().cpu()
    known = known[~known.isnan()]
    if not len(known):
        return Interval(torch.nan, torch.nan, torch.nan)
    generator, count = torch.Generator().manual_seed(0), len(known)
    means = [known[torch.randint(count, (count,), generator=generator)].mean() for _ in range(resamples)]
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = torch.stack(means).quantile(ends).tolist()
    return Interval(known.mean().item(), low, high)
