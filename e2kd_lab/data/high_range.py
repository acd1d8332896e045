"""Greyscale pictures of more than 8 bits, scaled by the range that their files state, else by that of their type."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image as PILImage

from e2kd_lab.data.png_chunks import png_chunks

_LARGEST = {8: 2**8 - 1, 16: 2**16 - 1, 32: 2**32 - 1}
_LARGEST_OF_MASKS = (*(2**bits - 1 for bits in range(8, 17)), 2**32 - 1)
# TIFF tags: bits of each value, whether 0 is black (1) or white (0), and the largest value.
_BITS, _PHOTOMETRIC, _MOST = 258, 262, 281
# With 12 bits, which many cameras and microscopes have, values end here.
_DARK = 2**12 - 1
_SIXTEEN = "scaled from 16 bits to 8 bits"
_AND_DARK = (
    f"{_SIXTEEN}, and dark (no value is above {_DARK}; pictures of 12 bits must state it, by MaxSampleValue {_DARK} of "
    "TIFF or sBIT of greyscale PNG, or be scaled to 16)"
)


@dataclass(frozen=True)
class StoredRange:
    """What a file says about its values.

    Attributes
    ----------
    sixteen : bool
        They are stored in 16 bits.
    bits : int
        Bits of the largest value, from 9 to 16; 0 if the file does not state them.
    perhaps_scaled : bool
        Values of these bits may be scaled to 16, as PNG asks of its writers.
    inverted : bool
        0 is white.
    """

    sixteen: bool = False
    bits: int = 0
    perhaps_scaled: bool = False
    inverted: bool = False


def is_high_range(image: PILImage.Image) -> bool:
    """Whether Pillow has more than 8 bits a channel for it."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def range_of(image: PILImage.Image) -> StoredRange:
    """What an image file that is open, and not yet decoded, says about its values.

    TIFF states bits by BitsPerSample, or by a MaxSampleValue of 2^bits - 1: another one is merely the largest value in
    the picture. PNG states them by the chunk sBIT. Values of PGM are scaled to 16 bits by Pillow.
    """
    # The name in which Pillow stores pixels, such as RGB;16B: it takes colours of 16 bits to 8 itself.
    sixteen = ";16" in image.mode or ";16" in str(getattr(image, "tile", [])[:1])
    if not is_high_range(image):
        return StoredRange(sixteen)
    if image.format == "PPM" and image.mode == "I":
        return StoredRange(True, 16)
    if image.format == "TIFF" and image.mode.startswith("I;16"):
        tags = image.tag_v2  # type: ignore[attr-defined]
        return StoredRange(True, _bits_in_tiff(tags), inverted=tags.get(_PHOTOMETRIC) == 0)
    if image.format == "PNG":
        return StoredRange(sixteen, _bits_in_png(image.filename), perhaps_scaled=True)  # type: ignore[attr-defined]
    return StoredRange(sixteen)


def as_eight_bits(
    values: np.ndarray, stored: StoredRange = StoredRange(), *, mask: bool = False
) -> tuple[np.ndarray, str]:
    """Scale whole or floating-point values to 0..255.

    Parameters
    ----------
    values : ndarray
        Whole numbers from 0, or floating-point ones: in [0, 1], or in one of the ranges of 8, 16 and 32 bits.
    stored : StoredRange
        What their file says. Values of 16 bits are scaled by that range however dark the picture is, but by the range
        of fewer bits where the file states them.
    mask : bool
        A mask's largest value is that of an object, so that the smallest range that holds it is meant; 0 and 1 as well.

    Returns
    -------
    scaled : ndarray
        uint8, of the same shape.
    how : str
        What was done, in words.

    Raises
    ------
    ValueError
        If a value is negative or not finite.

    Examples
    --------
    >>> as_eight_bits(np.array([0, 32768, 65535], dtype=np.uint16), StoredRange(sixteen=True))
    (array([  0, 128, 255], dtype=uint8), 'scaled from 16 bits to 8 bits')
    >>> as_eight_bits(np.array([0, 2048, 4095], dtype=np.uint16), StoredRange(sixteen=True, bits=12))
    (array([  0, 128, 255], dtype=uint8), 'scaled from 12 bits to 8 bits, as their files say')
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high) and low >= 0):
        raise ValueError(f"it has values from {low:g} to {high:g}; expected finite numbers from 0")
    full, how = _full_range(values, high, stored, mask)
    if stored.inverted and not mask:
        values = full - values.astype(np.float32)
    if full == _LARGEST[8]:
        return values.astype(np.uint8), how
    return (values.astype(np.float32) * (255 / full)).round().astype(np.uint8), how


def of_sixteen_bits(colours: np.ndarray) -> str:
    """The repair in words of colours of 16 bits, of which Pillow keeps the upper 8 bits."""
    return _AND_DARK if colours.max() <= _DARK >> 8 else _SIXTEEN


def _full_range(values: np.ndarray, high: float, stored: StoredRange, mask: bool) -> tuple[float, str]:
    """The value of white, and the repair in words."""
    if not mask and 8 < stored.bits < 16 and _is_not_scaled(values, high, stored):
        return 2**stored.bits - 1, f"scaled from {stored.bits} bits to 8 bits, as their files say"
    if not mask and stored.sixteen:
        dark = high <= _DARK and not stored.bits
        return _LARGEST[16], _AND_DARK if dark else _SIXTEEN
    how = "scaled from a high range to 8 bits"
    if high <= 1 and (mask or values.dtype.kind == "f"):
        return 1, how
    ranges = _LARGEST_OF_MASKS if mask else _LARGEST.values()
    return next(largest for largest in (*ranges, high) if high <= largest), how


def _is_not_scaled(values: np.ndarray, high: float, stored: StoredRange) -> bool:
    """Whether values end where the stated bits do. Scaled ones end in zeros, or in copies of their highest bits."""
    below = 2 ** (16 - stored.bits)
    ends_in_zeros = stored.perhaps_scaled and not (values.astype(np.int64) % below).any()
    return high < 2**stored.bits and not ends_in_zeros


def _bits_in_tiff(tags: object) -> int:
    bits = _first(tags.get(_BITS))  # type: ignore[attr-defined]
    most = _first(tags.get(_MOST))  # type: ignore[attr-defined]
    stated = (most + 1).bit_length() - 1
    if 8 < stated <= 16 and most == 2**stated - 1:
        return stated
    return bits if 8 < bits < 16 else 0


def _bits_in_png(path: str) -> int:
    with suppress(OSError):  # a PNG that was opened from memory has no file
        for name, body in png_chunks(path):
            if name == b"sBIT" and body:
                return body[0] if 8 < body[0] <= 16 else 0
            if name == b"IDAT":  # which sBIT precedes
                break
    return 0


def _first(value: object) -> int:
    """The first number of a tag; 0 if there is none."""
    number = value[0] if isinstance(value, tuple) and value else value
    return number if isinstance(number, int) and number > 0 else 0
