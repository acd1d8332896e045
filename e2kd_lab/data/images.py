"""Image files, decoded by Pillow: upright, RGB, 8 bits a channel, with an error that names the file."""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from torch import from_numpy
from torchvision import tv_tensors

from e2kd_lab.data.findings import note_repairs
from e2kd_lab.data.high_range import StoredRange, as_eight_bits, is_high_range, of_sixteen_bits, range_of
from e2kd_lab.data.orientation import orientation_of, turned, turned_size
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.paths import readable

Result = TypeVar("Result")
# Formats that Pillow decodes itself. For some others it would start other programs.
_FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000", "AVIF", "PPM", "TGA", "ICO", "DIB", "PCX", "SGI", "QOI"),
)
# Above this, Pillow warns of decompression bombs: small files that fill the memory.
_MOST_PIXELS = 89_000_000
DIGEST_BYTES = 16
# What decoders raise for damaged data: OSError ("image file is truncated"), SyntaxError for PNG chunks, MemoryError for
# a chunk that claims gigabytes, the others where a field has an impossible value.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, MemoryError, ArithmeticError, LookupError, TypeError, RuntimeError),
    *(struct.error, AssertionError, AttributeError, PILImage.DecompressionBombError),
)


@dataclass(frozen=True)
class Picture:
    """A decoded image file.

    Attributes
    ----------
    pixels : ndarray
        uint8, (H, W, 3), or (H, W) of a mask; upright.
    orientation : int
        EXIF orientation in which the file stores it, 1 to 8.
    repairs : tuple of str
        What was done to read it, besides decoding.
    """

    pixels: np.ndarray
    orientation: int = 1
    repairs: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height in pixels, as the file stores it."""
        return turned_size(*self.size, self.orientation)

    def image(self) -> tv_tensors.Image:
        """As uint8 (3, H, W)."""
        return tv_tensors.Image(from_numpy(self.pixels).permute(2, 0, 1).contiguous())

    def view(self) -> tv_tensors.Image:
        """As `image`, but without a copy: each pixel's channels stay side by side, and crops of it take less time."""
        return tv_tensors.Image(from_numpy(self.pixels).permute(2, 0, 1))


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
    """Decode an image file to RGB, upright; a `LabNote` says once what kinds of repairs there were.

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
    picture = read_picture(path)
    note_repairs(picture.repairs)
    return picture.image()


def view_image(path: Path) -> tv_tensors.Image:
    """Decode an image file as `read_image` does, without the copy that its layout costs (see `Picture.view`)."""
    picture = read_picture(path)
    note_repairs(picture.repairs)
    return picture.view()


def read_picture(path: Path) -> Picture:
    """Decode an image file as `read_image` does, and return what was repaired."""
    with opened(path) as image:
        stored = range_of(image)
        return picture_of(*upright(image), stored)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels as a file stores them; pixels are not decoded."""
    with opened(path) as image:
        size: tuple[int, int] = image.size
        return size


def content_digest(path: Path) -> bytes:
    """Digest of an image file's bytes.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    with readable(path, DataError):
        return hashlib.blake2b(path.read_bytes(), digest_size=DIGEST_BYTES).digest()


def as_image(picture: PILImage.Image) -> tv_tensors.Image:
    """A PIL image as RGB, in the form of `read_image`; it stays turned as it is."""
    decoded = picture_of(picture)
    note_repairs(decoded.repairs)
    return decoded.image()


def read_all(read: Callable[[Any], Result], items: Iterable[Any]) -> Iterator[Result]:
    """Results of a reader of every item, called in threads; raises the first error in the order of the items."""
    with ThreadPoolExecutor() as pool:
        yield from pool.map(read, items)


def repairs_of_all(paths: Iterable[Path]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Decode every image file; the path of each, and what was repaired."""
    return read_all(lambda path: (path, read_picture(path).repairs), paths)


@contextmanager
def opened(path: Path) -> Iterator[PILImage.Image]:
    """An image file, opened and not yet decoded; errors inside the block are those of a damaged file.

    Raises
    ------
    DataError
        If the file is missing, too large, damaged or not an image.
    """
    try:
        with PILImage.open(path, formats=_formats()) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                most = f"{_MOST_PIXELS / 1e6:.0f} million"
                raise DataError(f"Image {path} has {width}x{height} pixels; expected at most {most}.")
            yield image
    except FileNotFoundError:
        raise DataError(f"Image {path} is not there.") from None
    except UnidentifiedImageError as error:
        raise DataError(f"Image {path} is not an image that can be decoded; expected JPEG or PNG.") from error
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"Image {path} is truncated or damaged and cannot be decoded: {reason}.") from error


def upright(image: PILImage.Image) -> tuple[PILImage.Image, int]:
    """Decode an image and turn it upright; also the orientation in which it was stored."""
    tiff_orientation = orientation_of(image) if image.format == "TIFF" else 1
    image.load()  # which itself turns TIFF
    if image.mode == "P" and image.palette is None:
        raise ValueError("its palette is not there")
    left = orientation_of(image)
    return turned(image, left), max(tiff_orientation, left)


def picture_of(image: PILImage.Image, orientation: int = 1, stored: StoredRange | None = None) -> Picture:
    """A decoded image, upright, as RGB; it was stored in an orientation, and in a range that its file may state."""
    repairs = ["turned upright by their EXIF orientation"] if orientation > 1 else []
    stored = range_of(image) if stored is None else stored
    if is_high_range(image):
        grey, how = as_eight_bits(np.asarray(image), stored)
        return Picture(np.repeat(grey[..., None], 3, axis=2), orientation, (*repairs, how))
    repairs += ["converted from CMYK, without a colour profile"] if image.mode == "CMYK" else []
    repairs += ["read without their transparency"] if _is_transparent(image) else []
    # A copy, because torch does not support the read-only arrays over Pillow's buffer; `convert` would be another.
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    repairs += [of_sixteen_bits(pixels)] if stored.sixteen else []
    return Picture(pixels, orientation, tuple(repairs))


def _is_transparent(image: PILImage.Image) -> bool:
    if not image.has_transparency_data:
        return False
    least = image.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(least, int) and least < 255
