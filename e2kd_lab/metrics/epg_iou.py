"""Localisation of explanations: energy pointing game (EPG) and intersection over union (IoU) with boxes (Sec. 4.3.1).

Each row is a pair of an image and one of its ground-truth classes: the map of that class and the union of its boxes.
The paper reports means over all pairs of the test set, on contribution maps.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from e2kd_lab.losses.precision import at_least_float32

# Maximum pixels per chunk: 1 MB on the CPU, which stays in the cache (2 MB took several times as long), 130 MB
# elsewhere.
_PIXELS_AT_ONCE = {"cpu": 2**18}
_PIXELS_AT_ONCE_ELSEWHERE = 2**25

# Smaller sums and ranges count as zero (Rao et al., ICCV 2023).
_LEAST_ENERGY = 1e-7
_LEAST_RANGE = 1e-7


def energy_pointing_game(maps: Tensor, masks: Tensor) -> Tensor:
    r"""Share of the positive contribution that lies inside the boxes (EPG).

    .. math:: \mathrm{EPG}_n = \frac{\sum_p E^+_{np} B_{np}}{\sum_p E^+_{np}}, \qquad E^+ = \max(E, 0)

    Parameters
    ----------
    maps : Tensor
        Maps, (N, H, W) or (N, 1, H, W); may be negative.
    masks : Tensor
        Union of the class's boxes, (N, H, W) or (N, 1, H, W); bool, or numbers other than zero inside.

    Returns
    -------
    Tensor
        (N,), in [0, 1]; 0 where the mask is empty or the positive contribution is below 1e-7 (a dead map). In at
        least float32, on the device of the maps, without gradient.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> maps, masks = torch.tensor([[[1.0, 3.0, 0.0]]]), torch.tensor([[[False, True, False]]])
    >>> energy_pointing_game(maps, masks)
    tensor([0.7500])
    """
    return _row_by_row("energy_pointing_game", _energy_share, maps, masks)


def explanation_iou(maps: Tensor, masks: Tensor, threshold: float = 0.05) -> Tensor:
    r"""Intersection over union (IoU) of the pixels above a threshold and the boxes.

    .. math:: \mathrm{IoU}_n = \frac{|M_n \cap B_n|}{|M_n \cup B_n|}, \qquad
              M_n = \left\{p : \frac{E^+_{np} - \min_q E^+_{nq}}{\max_q E^+_{nq} - \min_q E^+_{nq}} > t\right\},
              \qquad E^+ = \max(E, 0)

    A map that is positive everywhere and whose values differ by less than 1e-7 is divided by its maximum instead: all
    of its pixels count.

    Parameters
    ----------
    maps : Tensor
        Maps, (N, H, W) or (N, 1, H, W); may be negative.
    masks : Tensor
        Union of the class's boxes, (N, H, W) or (N, 1, H, W); bool, or numbers other than zero inside.
    threshold : float
        t, in [0, 1); the paper's is 0.05.

    Returns
    -------
    Tensor
        (N,), in [0, 1]; 0 where the mask is empty or no contribution is positive (a dead map), NaN where the map has
        a NaN. In at least float32, on the device of the maps, without gradient.

    Raises
    ------
    ValueError
        If the shapes do not fit or the threshold is not in [0, 1).

    Examples
    --------
    >>> maps, masks = torch.tensor([[[1.0, 3.0, 0.0]]]), torch.tensor([[[False, True, False]]])
    >>> explanation_iou(maps, masks)
    tensor([0.5000])
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"explanation_iou needs a threshold in [0, 1), got {threshold}.")
    return _row_by_row("explanation_iou", lambda rows, inside: _iou(rows, inside, threshold), maps, masks)


def _energy_share(rows: Tensor, inside: Tensor) -> Tensor:
    positive = rows.relu()
    total = positive.sum(1)
    share = (positive * inside).sum(1) / total
    return share.masked_fill(total < _LEAST_ENERGY, 0)


def _iou(rows: Tensor, inside: Tensor, threshold: float) -> Tensor:
    # max(E, 0) has the extremes max(min E, 0) and max(max E, 0); (E+ - low) / (high - low) > t is E > low + t (high -
    # low), which is never negative: nothing but E itself is compared. amin and amax vectorise, aminmax does not.
    low, high = rows.amin(1).relu(), rows.amax(1).relu()
    low = low.masked_fill(high - low < _LEAST_RANGE, 0)
    # Written as numbers because comparisons to bool and sums of bool are several times slower; counts below 2^24 are
    # exact in float32.
    found = torch.gt(rows, (low + threshold * (high - low)).unsqueeze(1), out=torch.empty_like(rows))
    intersection = (found * inside).sum(1)
    union = found.sum(1) + inside.sum(1) - intersection
    iou = intersection / union.clamp(min=1)
    return iou.masked_fill(high.isnan(), torch.nan)


def _row_by_row(name: str, measure: Callable[[Tensor, Tensor], Tensor], maps: Tensor, masks: Tensor) -> Tensor:
    """Apply `measure` chunk by chunk to rows (n, H * W) of E and B in one floating-point type."""
    planes, boxes = (tensor.squeeze(1) if tensor.ndim == 4 else tensor for tensor in (maps.detach(), masks))
    if planes.ndim != 3 or planes.shape != boxes.shape:
        raise ValueError(
            f"{name} needs maps and masks (N, H, W) or (N, 1, H, W) of one size, "
            f"got {tuple(maps.shape)} and {tuple(masks.shape)}."
        )
    pixels = _PIXELS_AT_ONCE.get(planes.device.type, _PIXELS_AT_ONCE_ELSEWHERE)
    at_once = max(1, pixels // (planes.shape[1] * planes.shape[2]))
    values = []
    for some, these in zip(planes.split(at_once), boxes.split(at_once), strict=True):
        rows = at_least_float32(some).flatten(1)
        inside = these.bool().flatten(1).view(torch.uint8)  # uint8 converts to float six times faster than bool
        values.append(measure(rows, inside.to(rows.dtype)))
    return torch.cat(values)
