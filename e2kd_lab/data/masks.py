"""Segmentation masks: greyscale, 0 and 1, palettes and 16 bits are brought to 0 outside and 255 inside an object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from torch import from_numpy
from torchvision import tv_tensors

from e2kd_lab.data.findings import note_repairs
from e2kd_lab.data.high_range import as_eight_bits, is_high_range
from e2kd_lab.data.images import Picture, opened, upright
from e2kd_lab.data.orientation import turned
from e2kd_lab.system.errors import DataError

# Above this value a pixel counts as inside.
INSIDE = 127
# Channels of grey pixels, and black ones, may differ by this much where a mask is a JPEG.
_GREY = 16
WITHOUT_OBJECT = f"masks without an object (no value above {INSIDE})"


def read_mask(path: Path, picture: Picture | None = None) -> tv_tensors.Mask:
    """Decode a soft segmentation mask; a `LabNote` says once what kinds of repairs there were.

    A greyscale mask has 0 outside to 255 inside the object. One with the values 0 and 1 alone is scaled, as is one of
    16 bits, by its range. Where a palette or a picture has colours, every index but 0, or every colour but black, is
    inside. Transparent pixels are outside, also where all pixels have one colour.

    Parameters
    ----------
    path : Path
        PNG or another format that Pillow decodes itself.
    picture : Picture, optional
        The mask's picture. A mask without an EXIF orientation of its own is turned as its picture is, unless its size
        says that it is upright already.

    Returns
    -------
    tv_tensors.Mask
        uint8, (1, H, W).

    Raises
    ------
    DataError
        If the file is missing, damaged or not an image, or not of its picture's size.
    """
    mask = decode_mask(path, picture)
    note_repairs(mask.repairs)
    return tv_tensors.Mask(from_numpy(mask.pixels)[None])


def decode_mask(path: Path, picture: Picture | None = None) -> Picture:
    """Decode a mask as `read_mask` does, and return what was repaired."""
    with opened(path) as image:
        shown, orientation = upright(image)
        repairs = ["masks turned upright by their EXIF orientation"] if orientation > 1 else []
        if orientation == 1 and picture is not None and picture.orientation > 1 and shown.size == picture.stored_size:
            shown = turned(shown, picture.orientation)
            repairs.append("masks turned as their pictures")
        pixels, how = _values(shown)
    if picture is not None and pixels.shape != picture.pixels.shape[:2]:
        (height, width), (wide, high) = pixels.shape, picture.size
        raise DataError(f"Mask {path} has {width}x{height} pixels; expected its image's {wide}x{high}.")
    return Picture(pixels, orientation, (*repairs, *how))


def is_empty(pixels: np.ndarray) -> bool:
    """Whether a soft mask has no pixel inside an object."""
    return not (pixels > INSIDE).any()


def _values(image: PILImage.Image) -> tuple[np.ndarray, list[str]]:
    pixels, how = _opaque_values(image)
    alpha = np.array(image.convert("RGBA").getchannel("A")) if image.has_transparency_data else None
    if alpha is None or not np.ptp(alpha):
        return pixels, how
    if not np.ptp(pixels):
        return alpha, ["masks in the transparency of one colour, every opaque pixel inside"]
    return (pixels * (alpha / 255)).round().astype(np.uint8), [*how, "masks with transparent pixels, which are outside"]


def _opaque_values(image: PILImage.Image) -> tuple[np.ndarray, list[str]]:
    if is_high_range(image):
        return as_eight_bits(np.asarray(image), mask=True)[0], ["masks scaled from 16 bits or another high range"]
    coloured = None if image.mode in ("1", "L", "LA") else np.array(image.convert("RGB"))
    if coloured is None or np.ptp(coloured, axis=2).max() <= _GREY:
        pixels = np.array(image.convert("L"))
        return (pixels * 255, ["masks with 0 and 1 scaled to 0 and 255"]) if pixels.max() == 1 else (pixels, [])
    if image.mode == "P":
        return (np.asarray(image) > 0).astype(np.uint8) * 255, ["masks with a palette, every index but 0 inside"]
    return (coloured.max(2) > _GREY).astype(np.uint8) * 255, ["masks with colours, every one but black inside"]
