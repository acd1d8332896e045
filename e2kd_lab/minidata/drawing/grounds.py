"""Grounds that things lie on; some have a usual colour, so that they look natural."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from e2kd_lab.minidata.drawing.outlines import FloatArray
from e2kd_lab.minidata.drawing.painting import axes, noise, rgb
from e2kd_lab.minidata.drawing.places import LAND_TEXTURES, WATER_TEXTURES, Texture


class Ground(NamedTuple):
    """Texture of a ground and its usual hue; any hue if None."""

    texture: Texture
    hue: float | None = None


def _water(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    return _one_of(WATER_TEXTURES["ripples"], WATER_TEXTURES["waves"], size, rng)


def _foliage(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    return _one_of(LAND_TEXTURES["foliage"], LAND_TEXTURES["grass"], size, rng)


def _one_of(first: Texture, second: Texture, size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    tone, accent = (first if rng.random() < 0.5 else second)(size, rng)
    return tone, np.asarray(accent, np.float32)


def _sand(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Dunes: sharp-crested slanting ridges that bend and fork, and grains."""
    x, y = axes(size)
    slant, rows = rng.uniform(-0.5, 0.5), rng.uniform(5, 9)
    phase = rows * (y + slant * x) + 0.35 * noise(size, 4, 4, rng) + 0.12 * noise(size, 9, 9, rng)
    ridge = phase - np.floor(phase)
    grains = rng.standard_normal((size, size), dtype=np.float32)
    return 1.6 * np.minimum(ridge, 4 * (1 - ridge)) + 0.35 * grains, noise(size, 3, 3, rng)


def _planks(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Boards side by side with their grain, seams and butt joints; they run across or upright."""
    x, y = axes(size)
    along, across = (x, y) if rng.random() < 0.6 else (y, x)
    boards, shift = rng.uniform(4, 6.5), rng.uniform(0, 1)
    place = across * boards + shift
    row = np.floor(place).astype(int)
    own = rng.uniform(-1, 1, 12)[row % 12]
    grain_along, grain_across = 3, int(rng.integers(26, 40))
    columns, rows = (grain_along, grain_across) if along is x else (grain_across, grain_along)
    grain = 0.55 * noise(size, columns, rows, rng)
    joint = rng.uniform(0, 1, 12)[row % 12]
    seam = np.minimum(place - row, 1 - (place - row)) / boards
    end = np.abs(along - joint)
    dark = 2.6 * np.exp(-((seam / 0.008) ** 2)) + 2.2 * np.exp(-((end / 0.007) ** 2))
    return own + grain - dark, np.broadcast_to(own, (size, size)).astype(np.float32)


def _plaster(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Soft stains on a wall."""
    tone = noise(size, 4, 4, rng) + 0.5 * noise(size, 11, 11, rng) + 0.3 * noise(size, 25, 25, rng)
    return 0.6 * tone, noise(size, 3, 3, rng)


def _cloth(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Checked or striped cloth."""
    x, y = axes(size)
    angle, waves, shift = rng.uniform((0, 2.5, 0), (math.pi, 5, 6.3)).tolist()
    cos, sin = 2 * math.pi * waves * math.cos(angle), 2 * math.pi * waves * math.sin(angle)
    bend = 0.3 * noise(size, 3, 3, rng)
    stripes = np.clip(3 * np.sin(cos * x + sin * y + shift + bend), -1, 1)
    if rng.random() < 0.5:
        stripes = 0.5 * (stripes + np.clip(3 * np.sin(cos * y - sin * x + shift + bend), -1, 1))
    return stripes, stripes


def _tiles(size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Bricks or tiles with joints."""
    x, y = axes(size)
    rows, wide, stagger = rng.uniform(5, 8), rng.uniform(1.0, 2.2), float(rng.choice([0.0, 0.5]))
    up = y * rows + rng.uniform(0, 1)
    row = np.floor(up).astype(int)
    right = x * rows / wide + stagger * (row % 2) + rng.uniform(0, 1)
    column = np.floor(right).astype(int)
    own = rng.uniform(-1, 1, (13, 13))[row % 13, column % 13]
    joint = np.minimum.reduce(
        [
            np.broadcast_to(np.minimum(up - row, 1 - (up - row)) / rows, (size, size)),
            np.minimum(right - column, 1 - (right - column)) * wide / rows,
        ]
    )
    light = float(rng.choice([-2.0, 2.0]))
    return 0.7 * own + light * np.exp(-((joint / 0.012) ** 2)), np.asarray(own, np.float32)


GROUNDS: dict[str, Ground] = {
    "cloth": Ground(_cloth),
    "foliage": Ground(_foliage, 0.3),
    "planks": Ground(_planks, 0.075),
    "plaster": Ground(_plaster),
    "sand": Ground(_sand, 0.11),
    "tiles": Ground(_tiles),
    "water": Ground(_water, 0.55),
}


def paint_ground(name: str, size: int, rng: np.random.Generator) -> FloatArray:
    """Paint a ground.

    Parameters
    ----------
    name
        One of `GROUNDS`.
    size
        Side of the square picture in pixels, at least 16.
    rng
        Source of texture and colours; the same state gives the same picture.

    Returns
    -------
    array
        Picture [size, size, 3] in 0..1.
    """
    ground = GROUNDS[name]
    usual, saturation, value, contrast, second = rng.uniform((0, 0.15, 0.5, 0.1, -0.1), (1, 0.5, 0.85, 0.16, 0.1))
    hue = (
        float(rng.uniform(0, 1)) if ground.hue is None or usual > 0.8 else ground.hue + float(rng.uniform(-0.06, 0.06))
    )
    tone, accent = ground.texture(size, rng)
    tone = (tone - tone.mean()) / max(float(tone.std()), 1e-6)
    accent = np.clip(0.5 + 0.3 * (accent - accent.mean()) / max(float(accent.std()), 1e-6), 0, 1)
    colours = [np.array(rgb(h, saturation, 1.0), np.float32) / 255 for h in (hue, hue + second)]
    colour = colours[0] + accent[..., None] * (colours[1] - colours[0])
    light = value + contrast * np.clip(tone, -2.2, 2.2)
    return np.asarray(np.clip(colour * light[..., None], 0, 1), np.float32)
