"""Image files, decoded by Pillow, with an error that names the file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from torch import from_numpy
from torchvision import tv_tensors

from e2kd_lab.system.errors import DataError

# Formats that Pillow decodes itself. For some others it would start other programs.
_FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF", "PPM", "TGA", "ICO", "DIB", "PCX", "SGI", "QOI"),
)
# Above this, Pillow warns of decompression bombs: small files that fill the memory.
_MOST_PIXELS = 89_000_000


@functools.cache
def image_extensions() -> frozenset[str]:
    """Extensions of files that `read_image` can read, such as ``.jpg``, in lower case."""
    kinds = (*_formats(), "MPO")  # which opens as JPEG
    return frozenset(extension for extension, kind in PILImage.registered_extensions().items() if kind in kinds)


@functools.cache
def _formats() -> tuple[str, ...]:
    """The formats that this build of Pillow supports."""
    PILImage.init()
    return tuple(kind for kind in _FORMATS if kind in PILImage.OPEN)


def is_image_file(path: Path) -> bool:
    """Whether a file's name has the extension of an image."""
    return path.suffix.lower() in image_extensions()


def read_image(path: Path) -> tv_tensors.Image:
    """Decode an image file to RGB.

    Parameters
    ----------
    path : Path
        JPEG, PNG or another format that Pillow decodes itself.

    Returns
    -------
    tv_tensors.Image
        uint8, (3, H, W).

    Raises
    ------
    DataError
        If the file is missing, damaged or not an image.
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
        If the file is missing, damaged or not an image.
    """
    return tv_tensors.Mask(from_numpy(_decode(path, "L"))[None])


def as_image(picture: PILImage.Image) -> tv_tensors.Image:
    """A PIL image as RGB, in the form of `read_image`."""
    return tv_tensors.Image(from_numpy(_pixels(picture, "RGB")).permute(2, 0, 1).contiguous())


def read_all(read: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call a reader on every item, in threads; raises the first error in the order of the items."""
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(read, items):
            pass


def _pixels(picture: PILImage.Image, mode: Literal["RGB", "L"]) -> np.ndarray:
    # A copy, because torch does not support the read-only arrays over Pillow's buffer.
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
        raise DataError(f"Image {path} is not an image that can be decoded; expected JPEG or PNG.") from error
    except (OSError, SyntaxError, ValueError, MemoryError, PILImage.DecompressionBombError) as error:
        # Pillow raises OSError ("image file is truncated") for damaged data, SyntaxError for damaged PNG chunks, and
        # MemoryError for a chunk that claims gigabytes.
        reason = str(error) or type(error).__name__
        raise DataError(f"Image {path} is truncated or damaged and cannot be decoded: {reason}.") from error
