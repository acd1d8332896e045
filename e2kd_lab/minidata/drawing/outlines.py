"""Outlines of drawn things: curves, tubes, discs and rings as closed polygons [n, 2] of float32."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]
# Rows of numbers, as an array or as lists.
Rows = Sequence[Sequence[float]] | Sequence[FloatArray] | FloatArray


def points(text: str) -> FloatArray:
    """Points given as "x,y x,y ..." in hundredths, as [n, columns]."""
    return _points(text).copy()


@cache
def _points(text: str) -> FloatArray:
    return np.array([[float(number) / 100 for number in row.split(",")] for row in text.split()], np.float32)


@cache
def _catmull_rom(samples: int) -> FloatArray:
    """Weights [samples, 4] of four neighbouring points along the piece between the middle two."""
    t = np.linspace(0, 1, samples, endpoint=False)[:, None]
    cubic = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(t ** np.arange(4) @ cubic, np.float32)


def curve(corners: Rows, samples: int = 5) -> FloatArray:
    """Smooth closed curve (Catmull-Rom) through corners [n, 2], as [n * samples, 2]."""
    knots = np.asarray(corners, np.float32)
    around = (np.arange(len(knots))[:, None] + np.arange(-1, 3)) % len(knots)
    return np.asarray((_catmull_rom(samples) @ knots[around]).reshape(-1, 2), np.float32)


def path(corners: Rows, samples: int = 5) -> FloatArray:
    """Smooth open curve (Catmull-Rom) through corners [n, columns], as [(n - 1) * samples + 1, columns]."""
    knots = np.asarray(corners, np.float32)
    padded = np.concatenate([knots[:1], knots, knots[-1:]])
    around = np.arange(len(knots) - 1)[:, None] + np.arange(4)
    inner = (_catmull_rom(samples) @ padded[around]).reshape(-1, knots.shape[1])
    return np.asarray(np.concatenate([inner, knots[-1:]]), np.float32)


def tube(spine: Rows, half_width: float | None = None) -> FloatArray:
    """Outline [2n, 2] of a tube along a spine of x, y and half width [n, 3], or of x, y [n, 2] and one half width."""
    line = np.asarray(spine, np.float32)
    half = line[:, 2:] if half_width is None else np.full((1, 1), half_width, np.float32)
    ends = np.concatenate([line[:1], line, line[-1:]])[:, :2]
    along = ends[2:] - ends[:-2]
    side = along[:, ::-1] * np.array([-1, 1], np.float32)
    side *= half / np.maximum(np.sqrt((side**2).sum(1, keepdims=True)), np.float32(1e-6))
    return np.concatenate([line[:, :2] + side, (line[:, :2] - side)[::-1]])


def arc(x: float, y: float, radii: tuple[float, float], start: float, stop: float, count: int = 16) -> FloatArray:
    """Points [count, 2] on an ellipse about x, y from one angle to another (radians, anticlockwise, y upwards)."""
    angle = start + (stop - start) / (count - 1) * np.arange(count, dtype=np.float32)
    outline = np.empty((count, 2), np.float32)
    outline[:, 0] = x + radii[0] * np.cos(angle)
    outline[:, 1] = y + radii[1] * np.sin(angle)
    return outline


def disc(x: float, y: float, radius: float, tall: float | None = None) -> FloatArray:
    """Ellipse about x, y of a horizontal and, if it differs, a vertical radius."""
    return arc(x, y, (radius, radius if tall is None else tall), 0, 2 * np.pi, 24)[:-1]


def ring(x: float, y: float, radii: tuple[float, float], width: float) -> FloatArray:
    """Elliptic ring about x, y of two outer radii; the polygon runs round the outer rim and back round the inner."""
    outer = arc(x, y, radii, 0, 2 * np.pi, 24)
    inner = arc(x, y, (radii[0] - width, radii[1] - width), 2 * np.pi, 0, 24)
    return np.concatenate([outer, inner])


def box(left: float, bottom: float, right: float, top: float) -> FloatArray:
    """Upright rectangle."""
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], np.float32)


def moved(outline: FloatArray, x: float, y: float) -> FloatArray:
    """Outline [n, 2] moved by x and y."""
    return np.asarray(outline + np.array([x, y], np.float32), np.float32)


def scaled(outline: FloatArray, x: float, y: float | None = None) -> FloatArray:
    """Outline [n, 2] stretched from the origin by x and, if it differs, y."""
    return np.asarray(outline * np.array([x, x if y is None else y], np.float32), np.float32)


def turned(outline: FloatArray, angle: float, about: tuple[float, float] = (0.0, 0.0)) -> FloatArray:
    """Outline [n, 2] turned anticlockwise by an angle in radians about a point."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]], np.float32)
    centre = np.array(about, np.float32)
    return np.asarray((outline - centre) @ turn.T + centre, np.float32)


def mirrored(outline: FloatArray) -> FloatArray:
    """Outline [n, 2] with left and right exchanged at x = 0."""
    return np.asarray(outline * np.array([-1, 1], np.float32), np.float32)
