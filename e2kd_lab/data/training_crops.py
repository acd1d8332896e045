"""Resized crops of image files: only the crop is converted, and JPEG files may be decoded at reduced size.

At a half, a quarter or an eighth of its size, a JPEG is decoded without its fine frequencies, which takes less time
than to decode all of it and scale down. Pixels differ a little from those of the whole picture, scaled down; where
fewer pixels are left than are asked for, the crop is blurred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from torch import from_numpy
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from e2kd_lab.data.fast_jpeg import decode_jpeg
from e2kd_lab.data.findings import note_repairs
from e2kd_lab.data.high_range import range_of
from e2kd_lab.data.images import opened, picture_of, upright
from e2kd_lab.data.orientation import orientation_of, turned_size

Box = tuple[int, int, int, int]
_FACTORS = (8, 4, 2)


@dataclass(frozen=True)
class Crop:
    """A resized crop of a picture.

    Attributes
    ----------
    image : tv_tensors.Image
        uint8 (3, height, width).
    box : tuple of int
        Top, left, height and width of the crop, in pixels of the whole picture; a multiple of the factor by which it
        was reduced.
    picture_size : tuple of int
        Height and width of the whole picture in pixels.
    """

    image: tv_tensors.Image
    box: Box
    picture_size: tuple[int, int]


def read_crop(path: Path, draw: Callable[[int, int], Box], size: tuple[int, int], least: float | None = None) -> Crop:
    """Decode a picture, crop and resize it.

    Parameters
    ----------
    path : Path
        Any image file; only an upright JPEG is decoded at reduced size.
    draw : callable
        Chooses a box (top, left, height, width) for a picture's height and width; called once.
    size : tuple of int
        Height and width of the result in pixels.
    least : float, optional
        Pixels of the crop that must be left on either side, as a multiple of the result's: with 1, no crop is enlarged
        that would not be anyway; with 0.5, at most twofold. None decodes all pixels.

    Raises
    ------
    DataError
        If the file is missing, damaged or not an image.
    """
    with opened(path) as image:
        stored, orientation = range_of(image), orientation_of(image)
        width, height = turned_size(*image.size, orientation)
        box = draw(height, width)
        if image.format == "JPEG" and image.mode == "RGB" and orientation == 1:
            factor = 1 if least is None else _factor(box, size, least)
            box, pixels = _of_jpeg(path, image, box, factor)
        else:
            picture = picture_of(*upright(image), stored)
            note_repairs(picture.repairs)
            pixels = _cut(picture.pixels, box)
    # Each pixel's channels stay side by side in memory, which is how resizing is fastest.
    cropped = tv_tensors.Image(from_numpy(pixels).permute(2, 0, 1))
    return Crop(F.resize(cropped, list(size), antialias=True), box, (height, width))


def _factor(box: Box, size: tuple[int, int], least: float) -> int:
    """The largest factor by which a picture may be reduced."""
    enough = (f for f in _FACTORS if box[2] >= least * f * size[0] and box[3] >= least * f * size[1])
    return next(enough, 1)


def _of_jpeg(path: Path, image: PILImage.Image, box: Box, factor: int) -> tuple[Box, np.ndarray]:
    """Pixels of a box of a JPEG, reduced by a factor, and the box, in whole pixels of the reduced picture."""
    width, height = (-(-side // factor) for side in image.size)
    part = _reduced(box, factor, height, width)
    top, left, high, wide = part
    pixels = decode_jpeg(path, height, width)
    if pixels is None:
        if factor > 1:
            image.draft("RGB", (image.width // factor, image.height // factor))
        image.load()
        found = np.array(image.crop((left, top, left + wide, top + high)))
    else:
        found = _cut(pixels, part)
    return (factor * top, factor * left, factor * high, factor * wide), found


def _reduced(box: Box, factor: int, height: int, width: int) -> Box:
    """A box in pixels of a reduced picture of a height and a width: rounded, inside it, and not empty."""
    top, left = (min(round(start / factor), side - 1) for start, side in zip(box[:2], (height, width), strict=True))
    bottom = min(max(round((box[0] + box[2]) / factor), top + 1), height)
    right = min(max(round((box[1] + box[3]) / factor), left + 1), width)
    return top, left, bottom - top, right - left


def _cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    top, left, high, wide = box
    return pixels[top : top + high, left : left + wide]
