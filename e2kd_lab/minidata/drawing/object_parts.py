"""Parts of drawn things.

A thing is a list of parts, painted one over another, in any unit, y upwards. Parts name paints instead of colours; the
picture chooses the colours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from e2kd_lab.minidata.drawing.outlines import FloatArray, mirrored, path


class Part(NamedTuple):
    """Closed outline [n, 2] and the name of its paint: main, second, third, dark or light."""

    outline: FloatArray
    paint: str


# Draws a new individual of a class at every call.
Shape = Callable[[np.random.Generator], list[Part]]


def vary(rng: np.random.Generator, *ranges: tuple[float, float]) -> list[float]:
    """One uniform draw from each range."""
    low, high = zip(*ranges, strict=True)
    return rng.uniform(low, high).tolist()


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with a probability."""
    return bool(rng.random() < probability)


def shaken(rng: np.random.Generator, outline: FloatArray, amount: float = 0.02) -> FloatArray:
    """Outline [n, 2] with every point moved by a normal draw of a standard deviation."""
    return outline + rng.normal(0, amount, outline.shape).astype(np.float32)


def profile(rows: list[tuple[float, float]], smooth: bool = True) -> FloatArray:
    """Outline symmetric about x = 0 from (half width, height) pairs, bottom to top."""
    right = path(rows, 4) if smooth else np.array(rows, np.float32)
    return np.concatenate([right, mirrored(right)[::-1]])
