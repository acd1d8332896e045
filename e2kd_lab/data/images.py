"""Reading image files with PIL, and saying clearly when one cannot be read."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from torch import from_numpy
from torchvision import tv_tensors

from e2kd_lab.system.errors import DataError

# Formats of pictures that PIL decodes by itself. It knows more, among them some for which it starts other programs.
_FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF", "PPM", "TGA", "ICO", "DIB", "PCX", "SGI", "QOI"),
)
# Where PIL begins to warn of images that are small files but fill the memory.
_MOST_PIXELS = 89_000_000


@functools.cache
def picture_endings() -> frozenset[str]:
    """Endings of the names of files that `read_image` can read, such as ``.jpg``, in small letters."""
    kinds = (*_formats(), "MPO")  # the latter open as JPEG
    return frozenset(ending for ending, kind in PILImage.registered_extensions().items() if kind in kinds)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those that this Pillow was built with."""
    PILImage.init()
    return tuple(kind for kind in _FORMATS if kind in PILImage.OPEN)


def is_picture(path: Path) -> bool:
    """Whether a file's name ends as a picture's does."""
    return path.suffix.lower() in picture_endings()


def read_image(path: Path) -> tv_tensors.Image:
    """Decode an image file to RGB.

    Parameters
    ----------
    path : Path
        JPEG, PNG or another file that Pillow decodes by itself.

    Returns
    -------
    tv_tensors.Image
        uint8, (3, H, W).

    Raises
    ------
    DataError
        If the file is missing, truncated or no image.
    """
    return tv_tensors.Image(from_numpy(_decode(path, "RGB")).permute(2, 0, 1).contiguous())


def read_mask(path: Path) -> tv_tensors.Mask:
    """Decode a soft segmentation mask.

    Parameters
    ----------
    path : Path
        8-bit greyscale PNG, 0 outside to 255 inside the object.

    Returns
    -------
    tv_tensors.Mask
        uint8, (1, H, W).

    Raises
    ------
    DataError
        If the file is missing, truncated or no image.
    """
    return tv_tensors.Mask(from_numpy(_decode(path, "L"))[None])


def as_image(picture: PILImage.Image) -> tv_tensors.Image:
    """An open picture in RGB, as `read_image` gives it."""
    return tv_tensors.Image(from_numpy(_pixels(picture, "RGB")).permute(2, 0, 1).contiguous())


def _pixels(picture: PILImage.Image, mode: Literal["RGB", "L"]) -> np.ndarray:
    # A copy: arrays over PIL's own buffer are read-only, which torch does not know.
    return np.array(picture.convert(mode))


def _decode(path: Path, mode: Literal["RGB", "L"]) -> np.ndarray:
    try:
        with PILImage.open(path, formats=_formats()) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                most = f"{_MOST_PIXELS / 1e6:.0f} million"
                raise DataError(f"Image {path} has {width}x{height} pixels; expected at most {most}.")
            return _pixels(image, mode)
    except FileNotFoundError:
        raise DataError(f"Image {path} is not there.") from None
    except UnidentifiedImageError as error:
        raise DataError(f"Image {path} is no image that can be decoded; expected JPEG or PNG.") from error
    except (OSError, SyntaxError, ValueError, MemoryError, PILImage.DecompressionBombError) as error:
        # PIL reports damaged data as OSError ("image file is truncated") and damaged PNG chunks as SyntaxError; where a
        # chunk claims to be gigabytes long, it asks for them.
        reason = str(error) or type(error).__name__
        raise DataError(f"Image {path} is truncated or damaged and cannot be decoded: {reason}.") from error
