"""Land and water textures. A place shows in its texture alone, never in its colour."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from e2kd_lab.minidata.drawing.outlines import FloatArray
from e2kd_lab.minidata.drawing.painting import axes

# Tone and accent [size, size] of a texture in any range: how light it is, and where its second colour shows.
Field = tuple[FloatArray, FloatArray | NDArray[np.bool_]]


def _noise(size: int, columns: float, rows: float, rng: np.random.Generator) -> FloatArray:
    """Smooth noise [size, size] of unit variance at its knots, drawn in double precision."""
    knots = rng.standard_normal((max(2, round(rows)), max(2, round(columns)))).astype(np.float32)
    return np.asarray(Image.fromarray(knots).resize((size, size), Image.Resampling.BICUBIC))


def _strokes(size: int, outlines: list[FloatArray], tones: list[float]) -> FloatArray:
    """Polygons given in 0..1 painted one over another with their tones in 0..1 on 0 [size, size]."""
    canvas = size * 2
    picture = Image.new("L", (canvas, canvas))
    draw = ImageDraw.Draw(picture)
    for outline, tone in zip(outlines, tones, strict=True):
        draw.polygon((outline * canvas).ravel().tolist(), fill=round(255 * tone))
    return np.asarray(picture.reduce(2), np.float32) / 255


def _trunks(size: int, rng: np.random.Generator) -> Field:
    """Tree trunks with bark in front of a thicket."""
    x, y = axes(size)
    tone = 0.5 * _noise(size, 9, 9, rng) + 0.4 * _noise(size, 22, 22, rng)
    accent = np.zeros_like(tone)
    bark = 0.5 * _noise(size, 30, 6, rng)
    count = int(rng.integers(5, 9))
    for place in (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count:
        width, tilt, light = rng.uniform(0.022, 0.055), rng.normal(0, 0.05), rng.uniform(-1.6, 0.6)
        across = (x - place - tilt * (y - 0.5)) / width
        inside = np.clip((1 - np.abs(across)) * width * size + 0.5, 0, 1)
        tone += inside * (light - 0.9 * across + bark - tone)
        accent += inside * (1 - accent)
    return tone, accent


def _foliage(size: int, rng: np.random.Generator) -> Field:
    """Leaves in layers, the dark ones behind."""
    count = 110
    length, slope = rng.uniform(0.07, 0.11), rng.uniform(0, np.pi)
    centre = rng.uniform(-0.03, 1.03, (count, 1, 2))
    angle = slope + rng.normal(0, 0.7, count)
    along = np.stack([np.cos(angle), np.sin(angle)], 1)[:, None] * length * rng.uniform(0.6, 1.2, (count, 1, 1))
    across = along[..., ::-1] * np.array([-0.38, 0.38])
    leaves = np.concatenate([centre - along, centre + across, centre + along, centre - across], 1)
    tones = np.linspace(0.1, 1, count) * rng.uniform(0.75, 1, count)
    tone = _strokes(size, list(leaves), tones.tolist())
    return 4 * tone + 0.3 * _noise(size, 6, 6, rng), _noise(size, 5, 5, rng) > 0.6


def _grass(size: int, rng: np.random.Generator) -> Field:
    """Reeds and blades of grass from the far ones on the top to the near ones on the bottom."""
    count = 100
    foot = np.stack([rng.uniform(-0.05, 1.05, count), np.linspace(0.25, 1.2, count)], 1)
    height = rng.uniform(0.25, 0.5, count)
    lean, half = rng.normal(0, 0.07, count), rng.uniform(0.008, 0.018, count)
    tip = foot + np.stack([lean, -height], 1)
    middle = foot + np.stack([0.3 * lean, -0.55 * height], 1)
    side = np.stack([half, np.zeros(count)], 1)
    blades = np.stack([foot - side, middle - side, tip, middle + side, foot + side], 1)
    tone = _strokes(size, list(blades), rng.uniform(0.1, 1, count).tolist())
    return 3.5 * tone + 0.3 * _noise(size, 8, 3, rng), _noise(size, 20, 3, rng) > 0.6


def _ripples(size: int, rng: np.random.Generator) -> Field:
    """Wavy horizontal bands, closer together far away."""
    _, y = axes(size)
    depth = y ** rng.uniform(0.75, 1.0)
    bend = 1.1 * _noise(size, rng.uniform(4, 7), 5, rng)
    bands = np.sin(2 * np.pi * rng.uniform(6, 10) * depth + bend + rng.uniform(0, 6.3))
    fine = np.sin(2 * np.pi * rng.uniform(12, 16) * depth + 1.5 * bend)
    return bands + 0.4 * fine + 0.9 * _noise(size, 4, 16, rng), _noise(size, 2, 9, rng) > 0.5


def _glints(size: int, rng: np.random.Generator) -> Field:
    """Short horizontal lights and shadows on a calm swell."""
    count = 100
    y = rng.uniform(0, 1, count) ** 0.9
    centre = np.stack([rng.uniform(-0.05, 1.05, count), y], 1)[:, None]
    length = rng.uniform(0.05, 0.13, count) * (0.6 + 0.8 * y)
    thick = rng.uniform(0.008, 0.014, count) * (0.6 + 0.8 * y)
    bow = np.stack([length, np.zeros(count)], 1)[:, None]
    rise = np.stack([np.zeros(count), thick], 1)[:, None]
    lenses = np.concatenate(
        [centre - bow, centre - 0.3 * bow - rise, centre + 0.4 * bow - rise, centre + bow, centre + rise], 1
    )
    tone = _strokes(size, list(lenses), rng.uniform(0.3, 1, count).tolist())
    swell = _noise(size, 3, 10, rng)
    return 3.5 * tone + 0.4 * swell, swell > 0.7


def _waves(size: int, rng: np.random.Generator) -> Field:
    """Rows of scalloped waves with light crests."""
    x, y = axes(size)
    rows = rng.uniform(5.5, 8)
    depth = rows * y ** rng.uniform(0.8, 1.0) + 0.25 * _noise(size, 4, 4, rng) + rng.uniform(0, 1)
    shift = rng.uniform(0, 6.3, 24)[np.floor(depth).astype(int) % 24]
    crest = depth + 0.28 * np.sin(2 * np.pi * rng.uniform(2, 3.5) * x + shift)
    phase = crest - np.floor(crest)
    light = np.exp(-4 * phase) + np.exp(-14 * (1 - phase))
    return 2 * light - phase + 0.3 * _noise(size, 4, 16, rng), _noise(size, 3, 8, rng) > 0.5


Texture = Callable[[int, np.random.Generator], Field]
LAND_TEXTURES: dict[str, Texture] = {"trunks": _trunks, "foliage": _foliage, "grass": _grass}
WATER_TEXTURES: dict[str, Texture] = {"ripples": _ripples, "glints": _glints, "waves": _waves}


def paint_place(texture: Texture, size: int, rng: np.random.Generator, turn: float = 0.0) -> FloatArray:
    """Texture in random colours [size, size, 3] in 0..1, their hues turned afterwards.

    Tone and accent are normalised to one mean and spread before colouring, so that mean colour and contrast of a
    picture do not reveal its texture.
    """
    hue, saturation, value = rng.uniform((0.16, 0.15, 0.44), (0.64, 0.5, 0.68))
    hue += turn
    second, contrast = hue + rng.uniform(-0.16, 0.16), rng.uniform(0.08, 0.13)
    tone, accent = texture(size, rng)
    _, y = axes(size)
    tone = (tone - tone.mean()) / max(float(tone.std()), 1e-6) + rng.uniform(-0.6, 0.6) * (y - 0.5)
    weight = np.asarray(accent, np.float32)
    weight = 0.4 + 0.25 * np.clip((weight - weight.mean()) / max(float(weight.std()), 1e-6), -1.6, 2.4)
    first_colour = np.array(colorsys.hsv_to_rgb(hue % 1, saturation, 1), np.float32)
    second_colour = np.array(colorsys.hsv_to_rgb(second % 1, saturation, 1), np.float32)
    colour = first_colour + weight[..., None] * (second_colour - first_colour)
    light = value + contrast * np.clip(tone, -2.2, 2.2)
    return np.asarray(np.clip(colour * light[..., None], 0, 1), np.float32)
