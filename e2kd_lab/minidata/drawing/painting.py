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


def over(
    below: FloatArray, painted: Image.Image, *, relief: float, step: int, pattern: FloatArray | float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Blend what was painted over a picture, lit from the upper left and with a soft shadow.

    Parameters
    ----------
    below
        The picture [size, size, 3] in 0..1.
    painted
        In mode RGBX, supersampled. The fourth channel is the mask: unlike alpha, it is not divided out when the picture
        is reduced.
    relief
        Strength of the light.
    step
        Offset of light and shadow in pixels.
    pattern
        Added to the light, [size, size].

    Returns
    -------
    tuple
        The picture [size, size, 3] and the mask [size, size], both in 0..1.
    """
    size = len(below)
    small = np.asarray(painted.reduce(painted.width // size), np.float32) / 255
    colour, mask = small[..., :3], small[..., 3]
    # The blurred mask minus its copy, moved down and right, is a relief lit from the upper left.
    soft = np.asarray(Image.fromarray(mask).resize((size // 4, size // 4), Image.Resampling.BOX).resize((size, size)))
    fallen = np.roll(soft, (step, step), (0, 1))
    light = 1 + relief * (soft - fallen) + pattern
    lit = np.minimum(colour * light[..., None], mask[..., None])
    return lit + below * ((1 - 0.35 * fallen) * (1 - mask))[..., None], mask
