"""Pictures of more than 8 bits a channel, scaled by the range of their type."""

from __future__ import annotations

import numpy as np

_LARGEST = {8: 2**8 - 1, 16: 2**16 - 1, 32: 2**32 - 1}


def as_eight_bits(values: np.ndarray, *, sixteen: bool = False, mask: bool = False) -> np.ndarray:
    """Scale whole or floating-point values to 0..255.

    Parameters
    ----------
    values : ndarray
        Whole numbers from 0, or floating-point ones: in [0, 1], or in one of the ranges of 8, 16 and 32 bits.
    sixteen : bool
        The file says that values have 16 bits, so that even a dark picture is scaled by this range.
    mask : bool
        A mask's largest value is that of an object, so that the smallest range that holds it is meant; 0 and 1 as well.

    Returns
    -------
    ndarray
        uint8, of the same shape.

    Raises
    ------
    ValueError
        If a value is negative or not finite.

    Examples
    --------
    >>> as_eight_bits(np.array([0, 32768, 65535], dtype=np.uint16), sixteen=True)
    array([  0, 128, 255], dtype=uint8)
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high) and low >= 0):
        raise ValueError(f"it has values from {low:g} to {high:g}; expected finite numbers from 0")
    full: float
    if high <= 1 and (mask or values.dtype.kind == "f"):
        full = 1
    elif sixteen and not mask:
        full = _LARGEST[16]
    else:
        full = next(largest for largest in (*_LARGEST.values(), high) if high <= largest)
    if full == _LARGEST[8]:
        return values.astype(np.uint8)
    return (values.astype(np.float32) * (255 / full)).round().astype(np.uint8)
