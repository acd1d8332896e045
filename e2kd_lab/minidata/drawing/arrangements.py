"""Drawn pictures of several things on a ground, with the box of each thing's visible part.

The class of a thing shows in its shape; many things have a colour that is usual for their class, but not all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from e2kd_lab.minidata.drawing.companions import COMPANIONS
from e2kd_lab.minidata.drawing.grounds import paint_ground
from e2kd_lab.minidata.drawing.object_parts import Part
from e2kd_lab.minidata.drawing.objects import SHAPES
from e2kd_lab.minidata.drawing.outlines import FloatArray
from e2kd_lab.minidata.drawing.painting import Colour, axes, over, rgb

SUPERSAMPLING = 3
# Longest side of a thing in sizes of the picture, by the number of things.
_SIDES = {1: (0.44, 0.78), 2: (0.36, 0.58), 3: (0.31, 0.46)}
_COMPANION_SIDE = (0.22, 0.34)
# A pixel belongs to a thing that covers at least this share of it.
_VISIBLE = 0.25
# Usual hues; things not listed have any hue.
_HUES: dict[str, tuple[float, ...]] = {
    "boat": (0.0, 0.6),
    "butterfly": (0.08, 0.8),
    "cactus": (0.33,),
    "car": (0.0, 0.62, 0.14),
    "fish": (0.06,),
    "guitar": (0.07,),
    "house": (0.04, 0.12),
    "mug": (0.5,),
    "mushroom": (0.0, 0.08),
    "umbrella": (0.72, 0.9),
    "bubbles": (0.5,),
    "fir": (0.38,),
    "flower": (0.92, 0.14, 0.75),
}


class Seen(NamedTuple):
    """The visible part of a thing; its box is left, top, right, bottom in pixels from zero, the last two exclusive."""

    name: str
    box: tuple[int, int, int, int]
    truncated: bool  # more than 5 % of it is cut by the frame
    occluded: bool  # more than 5 % of it is hidden by another thing


class Thing(NamedTuple):
    """Parts in pixels, y downwards, with their colours, and the place they fill."""

    name: str
    parts: list[Part]
    colours: dict[str, Colour]
    low: FloatArray
    high: FloatArray

    def moved(self, by: FloatArray) -> Thing:
        """The thing elsewhere, by x and y in pixels."""
        parts = [Part(part.outline + by, part.paint) for part in self.parts]
        return self._replace(parts=parts, low=self.low + by, high=self.high + by)

    def scaled(self, factor: float) -> Thing:
        """The thing larger or smaller, about its middle."""
        middle = (self.low + self.high) / 2
        parts = [Part((part.outline - middle) * factor + middle, part.paint) for part in self.parts]
        low, high = ((corner - middle) * factor + middle for corner in (self.low, self.high))
        return self._replace(parts=parts, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Things on a ground, not painted yet.

    Attributes
    ----------
    ground : array
        Picture of the ground [size, size, 3] in 0..1.
    things, beside : tuple of Thing
        Things with a box, the nearest last, and their companions.
    line, relief : float
        Width of outlines in sizes of the picture, and strength of the light on things.
    light, flat : array
        What the painted picture is multiplied with, and what is added to it then, [size, size].
    """

    ground: FloatArray
    things: tuple[Thing, ...]
    beside: tuple[Thing, ...]
    line: float
    relief: float
    light: FloatArray
    flat: FloatArray

    def paint(self) -> tuple[Image.Image, list[FloatArray]]:
        """The picture (RGB), and the mask of each thing [size, size] in 0..1, as if it hid all others."""
        picture = self.ground
        for thing in self.beside:
            picture, _ = _paint_over(picture, thing, self.line, self.relief)
        masks = []
        for thing in self.things:
            picture, mask = _paint_over(picture, thing, self.line, self.relief)
            masks.append(mask)
        picture = picture * self.light[..., None] + self.flat[..., None]
        return Image.fromarray((255 * np.clip(picture, 0, 1) + 0.5).astype(np.uint8)), masks

    def seen(self, masks: Sequence[FloatArray]) -> list[Seen]:
        """What can be seen of each thing, by the masks of `paint`."""
        seen: list[Seen] = []
        uncovered: FloatArray = np.ones(self.light.shape, np.float32)
        for thing, mask in zip(self.things[::-1], masks[::-1], strict=True):
            seen.insert(0, _seen(thing, mask * uncovered, mask))
            uncovered = uncovered * (1 - mask)
        return seen


def arrange(
    things: Sequence[str], companions: Sequence[str], ground: str, size: int, rng: np.random.Generator
) -> Arrangement:
    """Place one to three things on a ground.

    Parameters
    ----------
    things
        One to three of `e2kd_lab.minidata.drawing.objects.SHAPES`.
    companions
        Some of `e2kd_lab.minidata.drawing.companions.COMPANIONS`: beside the things, outside their boxes, where there
        is room.
    ground
        One of `e2kd_lab.minidata.drawing.grounds.GROUNDS`.
    size
        Side of the square picture in pixels, at least 32.
    rng
        Source of shapes, poses, colours and places; the same state gives the same picture.
    """
    picture = paint_ground(ground, size, rng)
    placed: list[Thing] = []
    for name in things:
        side = float(rng.uniform(*_SIDES[len(things)]))
        placed.append(_place(name, SHAPES[name](rng), side * size, placed, picture, rng))
    beside: list[Thing] = []
    for name in companions:
        side = float(rng.uniform(*_COMPANION_SIDE))
        thing = _place(name, COMPANIONS[name](rng), side * size, placed + beside, picture, rng)
        if _overlap(thing.low, thing.high, placed) == 0:
            beside.append(thing)
    line, relief = float(rng.choice([0.008, 0.012])), float(rng.uniform(0.4, 0.9))
    x, y = axes(size)
    right, down, contrast, level, grain = rng.uniform(
        (-0.25, -0.25, 0.85, -0.05, 0.0), (0.25, 0.25, 1.1, 0.06, 0.02)
    ).tolist()
    light = contrast * (1 + right * (x - 0.5) + down * (y - 0.5))
    flat = 0.5 + level - 0.5 * contrast + grain * rng.standard_normal((size, size), dtype=np.float32)
    return Arrangement(
        ground=picture,
        things=tuple(placed),
        beside=tuple(beside),
        line=line,
        relief=relief,
        light=light,
        flat=flat,
    )


def thing_of(name: str, side: float, ground: FloatArray, rng: np.random.Generator) -> Thing:
    """A thing on a ground [size, size, 3], alone; its longest side in pixels."""
    return _place(name, SHAPES[name](rng), side, [], ground, rng)


def _place(
    name: str, parts: list[Part], side: float, others: list[Thing], picture: FloatArray, rng: np.random.Generator
) -> Thing:
    """A thing turned, mirrored and scaled, where it hides others least; it shrinks where there is little room."""
    size = len(picture)
    angle = float(np.clip(rng.normal(0, 0.15), -0.4, 0.4))
    facing, squeeze = float(rng.choice([-1.0, 1.0])), float(rng.uniform(-0.1, 0.1))
    cos, sin = math.cos(angle), math.sin(angle)
    wide, tall = facing * math.exp(squeeze), -math.exp(-squeeze)
    matrix = np.array([[cos * wide, -sin * tall], [sin * wide, cos * tall]], np.float32)
    everything = np.concatenate([part.outline for part in parts]) @ matrix.T
    least = everything.min(0)
    extent = everything.max(0) - least
    leave = 0.1 if name in SHAPES and rng.random() < 0.25 else -0.01
    best, best_overlap = (1.0, np.zeros(2, np.float32)), math.inf
    for attempt in range(60):
        scale = side / float(extent.max()) * (1 - 0.5 * attempt / 60)
        out = leave * extent * scale
        corner = rng.uniform(-out, size - extent * scale + out).astype(np.float32)
        overlap = _overlap(corner, corner + extent * scale, others)
        if overlap < best_overlap:
            best, best_overlap = (scale, corner), overlap
        if overlap <= (0.04 if name in SHAPES else 0):
            break
    scale, corner = best
    cuts = np.cumsum([len(part.outline) for part in parts])[:-1]
    outlines = np.split((everything - least) * scale + corner, cuts)
    high = corner + extent * scale
    left, top = np.clip(corner.astype(int), 0, size - 1)
    right, bottom = np.clip(high.astype(int) + 1, 1, size)
    behind = picture[top:bottom, left:right].mean((0, 1))
    colours = _colours(name, behind, rng)
    moved = [Part(outline, part.paint) for outline, part in zip(outlines, parts, strict=True)]
    return Thing(name, moved, colours, corner, high)


def _overlap(low: FloatArray, high: FloatArray, others: list[Thing]) -> float:
    """Largest share of the smaller of two places that lies in the other, over all others."""
    largest = 0.0
    for other in others:
        common = np.minimum(high, other.high) - np.maximum(low, other.low)
        if common.min() > 0:
            smaller = min(float((high - low).prod()), float((other.high - other.low).prod()))
            largest = max(largest, float(common.prod()) / smaller)
    return largest


def _colours(name: str, behind: FloatArray, rng: np.random.Generator) -> dict[str, Colour]:
    """Colour of each paint; the main one is the first of a few draws that contrasts with the colour behind [3]."""
    usual = _HUES.get(name)
    best, best_distance = (0.0, 0.0, 0.0), -1.0
    for anything, hue, shift, saturation, value in rng.uniform(
        (0, 0, -0.04, 0.35, 0.3), (1, 1, 0.04, 0.95, 1.0), (8, 5)
    ).tolist():
        if usual is not None and anything < 0.8:
            hue = usual[int(hue * len(usual))] + shift
        if name == "notes":
            value *= 0.3
        distance = math.dist(rgb(hue, saturation, value), (255 * behind).tolist())
        if distance > best_distance:
            best, best_distance = (hue, saturation, value), distance
        if distance > 120:
            break
    hue, saturation, value = best
    draws = rng.uniform(
        ((-0.4, 0.1, 0.25), (-0.5, 0.2, 0.4), (-0.3, 0.2, 0.1), (-0.3, 0.02, 0.88)),
        ((0.4, 0.8, 0.9), (0.5, 0.9, 1.0), (0.3, 0.6, 0.25), (0.3, 0.15, 1.0)),
    ).tolist()
    paints = ("second", "third", "dark", "light")
    colours = {paint: rgb(hue + shift, *rest) for paint, (shift, *rest) in zip(paints, draws, strict=True)}
    return colours | {"main": rgb(*best), "line": rgb(hue, saturation * 0.8, value * 0.22)}


def _paint_over(below: FloatArray, thing: Thing, line: float, relief: float) -> tuple[FloatArray, FloatArray]:
    """A thing with its soft shadow over a picture [size, size, 3] in 0..1, and its mask [size, size]."""
    size = len(below)
    canvas = size * SUPERSAMPLING
    picture = Image.new("RGBX", (canvas, canvas), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    width = max(2, round(2 * line * canvas))
    corners = [(part.outline * SUPERSAMPLING).ravel().tolist() for part in thing.parts]
    for outline in corners:
        draw.line(outline + outline[:2], fill=(*thing.colours["line"], 255), width=width)
    for part, outline in zip(thing.parts, corners, strict=True):
        draw.polygon(outline, fill=(*thing.colours[part.paint], 255))
    return over(below, picture, relief=relief, step=max(1, size // 32))


def _seen(thing: Thing, visible: FloatArray, whole: FloatArray) -> Seen:
    columns, rows = (np.flatnonzero((visible >= _VISIBLE).any(axis)) for axis in (0, 1))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    inside = np.minimum(thing.high, len(whole)) - np.maximum(thing.low, 0)
    cut = 1 - float(inside.prod() / (thing.high - thing.low).prod())
    hidden = 1 - float(visible.sum() / whole.sum())
    return Seen(thing.name, box, cut > 0.05, hidden > 0.05)
