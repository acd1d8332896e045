"""Losses that guide a network's explanation to the boxes of the explained object (Rao et al., ICCV 2023).

Rao et al. sum over the batch; these losses average. Multiply their weights by their batch size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.losses.precision import at_least_float32

# With less positive contribution than this the energy loss does not divide by it.
_LEAST_ENERGY = 1e-7


def energy_guidance_loss(maps: Tensor, masks: Tensor) -> Tensor:
    r"""Share of the positive contribution that lies outside the boxes: one minus the energy pointing game.

    .. math:: \mathcal{L}_{energy} = \frac1N \sum_n 1 - \frac{\sum_p E^+_{np} B_{np}}{\sum_p E^+_{np}},
              \qquad E^+ = \max(E, 0)

    Maps whose positive contribution is below 1e-7 are not divided by it. A map without any (a dead map) has loss 1 and
    no gradient.

    Parameters
    ----------
    maps : Tensor
        Contribution or GradCAM maps of one class per image, (N, H, W) or (N, 1, H, W); may be negative.
    masks : Tensor
        Union of that class's boxes, (N, H, W) or (N, 1, H, W); bool, or numbers other than zero inside. An
        image with an empty mask has no annotation and is left out of the mean.

    Returns
    -------
    Tensor
        Scalar in [0, 1], in at least float32; 0 if no image is annotated. Can be differentiated twice.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> maps, masks = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[False, True]]])  # one image of 1 x 2 px
    >>> energy_guidance_loss(maps, masks)
    tensor(0.2500)
    """
    positive, inside = _positive_and_inside("energy_guidance_loss", maps, masks)
    total = positive.sum(1)
    share = (positive * inside).sum(1) / torch.where(total < _LEAST_ENERGY, 1, total)
    return _mean_of_annotated(1 - share, inside)


def l1_guidance_loss(maps: Tensor, masks: Tensor) -> Tensor:
    r"""Mean absolute difference of the normalised positive contribution and the mask of the boxes.

    .. math:: \mathcal{L}_{L1} = \frac{1}{NHW} \sum_{n,p} \left| \frac{E^+_{np}}{\max_q E^+_{nq}} - B_{np} \right|,
              \qquad E^+ = \max(E, 0)

    This is min-max normalisation for every map with a value <= 0. A map without positive contribution (a dead map)
    stays zero: its loss is the mask's share of the image, without gradient.

    Parameters
    ----------
    maps : Tensor
        Contribution or GradCAM maps of one class per image, (N, H, W) or (N, 1, H, W); may be negative.
    masks : Tensor
        Union of that class's boxes, (N, H, W) or (N, 1, H, W); bool, or numbers other than zero inside. An
        image with an empty mask has no annotation and is left out of the mean.

    Returns
    -------
    Tensor
        Scalar in [0, 1], in at least float32; 0 if no image is annotated. Can be differentiated twice.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> maps, masks = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[False, True]]])  # one image of 1 x 2 px
    >>> l1_guidance_loss(maps, masks)
    tensor(0.1667)
    """
    positive, inside = _positive_and_inside("l1_guidance_loss", maps, masks)
    peak = positive.amax(1, keepdim=True)
    normalised = positive / torch.where(peak == 0, 1, peak)
    return _mean_of_annotated((normalised - inside).abs().mean(1), inside)


def _positive_and_inside(name: str, maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """E+ and B as rows (N, H * W) of one data type."""
    planes, boxes = (tensor.squeeze(1) if tensor.ndim == 4 else tensor for tensor in (maps, masks))
    if planes.ndim != 3 or planes.shape != boxes.shape:
        raise ValueError(
            f"{name} needs maps and masks (N, H, W) or (N, 1, H, W) of one size, "
            f"got {tuple(maps.shape)} and {tuple(masks.shape)}."
        )
    positive = at_least_float32(planes).flatten(1).relu()
    return positive, (boxes != 0).flatten(1).to(positive.dtype)


def _mean_of_annotated(losses: Tensor, inside: Tensor) -> Tensor:
    annotated = inside.any(1)
    return (losses * annotated).sum() / annotated.sum().clamp(min=1)
