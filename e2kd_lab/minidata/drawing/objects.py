"""Drawn pictures of things of one class amid clutter.

A class shows in its shape alone: colours, patterns, light, pose and surroundings have one distribution for all classes,
and things of no class lie behind and in front.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from e2kd_lab.minidata.drawing.household import HOUSEHOLD_SHAPES
from e2kd_lab.minidata.drawing.object_parts import Part
from e2kd_lab.minidata.drawing.outdoor import OUTDOOR_SHAPES
from e2kd_lab.minidata.drawing.outlines import FloatArray, arc, curve, disc, moved, path, ring, scaled, tube
from e2kd_lab.minidata.drawing.painting import Colour, axes, noise, over, rgb

SUPERSAMPLING = 3
# The order is the order of the labels.
SHAPES = dict(sorted({**HOUSEHOLD_SHAPES, **OUTDOOR_SHAPES}.items()))


class _Style(NamedTuple):
    """How the parts of a picture are painted; one style for the thing and for the clutter around it."""

    line: float  # width of the outlines in sizes of the picture
    inner: bool  # whether every part has an outline or the silhouette alone
    dark_line: bool
    relief: float


def _clouds(size: int, knots: int, rng: np.random.Generator) -> FloatArray:
    return noise(size, knots, knots, rng)


def _pattern(size: int, rng: np.random.Generator) -> FloatArray:
    """Texture [size, size] of about unit spread: clouds, stripes, checks or dots."""
    kind = int(rng.integers(4))
    if kind == 0:
        return _clouds(size, int(rng.integers(3, 7)), rng) + 0.7 * _clouds(size, int(rng.integers(9, 20)), rng)
    x, y = axes(size)
    angle, waves, shift = rng.uniform((0, 4, 0), (math.pi, 9, 6.3)).tolist()
    cos, sin = 2 * math.pi * waves * math.cos(angle), 2 * math.pi * waves * math.sin(angle)
    along = cos * x + (sin * y + shift)
    if kind == 1:
        return np.sin(along + 0.8 * _clouds(size, 4, rng))
    weave = np.sin(along) * np.sin(cos * y - (sin * x + shift))
    return np.clip(6 * weave, -1, 1) if kind == 2 else 2.5 * np.clip(2.5 * weave - 0.8, -0.3, 1)


def _background(size: int, hue: float, rng: np.random.Generator) -> FloatArray:
    """Two textures in two colours each [size, size, 3] in 0..1, parted by a smooth border."""
    border = np.clip(4 * (_clouds(size, 3, rng) + np.float32(rng.uniform(-1, 1))) + 0.5, 0, 1)
    sides = []
    value = rng.uniform(0.3, 0.85)
    for _ in range(2):
        shift, second, saturation, step, depth = rng.uniform(
            (-0.1, -0.1, 0.1, -0.08, 0.02), (0.1, 0.1, 0.6, 0.08, 0.08)
        ).tolist()
        first = np.array(rgb(hue + shift, saturation, value + step), np.float32) / 255
        other = np.array(rgb(hue + shift + second, saturation, (value + step) * (1 - depth)), np.float32) / 255
        weight = np.clip(0.5 + 0.4 * _pattern(size, rng), 0, 1)
        sides.append(first + (other - first) * weight[..., None])
    return sides[0] + border[..., None] * (sides[1] - sides[0])


def _odd(rng: np.random.Generator) -> FloatArray:
    """Outline of a thing of no class, within about 1 of the origin."""
    kind = int(rng.integers(6))
    if kind == 0:
        angle = np.sort(rng.uniform(0, 2 * np.pi, 7))
        return curve(np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(0.5, 1.1, (7, 1)))
    if kind == 1:
        return disc(0, 0, 0.8, float(rng.uniform(0.4, 1)))
    if kind == 2:
        return np.asarray(rng.uniform(-1, 1, (int(rng.integers(3, 5)), 2)), np.float32)
    if kind == 3:
        return tube(path(rng.uniform(-1.2, 1.2, (4, 2))), float(rng.uniform(0.06, 0.2)))
    if kind == 4:
        return ring(0, 0, (0.9, float(rng.uniform(0.5, 0.9))), float(rng.uniform(0.12, 0.3)))
    return np.concatenate([arc(0, 0, (1, 0.8), 0, np.pi), np.zeros((1, 2), np.float32)])


def _main_colours(hue: float, behind: Colour, apart: float, rng: np.random.Generator) -> dict[str, Colour]:
    """Main colour, the first of a few draws that is far enough in 0..255 from the colour behind, and its outlines'."""
    best, best_distance = (0.0, 0.0, 0.0), -1.0
    for shift, saturation, value in rng.uniform((-0.35, 0.05, 0.15), (0.35, 0.9, 1.0), (8, 3)).tolist():
        distance = math.dist(rgb(hue + shift, saturation, value), behind)
        if distance > best_distance:
            best, best_distance = (hue + shift, saturation, value), distance
        if distance > apart:
            break
    main, saturation, value = best
    return {
        "main": rgb(*best),
        "line": rgb(main, saturation * 0.8, value * 0.22),
        "pale line": rgb(main, 0.12, 0.96),
    }


def _other_colours(hue: float, rng: np.random.Generator) -> dict[str, Colour]:
    """Colours of the other paints, around a hue."""
    draws = rng.uniform(
        ((-0.4, 0.1, 0.25), (-0.5, 0.1, 0.25), (-0.3, 0.2, 0.08), (-0.3, 0.02, 0.85)),
        ((0.4, 0.9, 1.0), (0.5, 0.9, 1.0), (0.3, 0.6, 0.28), (0.3, 0.2, 1.0)),
    ).tolist()
    paints = ("second", "third", "dark", "light")
    return {paint: rgb(hue + shift, *rest) for paint, (shift, *rest) in zip(paints, draws, strict=True)}


def _posed(parts: list[Part], size: int, rng: np.random.Generator) -> tuple[list[Part], FloatArray, float]:
    """Parts turned, mirrored, slanted, scaled and placed in a picture of `size` pixels, y downwards; centre; side."""
    angle = float(np.clip(rng.normal(0, 0.22), -0.52, 0.52))
    slant, squeeze = rng.uniform(-0.15, 0.15, 2).tolist()
    facing = 1 if rng.random() < 0.5 else -1
    cos, sin = math.cos(angle), math.sin(angle)
    wide, tall = facing * math.exp(squeeze), -math.exp(-squeeze)
    # Stretched, then slanted, then turned.
    matrix = np.array([[cos * wide, (cos * slant - sin) * tall], [sin * wide, (sin * slant + cos) * tall]], np.float32)
    everything = np.concatenate([part.outline for part in parts]) @ matrix.T
    low, high = everything.min(0), everything.max(0)
    extent = high - low
    longest = float(extent.max())
    # Between the longest side and the mean side: slim things stay in the frame and do not vanish.
    across = 0.65 * longest + 0.35 * math.sqrt(float(extent.prod()))
    scale = min(float(rng.uniform(0.66, 0.92)) / across, 0.98 / longest) * size
    # A little of the thing may leave the frame.
    corner = (size - extent * scale) * rng.uniform(0, 1, 2) + rng.uniform(-0.05, 0.05, 2) * size
    placed = np.split(
        everything * scale + (corner - low * scale), np.cumsum([len(part.outline) for part in parts])[:-1]
    )
    centre = corner + extent * scale / 2
    return [Part(outline, part.paint) for outline, part in zip(placed, parts, strict=True)], centre, longest * scale


def _paint_over(
    below: FloatArray, groups: list[tuple[list[Part], dict[str, Colour]]], style: _Style, pattern: FloatArray | float
) -> FloatArray:
    """Groups of parts in pixels, one over another, with their soft shadow over a picture [size, size, 3] in 0..1."""
    size = len(below)
    canvas = size * SUPERSAMPLING
    picture = Image.new("RGBX", (canvas, canvas), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(2 * style.line * canvas))
    for parts, colours in groups:
        line = (*colours["line" if style.dark_line else "pale line"], 255)
        corners = [(part.outline * SUPERSAMPLING).ravel().tolist() for part in parts]
        if not style.inner:
            for outline in corners:
                draw.line(outline + outline[:2], fill=line, width=width)
        for part, outline in zip(parts, corners, strict=True):
            if style.inner:
                draw.line(outline + outline[:2], fill=line, width=width)
            draw.polygon(outline, fill=(*colours[part.paint], 255))
    return over(below, picture, relief=style.relief, step=max(1, size // 28), pattern=pattern)[0]


def draw_object(name: str, size: int, rng: np.random.Generator) -> Image.Image:
    """Draw one thing amid clutter.

    Parameters
    ----------
    name
        One of `SHAPES`.
    size
        Side of the square picture in pixels, at least 16.
    rng
        Source of shape, pose, colours and surroundings; the same state gives the same picture.

    Returns
    -------
    PIL.Image.Image
        The picture (RGB), size x size pixels.
    """
    hue = float(rng.uniform(0, 1))
    style = _Style(
        line=float(rng.choice([0.006, 0.009, 0.013])),
        inner=bool(rng.random() < 0.5),
        dark_line=bool(rng.random() < 0.85),
        relief=float(rng.uniform(0.3, 1.1)),
    )
    picture = _background(size, hue, rng)
    red, green, blue = np.rint(255 * picture.mean((0, 1))).astype(int).tolist()
    mean = red, green, blue
    parts, centre, side = _posed(SHAPES[name](rng), size, rng)

    def oddment(place: FloatArray, scale: float) -> tuple[list[Part], dict[str, Colour]]:
        outline = moved(scaled(_odd(rng), scale), *place.tolist())
        return [Part(outline, "main")], _main_colours(hue + rng.uniform(-0.3, 0.3), mean, 30, rng)

    behind = [oddment(*spot) for spot in _spots(size, rng)]
    picture = _paint_over(picture, behind, style, 0.0)
    front = [(parts, _main_colours(hue, mean, 130, rng) | _other_colours(hue, rng))]
    if rng.random() < 0.3:
        # Near the rim of the thing, so that it hides a part and not the middle.
        angle = rng.uniform(0, 2 * math.pi)
        place = centre + np.array([math.cos(angle), math.sin(angle)]) * side * rng.uniform(0.3, 0.5)
        front.append(oddment(place, rng.uniform(0.07, 0.15) * side))
    picture = _paint_over(picture, front, style, np.float32(rng.uniform(0, 0.1)) * _pattern(size, rng))
    x, y = axes(size)
    right, down, contrast, level, grain = rng.uniform(
        (-0.3, -0.3, 0.8, -0.08, 0.0), (0.3, 0.3, 1.1, 0.08, 0.025)
    ).tolist()
    light = contrast * (1 + right * (x - 0.5) + down * (y - 0.5))
    flat = 0.5 + level - 0.5 * contrast + grain * rng.standard_normal((size, size), dtype=np.float32)
    picture = picture * light[..., None] + flat[..., None]
    return Image.fromarray((255 * np.clip(picture, 0, 1) + 0.5).astype(np.uint8))


def _spots(size: int, rng: np.random.Generator) -> list[tuple[FloatArray, float]]:
    """Places and sizes in pixels of the things that lie behind."""
    rows = rng.uniform((0, 0, 0.05), (1, 1, 0.14), (int(rng.integers(1, 5)), 3)) * size
    return [(row[:2], float(row[2])) for row in rows]
