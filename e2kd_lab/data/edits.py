"""Edits of any picture: move, scale, cover a box, another background, another picture mixed in."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as F

from e2kd_lab.data.scenes import Amount, Change, Choice, Drawn, Span, Values

NOTHING, BLURRED, GREY = "nothing", "blurred", "grey"
Cover = Literal["nothing", "blurred", "grey"]
_PERCENT: dict[str, Any] = {"low": 0.0, "high": 100.0, "step": 1.0, "value": 0.0}


def moved(image: Tensor, right: float, down: float, scale: float = 1.0) -> Tensor:
    """Move and scale a picture about its middle; its border is repeated.

    Parameters
    ----------
    image : Tensor
        (C, H, W), floating point.
    right, down : float
        In pixels.
    scale : float
        > 1 is larger.

    Examples
    --------
    >>> moved(torch.eye(4)[None], right=1, down=0)[0].int().tolist()
    [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    """
    if not right and not down and scale == 1:
        return image
    height, width = image.shape[1:]
    matrix = torch.tensor([[1 / scale, 0, -2 * right / width / scale], [0, 1 / scale, -2 * down / height / scale]])
    grid = functional.affine_grid(matrix[None].to(image), [1, *image.shape], align_corners=False)
    return functional.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]


def covered(image: Tensor, across: Sequence[float], down: Sequence[float], how: Cover) -> Tensor:
    """Blur a box of a picture, or paint it in the picture's mean colour.

    Parameters
    ----------
    image : Tensor
        (3, H, W), floating point.
    across, down : (float, float)
        Left and right end, top and bottom of the box, in percent of the picture.
    how : str
        ``nothing``, ``blurred`` or ``grey``.

    Examples
    --------
    >>> covered(torch.eye(2).expand(3, 2, 2), (0, 50), (0, 100), "grey")[0].tolist()
    [[0.5, 0.0], [0.5, 1.0]]
    """
    if how == NOTHING:
        return image
    height, width = image.shape[1:]
    left, right = (round(width * end / 100) for end in across)
    top, bottom = (round(height * end / 100) for end in down)
    if how == BLURRED:
        side = _odd(min(height, width) / 2)
        cover = F.gaussian_blur(image, [side, side], [side / 4, side / 4])
    else:
        cover = image.mean((1, 2), keepdim=True).expand_as(image)
    result = image.clone()
    result[:, top:bottom, left:right] = cover[:, top:bottom, left:right]
    return result


def background_of(image: Tensor, mask: Tensor | None) -> Tensor:
    """A picture whose object is filled with what is around it.

    Parameters
    ----------
    image : Tensor
        (3, H, W), floating point.
    mask : Tensor or None
        Soft mask of the object, (1, H, W) in [0, 1]; None if there is nothing to fill.

    Examples
    --------
    >>> bird = torch.zeros(1, 9, 9); bird[0, 4, 4] = 1
    >>> background_of(0.5 + 0.5 * bird.expand(3, 9, 9), bird).unique().tolist()
    [0.5]
    """
    if mask is None or not bool(mask.any()):
        return image
    # Soft edges belong to the object, too.
    around = 1 - functional.max_pool2d((mask > 0).to(image)[None], 3, 1, 1)[0]
    if not bool(around.any()):
        return image.mean((1, 2), keepdim=True).expand_as(image).clone()
    filled, known = image * around, around
    size = 3
    while not bool((known > 0).all()):
        known_sum = functional.avg_pool2d(known[None], size, 1, size // 2)[0]
        mean = functional.avg_pool2d(filled[None], size, 1, size // 2)[0] / known_sum.clamp_min(1e-6)
        new = (known == 0) & (known_sum > 0)
        filled, known = torch.where(new, mean, filled), torch.where(new, torch.ones_like(known), known)
    return filled


class Edits:
    """What can be changed in any picture.

    Parameters
    ----------
    size : (int, int)
        Height and width of the picture in pixels.
    has_mask : bool
        Whether the mask of the picture's object is known.
    other : Drawn, optional
        Another picture of that size, floating point in [0, 1], for background and mixing.

    Examples
    --------
    >>> edits = Edits((8, 8))
    >>> [change.name for change in edits.changes]
    ['moved_right', 'moved_down', 'scale', 'box', 'box_across', 'box_down']
    """

    def __init__(self, size: tuple[int, int], *, has_mask: bool = False, other: Drawn | None = None) -> None:
        self.size, self.has_mask, self.other = size, has_mask, other

    @property
    def changes(self) -> tuple[Change, ...]:
        """Changes by the names that `apply` takes."""
        height, width = self.size
        pixels: dict[str, Any] = {"step": 1.0, "value": 0.0}
        changes: list[Change] = [
            Amount(name="moved_right", title="Move right", low=-width // 2, high=width // 2, about="pixels", **pixels),
            Amount(name="moved_down", title="Move down", low=-height // 2, high=height // 2, about="pixels", **pixels),
            Amount(name="scale", title="Scale", low=50.0, high=200.0, step=5.0, value=100.0, about="percent"),
            Choice(name="box", title="Box", options=(NOTHING, BLURRED, GREY), value=NOTHING, about="What covers it"),
            Span(name="box_across", title="Box, across", about="percent of the width"),
            Span(name="box_down", title="Box, down", about="percent of the height"),
        ]
        if self.other is not None and self.has_mask:
            about = "percent of the other picture's background behind this object"
            changes.append(Amount(name="background", title="Background", about=about, **_PERCENT))
        if self.other is not None:
            changes.append(Amount(name="mix", title="Mix", about="percent of the other picture", **_PERCENT))
        return tuple(changes)

    def apply(self, drawn: Drawn, values: Values) -> Tensor:
        """A picture after its changes.

        Parameters
        ----------
        drawn : Drawn
            Image and mask, floating point in [0, 1], (3, H, W) and (1, H, W).
        values : mapping
            Values by name; what is left out stays as it is.

        Returns
        -------
        Tensor
            (3, H, W) in [0, 1].
        """
        values = {change.name: change.value for change in self.changes} | dict(values)
        image, mask = drawn.image, drawn.mask
        if self._background is not None and mask is not None and values.get("background"):
            image = torch.lerp(image, self._background, (1 - mask) * (values["background"] / 100))
        if self.other is not None and values.get("mix"):
            image = torch.lerp(image, self.other.image, values["mix"] / 100)
        image = moved(image, values["moved_right"], values["moved_down"], values["scale"] / 100)
        return covered(image, values["box_across"], values["box_down"], values["box"]).clamp(0, 1)

    @functools.cached_property
    def _background(self) -> Tensor | None:
        return None if self.other is None else background_of(*self.other)


def _odd(number: float) -> int:
    return 2 * max(1, int(number) // 2) + 1
