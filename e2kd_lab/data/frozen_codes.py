"""Codes of maps: whole numbers in equal steps from zero, deflated. A map takes a seventh to an eighth of float16.

Names of codes are ``q2`` to ``q8``, with so many bits before they are deflated, and ``cos0.99`` and the like, with the
fewest steps that keep this cosine between a map and its code.

What was tried and does not pay, measured on B-cos networks: a block cosine transform needs more bits for the same
cosine than the map itself, as W(x) differs from pixel to pixel; the principal axes of the six channels save 5 %; and
zstd is larger than deflate unless it takes ten times as long.
"""

from __future__ import annotations

import re
import zlib

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.system.errors import DataError

CODE_NAMES = "q2 to q8, or cos0.8 to cos0.999"
_LEAST, _MOST = 0.8, 0.999
_STEPS = 2**15 - 1
# Bisections of the number of steps: to less than 1 %.
_ROUNDS = 12
# Level 6 takes half as long again for half a percent; the others are far larger.
_LEVEL, _WINDOW, _MEMORY = 5, 15, 9


def is_code(name: str) -> bool:
    """Whether a text names a code.

    Examples
    --------
    >>> [is_code(name) for name in ("q6", "cos0.99", "q9", "float16")]
    [True, True, False, False]
    """
    return re.fullmatch("q[2-8]", name) is not None or _cosine_of(name) is not None


def encoded(values: np.ndarray, code: str) -> bytes:
    """A map as its code.

    Parameters
    ----------
    values : ndarray
        float32 (C, H, W), finite.
    code : str
        See `is_code`.

    Returns
    -------
    bytes
        To be read by `decoded`.

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(size=(6, 32, 32)).astype(np.float32)
    >>> values.nbytes / len(encoded(values, "q6")) > 6
    True
    """
    largest = np.abs(values).max()
    if largest == 0:
        numbers = np.zeros_like(values)
    elif (cosine := _cosine_of(code)) is None:
        numbers = np.rint(values / largest * (2 ** (int(code[1:]) - 1) - 1))
    else:
        numbers = _coarsest(values / largest, cosine)
    # The channels of a pixel are alike, so that they lie side by side.
    numbers = numbers.transpose(1, 2, 0)
    if np.abs(numbers).max() < 2**7:
        content = numbers.astype(np.int8).tobytes()
    else:  # low bytes, then high ones
        content = numbers.astype("<i2").reshape(-1, 1).view(np.uint8).T.tobytes()
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_FILTERED)
    return deflate.compress(content) + deflate.flush()


def decoded(code: bytes, shape: tuple[int, int, int]) -> Tensor:
    """A map from its code.

    Parameters
    ----------
    code : bytes
        What `encoded` returned.
    shape : tuple of int
        Shape (C, H, W) of the map.

    Returns
    -------
    Tensor
        float32 (C, H, W), largest absolute value 1, or 0 throughout.

    Raises
    ------
    DataError
        If it is damaged.

    Examples
    --------
    >>> decoded(encoded(np.array([[[0.1, -0.4]]], dtype=np.float32), "q3"), (1, 1, 2))
    tensor([[[ 0.3333, -1.0000]]])
    """
    channels, height, width = shape
    count = channels * height * width
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(code, 2 * count + 1)
    except zlib.error as error:
        raise DataError(f"A code of a map is damaged: {error}.") from error
    if not inflate.eof or len(content) not in (count, 2 * count):
        raise DataError(f"A code of a map has another length; expected {count} or {2 * count} bytes, deflated.")
    if len(content) == count:
        numbers = np.frombuffer(content, np.int8)
    else:
        numbers = np.ascontiguousarray(np.frombuffer(content, np.uint8).reshape(2, count).T).view("<i2").reshape(-1)
    values = numbers.astype(np.float32)
    values /= max(1.0, float(values.max()), -float(values.min()))
    return torch.from_numpy(values.reshape(height, width, channels)).permute(2, 0, 1)


def _cosine_of(code: str) -> float | None:
    """The cosine that a code keeps; None for codes of a number of bits."""
    if re.fullmatch(r"cos0\.\d{1,6}", code) is None:
        return None
    cosine = float(code[3:])
    return cosine if _LEAST <= cosine <= _MOST and code == f"cos{cosine:g}" else None


def _coarsest(values: np.ndarray, cosine: float) -> np.ndarray:
    """Values up to 1 as whole numbers, in the fewest steps that keep a cosine."""
    flat = values.reshape(-1).astype(np.float64)
    norm = np.linalg.norm(flat)
    too_few, enough = 1.0, float(_STEPS)
    for _ in range(_ROUNDS):
        steps = (too_few * enough) ** 0.5
        numbers = np.rint(flat * steps)
        length = np.linalg.norm(numbers)
        if length > 0 and numbers @ flat >= cosine * length * norm:
            enough = steps
        else:
            too_few = steps
    return np.asarray(np.rint(values * enough))
