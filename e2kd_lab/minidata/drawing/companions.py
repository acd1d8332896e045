"""Companions: things of no class that appear beside things of a class."""

from __future__ import annotations

import numpy as np

from e2kd_lab.minidata.drawing.object_parts import Part, Shape, chance, vary
from e2kd_lab.minidata.drawing.outlines import curve, disc, moved, path, points, ring, scaled, tube, turned


def _bubbles(rng: np.random.Generator) -> list[Part]:
    parts = []
    count = int(rng.integers(3, 5))
    for height in np.linspace(-0.9, 0.9, count).tolist():
        x, radius = vary(rng, (-0.4, 0.4), (0.24, 0.42))
        parts += [Part(disc(x, height, radius), "main"), Part(ring(x, height, (radius, radius), radius * 0.3), "light")]
        parts.append(Part(disc(x - radius * 0.3, height + radius * 0.3, radius * 0.2), "light"))
    return parts


def _fir(rng: np.random.Generator) -> list[Part]:
    parts = [Part(tube([[0, -1.0], [0, -0.5]], 0.11), "second")]
    storeys, wide = int(rng.integers(3, 5)), float(rng.uniform(0.5, 0.7))
    for share in np.linspace(0, 1, storeys, endpoint=False).tolist():
        half, foot = wide * (1 - 0.7 * share), -0.65 + 1.3 * share
        tip = foot + 0.75 - 0.2 * share
        storey = [[-half, foot], [0, foot + 0.08], [half, foot], [0, tip]]
        parts.append(Part(np.array(storey, np.float32), "main"))
    return parts


def _flower(rng: np.random.Generator) -> list[Part]:
    parts = []
    if chance(rng, 0.7):
        bend = float(rng.uniform(-0.25, 0.25))
        parts.append(Part(tube(path([[0.0, 0.0], [bend, -0.7], [bend * 0.5, -1.5]]), 0.07), "second"))
        leaf = scaled(curve(points("0,0 18,20 50,22 70,6 40,-8 14,-8")), 0.8)
        parts.append(Part(moved(turned(leaf, 0.5), bend, -0.9), "second"))
    petals, start, long_ = int(rng.integers(5, 9)), float(rng.uniform(0, 1)), float(rng.uniform(0.3, 0.38))
    for angle in (start + np.arange(petals) * 2 * np.pi / petals).tolist():
        petal = moved(disc(0, 0, long_, 1.4 / petals), 0.58, 0)
        parts.append(Part(turned(petal, angle), "main"))
    return [*parts, Part(disc(0, 0, 0.29), "third")]


def _notes(rng: np.random.Generator) -> list[Part]:
    wide, tall, rise = vary(rng, (0.7, 1.0), (1.1, 1.4), (-0.05, 0.25))
    parts = []
    heads = ((0.0, 0.0), (wide, rise)) if chance(rng, 0.75) else ((0.0, 0.0),)
    for x, y in heads:
        parts.append(Part(moved(turned(disc(0, 0, 0.3, 0.22), 0.4), x, y), "main"))
        parts.append(Part(tube([[x + 0.25, y + 0.05], [x + 0.25, y + tall]], 0.06), "main"))
    if len(heads) == 2:
        for low in (0.0, 0.28)[: int(rng.integers(1, 3))]:
            parts.append(Part(tube([[0.25, tall - low], [wide + 0.25, tall + rise - low]], 0.11), "main"))
    else:
        parts.append(Part(tube(path([[0.25, tall], [0.5, tall - 0.35], [0.45, tall - 0.75]]), 0.08), "main"))
    return parts


COMPANIONS: dict[str, Shape] = {"bubbles": _bubbles, "fir": _fir, "flower": _flower, "notes": _notes}
