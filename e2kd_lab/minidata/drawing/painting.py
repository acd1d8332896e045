"""Colours and smooth noise for drawn pictures."""

from __future__ import annotations

import colorsys
from functools import lru_cache

import numpy as np
from PIL import Image

from e2kd_lab.minidata.drawing.outlines import FloatArray

Colour = tuple[int, int, int]


@lru_cache(maxsize=8)
def axes(size: int) -> tuple[FloatArray, FloatArray]:
    """Pixel centres x [1, size] and y [size, 1] in 0..1, y downwards."""
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    return centres[None, :], centres[:, None]


def noise(size: int, columns: int, rows: int, rng: np.random.Generator) -> FloatArray:
    """Smooth noise [size, size] of unit variance at its columns x rows knots."""
    values = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(Image.fromarray(values).resize((size, size), Image.Resampling.BICUBIC))


def rgb(hue: float, saturation: float, value: float) -> Colour:
    """Red, green and blue in 0..255 of any hue (1 is once round) and of saturation and value, clipped to 0..1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(255 * red), round(255 * green), round(255 * blue)
