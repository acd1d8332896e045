"""Insertion and deletion curves (RISE; Petsiuk et al., BMVC 2018): do the pixels ranked first decide the prediction?

All images and steps of a curve pass the network in batches of a bounded number of pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

# Maximum pixels that pass the network at once: on the CPU, where larger batches leave the cache, and elsewhere.
_PIXELS_AT_ONCE = {"cpu": 2**18}
_PIXELS_AT_ONCE_ELSEWHERE = 2**23


def insertion_curve(
    logits_of: Callable[[Tensor], Tensor], images: Tensor, maps: Tensor, classes: Tensor, *, steps: int = 32
) -> Tensor:
    """Probability of the explained class while pixels are inserted into a blurred image, the most important first.

    Parameters
    ----------
    logits_of : callable
        From images (n, 3, H, W) in [0, 1] to logits (n, K), in evaluation mode.
    images : Tensor
        (N, 3, H, W), in [0, 1].
    maps : Tensor
        Their explanations, (N, H, W) or (N, 1, H, W); larger is more important. Ties are in random order.
    classes : Tensor
        Explained classes, (N,); the measure is about the network's own predictions.
    steps : int
        Equal steps from none of the pixels to all of them, >= 1.

    Returns
    -------
    Tensor
        Probabilities (N, steps + 1), in [0, 1]; NaN where the map has a NaN. `area_under` gives the score.

    Raises
    ------
    ValueError
        If the shapes do not fit or there is no step.

    Examples
    --------
    >>> def bright(images):  # logits of a dark and of a bright class
    ...     return torch.stack([torch.zeros(len(images)), images.mean((1, 2, 3)) * 4], dim=1)
    >>> images = torch.rand(2, 3, 8, 8)
    >>> insertion_curve(bright, images, images.mean(1), torch.tensor([1, 1]), steps=4).shape
    torch.Size([2, 5])
    """
    return _curve("insertion_curve", logits_of, blurred(images), images, maps, classes, steps)


def deletion_curve(
    logits_of: Callable[[Tensor], Tensor],
    images: Tensor,
    maps: Tensor,
    classes: Tensor,
    *,
    steps: int = 32,
    least_first: bool = False,
) -> Tensor:
    """Probability of the explained class while pixels are replaced by the mean colour, the most important first.

    Parameters
    ----------
    logits_of, images, maps, classes, steps
        See `insertion_curve`.
    least_first : bool
        Delete the least important pixels first, as in the B-cos papers; a faithful map's curve then stays high.

    Returns
    -------
    Tensor
        Probabilities (N, steps + 1), from all pixels to none of them; see `insertion_curve`.

    Raises
    ------
    ValueError
        See `insertion_curve`.

    Examples
    --------
    >>> def bright(images):
    ...     return torch.stack([torch.zeros(len(images)), images.mean((1, 2, 3)) * 4], dim=1)
    >>> images = torch.rand(2, 3, 8, 8)
    >>> deletion_curve(bright, images, images.mean(1), torch.tensor([1, 1]), steps=4).shape
    torch.Size([2, 5])
    """
    return _curve(
        "deletion_curve", logits_of, images, _mean_colour(images), -maps if least_first else maps, classes, steps
    )


def insert_pixels(images: Tensor, maps: Tensor, share: float) -> Tensor:
    """Blurred images with the most important pixels of the images themselves: what `insertion_curve` shows a network.

    Parameters
    ----------
    images, maps
        See `insertion_curve`.
    share : float
        Share of the pixels that are inserted, in [0, 1].

    Returns
    -------
    Tensor
        (N, 3, H, W).

    Examples
    --------
    >>> images = torch.rand(2, 3, 8, 8)
    >>> insert_pixels(images, images.mean(1), share=1.0).equal(images)
    True
    """
    return _mixed(blurred(images), images, maps, share)


def delete_pixels(images: Tensor, maps: Tensor, share: float) -> Tensor:
    """Images whose most important pixels have the mean colour: what `deletion_curve` shows a network.

    Parameters
    ----------
    images, maps
        See `insertion_curve`.
    share : float
        Share of the pixels that are deleted, in [0, 1].

    Returns
    -------
    Tensor
        (N, 3, H, W).

    Examples
    --------
    >>> images = torch.rand(2, 3, 8, 8)
    >>> delete_pixels(images, images.mean(1), share=0.0).equal(images)
    True
    """
    return _mixed(images, _mean_colour(images), maps, share)


def area_under(curves: Tensor) -> Tensor:
    """Area under curves of equal steps over a range of 1, by trapezoids.

    Parameters
    ----------
    curves : Tensor
        (N, steps + 1).

    Returns
    -------
    Tensor
        (N,), in the range of the curves.

    Examples
    --------
    >>> area_under(torch.tensor([[0.0, 0.5, 1.0]]))
    tensor([0.5000])
    """
    return torch.trapezoid(curves, dx=1 / (curves.shape[1] - 1))


def blurred(images: Tensor) -> Tensor:
    """Images without details: Gaussian blur with a standard deviation of a sixteenth of the shorter side.

    Parameters
    ----------
    images : Tensor
        (N, C, H, W).

    Examples
    --------
    >>> blurred(torch.ones(1, 3, 32, 32)).shape
    torch.Size([1, 3, 32, 32])
    """
    side = min(images.shape[2:])
    return F.gaussian_blur(images, [2 * (side // 8) + 1] * 2, [max(side / 16, 0.1)] * 2)


def _curve(
    name: str,
    logits_of: Callable[[Tensor], Tensor],
    before: Tensor,
    after: Tensor,
    maps: Tensor,
    classes: Tensor,
    steps: int,
) -> Tensor:
    """Probabilities (N, steps + 1) while pixels of ``before`` become those of ``after``, in the order of the maps."""
    planes = maps.detach().squeeze(1) if maps.ndim == 4 else maps.detach()
    if planes.shape != (len(before), *before.shape[2:]) or classes.shape != planes.shape[:1] or steps < 1:
        raise ValueError(
            f"{name} needs images (N, 3, H, W), maps (N, H, W), classes (N,) and steps >= 1, got "
            f"{tuple(before.shape)}, {tuple(maps.shape)}, {tuple(classes.shape)} and steps = {steps}."
        )
    count, pixels = len(planes), planes.shape[1] * planes.shape[2]
    places = _places(planes.flatten(1)).view(count, 1, 1, *planes.shape[1:])  # (N, 1, 1, H, W)
    changed = torch.linspace(0, pixels, steps + 1).round().int().to(places.device).view(-1, 1, 1, 1)  # by step
    at_once = max(1, _PIXELS_AT_ONCE.get(before.device.type, _PIXELS_AT_ONCE_ELSEWHERE) // pixels)
    values = []
    with torch.no_grad():
        for images in torch.arange(count).split(max(1, at_once // (steps + 1))):
            some = slice(int(images[0]), int(images[-1]) + 1)
            for numbers in changed.split(at_once):
                mixed = torch.where(places[some] < numbers, after[some, None], before[some, None])  # (n, s, 3, H, W)
                probabilities = logits_of(mixed.flatten(0, 1)).softmax(1).unflatten(0, (len(images), -1))
                explained = classes[some].view(-1, 1, 1).expand(-1, len(numbers), 1)
                values.append(probabilities.gather(2, explained).flatten())
    curves = torch.cat(values).view(count, steps + 1)
    return curves.masked_fill(planes.flatten(1).isnan().any(1, keepdim=True), torch.nan)


def _mean_colour(images: Tensor) -> Tensor:
    return images.mean(dim=(2, 3), keepdim=True).expand_as(images)


def _mixed(before: Tensor, after: Tensor, maps: Tensor, share: float) -> Tensor:
    """Images in which a share of the pixels, the most important first, are those of ``after``."""
    places = _places(maps.detach().flatten(1)).view(len(before), 1, *before.shape[2:])
    return torch.where(places < round(share * before.shape[2:].numel()), after, before)


def _places(rows: Tensor) -> Tensor:
    """Place of each pixel in the order of falling importance, (N, H * W); ties in a fixed random order."""
    shuffle = torch.randperm(rows.shape[1], generator=torch.Generator().manual_seed(0)).to(rows.device)
    order = shuffle[rows[:, shuffle].argsort(dim=1, descending=True, stable=True)]
    numbers = torch.arange(rows.shape[1], device=rows.device, dtype=torch.int32).expand_as(order)
    return torch.empty(order.shape, dtype=torch.int32, device=rows.device).scatter_(1, order, numbers)
