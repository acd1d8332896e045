"""Man-made scenes, each drawn with much variety."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from e2kd_lab.minidata.drawing.outlines import FloatArray, box, disc, tube
from e2kd_lab.minidata.drawing.painting import Colour, axes
from e2kd_lab.minidata.drawing.scene_canvas import Canvas, backdrop, darker, tree, under, water


def _towers(canvas: Canvas, foot: float, low: float, high: float, colour: Colour, windows: Colour) -> None:
    x = -canvas.one(0.0, 0.1)
    while x < 1:
        wide, top = canvas.one(0.08, 0.2), foot - canvas.one(low, high)
        own = darker(colour, canvas.one(0.75, 1.05))
        canvas.shape(box(x, top, x + wide, foot), own)
        kind = int(canvas.rng.integers(4))
        if kind == 0:
            canvas.shape(np.array([[x, top], [x + wide / 2, top - wide * 0.6], [x + wide, top]], np.float32), own)
        elif kind == 1:
            canvas.shape(box(x + wide * 0.45, top - 0.1, x + wide * 0.55, top), own)
        columns, pitch = max(2, round(wide / 0.04)), canvas.one(0.04, 0.06)
        rows = np.arange(top + 0.03, foot - 0.02, pitch)
        lights = canvas.rng.random((len(rows), columns)) < 0.65
        for row, line in zip(rows.tolist(), lights, strict=True):
            for column in np.flatnonzero(line).tolist():
                left = x + wide * (column + 0.25) / columns
                canvas.shape(box(left, row, left + wide * 0.5 / columns, row + pitch * 0.5), windows)
        x += wide + max(0.0, canvas.one(-0.05, 0.04))


def draw_city(canvas: Canvas) -> None:
    """A skyline of towers with windows."""
    foot = float(canvas.rng.uniform(0.78, 1.02))
    canvas.sky(foot - 0.2)
    if canvas.chance(0.3):
        backdrop(canvas, foot - 0.15)
    hue, saturation, value = canvas.ground(0.6)
    bright = canvas.chance(0.5)
    windows = canvas.lit(canvas.rng.uniform(0.05, 0.2), 0.4, 1.1) if bright else canvas.lit(hue, 0.4, 0.2)
    for haze, low, high in ((0.6, 0.35, 0.75), (0.25, 0.25, 0.6), (0.0, 0.1, 0.4)):
        own = canvas.lit(hue + canvas.rng.uniform(-0.08, 0.08), saturation, value * (0.5 if bright else 0.8))
        _towers(canvas, foot, low, high, canvas.hazy(own, haze), canvas.hazy(windows, haze * 0.8))
    if foot < 0.95:
        if canvas.chance(0.5):
            water(canvas, box(-0.02, foot, 1.02, 1.02), foot)
        else:
            trees = canvas.ridge(foot - 0.02, 0.02, 0.9)
            canvas.area(under(trees), (30, 34, 30), canvas.lit(*canvas.ground(0.3)), 0.4 + 0.5 * canvas.clouds(16, 16))


def draw_field(canvas: Canvas) -> None:
    """Rows of crops that meet at the horizon."""
    rng = canvas.rng
    horizon = float(rng.uniform(0.25, 0.5))
    canvas.sky(horizon)
    far = backdrop(canvas, horizon)
    if canvas.chance(0.5):
        for x in rng.uniform(0, 1, int(rng.integers(2, 9))).tolist():
            canvas.shape(disc(x, horizon, 0.035, 0.03), darker(far, 0.75))
    x, y = axes(canvas.size)
    depth = np.maximum(y - horizon, 0.004)
    vanish, rows, weave = canvas.vary((-0.3, 1.3), (2.5, 5.5), (0.0, 0.5))
    hue, saturation, value = canvas.ground(0.25)
    crop, soil = canvas.lit(hue, saturation, value), canvas.lit(hue + rng.uniform(-0.15, 0.15), saturation, value * 0.5)
    across = rows * (x - vanish) / depth * (1 - horizon) * 0.5
    furrows = np.sin(2 * math.pi * across + weave * canvas.clouds(4, 4))
    # Far rows are closer than pixels: fade them out before they alias.
    sharp = np.clip(depth * canvas.size / rows / 5, 0, 1)
    plants = 0.3 * canvas.clouds(22, 22) * np.clip(depth * 4, 0.2, 1)
    canvas.area(box(-0.02, horizon, 1.02, 1.02), soil, crop, 0.5 + 0.5 * furrows * sharp + plants)
    thing = int(rng.integers(5))
    at = float(rng.uniform(0.15, 0.85))
    if thing == 0:  # farmhouse
        wall, low = canvas.lit(*canvas.ground(0.05)), horizon + 0.03
        canvas.shape(box(at - 0.08, low - 0.1, at + 0.08, low), wall)
        canvas.shape(
            np.array([[at - 0.1, low - 0.1], [at + 0.1, low - 0.1], [at, low - 0.19]], np.float32), darker(wall, 0.5)
        )
    elif thing == 1:
        tree(canvas, at, horizon + 0.08, float(rng.uniform(0.2, 0.4)), canvas.lit(*canvas.ground(0.3)), (60, 45, 40))
    elif thing == 2:  # bales
        for px, py in rng.uniform((0, horizon + 0.1), (1, 0.9), (4, 2)).tolist():
            radius = 0.03 + 0.09 * (py - horizon)
            canvas.shape(disc(px + radius * 0.6, py, radius), darker(crop, 0.5))
            canvas.shape(disc(px, py, radius), canvas.hazy(crop, 0.4))
    elif thing == 3:  # fence
        wood = canvas.lit(0.08, 0.3, rng.uniform(0.2, 0.9))
        level = float(rng.uniform(0.72, 0.9))
        for rail in (0.0, 0.07):
            canvas.shape(box(-0.02, level + rail, 1.02, level + rail + 0.02), wood)
        for px in np.arange(rng.uniform(0, 0.15), 1, 0.17).tolist():
            canvas.shape(box(px, level - 0.05, px + 0.03, level + 0.16), wood)


class _Front(NamedTuple):
    """Front of a house along a street, in the perspective of a vanishing point at x, y."""

    x: float
    y: float
    rim: float  # side of the picture where it would end, 0 or 1
    foot: float  # height of its foot and its roof at that rim
    roof: float
    near: float  # its two edges as shares of the way from the vanishing point to the rim
    far: float

    def pane(self, left: float, right: float, low: float, high: float) -> FloatArray:
        """Part of the front: 0 is its far edge and its foot, 1 its near edge and its roof."""
        corners = np.array([[left, low], [right, low], [right, high], [left, high]], np.float32)
        share = self.far + (self.near - self.far) * corners[:, 0]
        level = self.foot + (self.roof - self.foot) * corners[:, 1]
        return np.stack([self.x + (self.rim - self.x) * share, self.y + (level - self.y) * share], 1)


def _row_of_houses(canvas: Canvas, x: float, y: float, rim: float) -> None:
    rng = canvas.rng
    foot, roof = rng.uniform(0.75, 0.95), rng.uniform(-0.35, 0.1)
    walk = rim + (0.5 - rim) * 2 * canvas.one(0.05, 0.25)
    pavement = np.array([[rim, foot], [x, y], [walk, 1.02], [rim, 1.02]], np.float32)
    canvas.shape(pavement, canvas.hazy(canvas.lit(canvas.hue, 0.08, 0.75), 0.2))
    edges = np.clip(1 - np.concatenate([[0], np.cumsum(rng.uniform(0.14, 0.26, 6))]), 0.06, 1).tolist()
    for near, far in pairwise(edges):
        front = _Front(x, y, rim, foot, roof + canvas.one(-0.08, 0.2), near, far)
        wall = canvas.hazy(canvas.lit(*canvas.ground(0.06)), 0.35 * (1 - near))
        canvas.shape(front.pane(0, 1, 0, 1), wall)
        canvas.shape(front.pane(0, 1, 0.94, 1), darker(wall, 0.55))
        glass = darker(wall, 0.4) if canvas.chance(0.7) else canvas.lit(0.14, 0.4, 1.1)
        floors, bays = int(rng.integers(3, 6)), int(rng.integers(2, 4))
        for floor in range(1, floors):
            for bay in range(bays):
                low, left = floor / floors, (bay + 0.25) / bays
                canvas.shape(front.pane(left, left + 0.5 / bays, low, low + 0.55 / floors), glass)
        canvas.shape(front.pane(0.15, 0.85, 0.0, 0.6 / floors), canvas.lit(canvas.one(0, 1), 0.5, 0.6))


def _car_ahead(canvas: Canvas, x: float, foot: float, half: float) -> None:
    body = canvas.lit(canvas.one(0, 1), 0.6, 0.8)
    canvas.shape(box(x - half, foot - half * 0.9, x + half, foot), body)
    canvas.shape(box(x - half * 0.75, foot - half * 1.6, x + half * 0.75, foot - half * 0.9), darker(body, 0.4))
    for wheel in (x - 0.75 * half, x + 0.75 * half):
        canvas.shape(box(wheel - half * 0.2, foot - 0.01, wheel + half * 0.2, foot + half * 0.3), (25, 25, 28))


def draw_street(canvas: Canvas) -> None:
    """House fronts and a road that meet in one vanishing point."""
    x, y = canvas.vary((0.2, 0.8), (0.38, 0.6))
    canvas.sky(y)
    if canvas.chance(0.4):
        backdrop(canvas, y + 0.03)
    hue, saturation, value = canvas.ground(0.6)
    road = canvas.lit(hue, saturation * 0.3, value * 0.65)
    canvas.area(box(-0.02, y, 1.02, 1.02), darker(road, 0.85), road, 0.5 + 0.4 * canvas.clouds(20, 20))
    for rim in (0.0, 1.0):
        _row_of_houses(canvas, x, y, rim)
    paint, middle = canvas.hazy((245, 240, 225), 0.15), canvas.one(0.4, 0.6)
    for near in (0.12, 0.22, 0.38, 0.62, 1.0) if canvas.chance(0.75) else ():
        far = 0.7 * near
        dash = [[middle - 0.025, far], [middle + 0.025, far], [middle + 0.025, near], [middle - 0.025, near]]
        canvas.shape(np.array([[x + (a - x) * b, y + (1.02 - y) * b] for a, b in dash], np.float32), paint)
    if canvas.chance(0.5):  # street lamps
        for share in (0.35, 0.8):
            post, foot, top = x + (0.1 - x) * share, y + (0.9 - y) * share, y + (0.15 - y) * share
            canvas.shape(tube([[post, foot], [post, top], [post + 0.1 * share, top]], 0.012 * share), (40, 40, 45))
            canvas.dot(post + 0.1 * share, top + 0.02 * share, 0.03 * share, (250, 240, 200))
    if canvas.chance(0.5):
        share = canvas.one(0.3, 0.6)
        _car_ahead(canvas, x + 0.12 * share, y + 0.4 * share, 0.12 * share)
