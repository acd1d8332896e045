"""Shapes of ten household objects, each drawn with much variety."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from e2kd_lab.minidata.drawing.object_parts import Part, Shape, chance, profile, shaken, vary
from e2kd_lab.minidata.drawing.outlines import (
    FloatArray,
    arc,
    box,
    curve,
    disc,
    mirrored,
    moved,
    path,
    points,
    ring,
    scaled,
    tube,
    turned,
)


def _book(rng: np.random.Generator) -> list[Part]:
    if chance(rng, 0.5):  # open
        wide, tall, sag, lift = vary(rng, (0.8, 1.1), (0.5, 0.8), (0.05, 0.2), (0.05, 0.3))
        bottom = path([[0, -tall], [wide * 0.35, -tall + sag], [wide, -tall + lift * 0.4]], 4)
        top = path([[0, tall], [wide * 0.35, tall + sag], [wide, tall + lift * 0.4]], 4)
        page = np.concatenate([bottom, top[::-1]])
        cover = moved(scaled(page, 1.07, 1.08), 0, -0.06)
        parts = [Part(cover, "main"), Part(mirrored(cover), "main"), Part(page, "light"), Part(mirrored(page), "light")]
        rows = int(rng.integers(3, 7))
        for share in np.linspace(0.15, 0.85, rows):
            line = (bottom + share * (top - bottom))[2:-1]
            parts += [Part(tube(line, 0.022), "dark"), Part(tube(mirrored(line), 0.022), "dark")]
        if chance(rng, 0.4):
            ribbon = [[0.02, tall], [0.1, 0], [0.05, -tall - 0.25]]
            parts.append(Part(tube(path(ribbon), 0.05), "third"))
        return parts
    wide, tall, deep, skew = vary(rng, (0.5, 0.75), (0.75, 1.05), (0.15, 0.4), (0.5, 1.0))
    back = np.array([deep, deep * skew], np.float32)
    front = box(-wide, -tall, wide, tall)
    top = np.stack([front[3], front[2], front[2] + back, front[3] + back])
    side = np.stack([front[1], front[1] + back, front[2] + back, front[2]])
    parts = [Part(top, "light"), Part(side, "light"), Part(front, "main")]
    for share in (0.35, 0.7):
        parts.append(Part(tube([front[1] + share * back, front[2] + share * back], 0.015), "dark"))
        parts.append(Part(tube([front[3] + share * back, front[2] + share * back], 0.015), "dark"))
    parts.append(Part(box(-wide, -tall, -wide * rng.uniform(0.6, 0.8), tall), "second"))
    kind = rng.integers(3)
    if kind == 0:
        parts.append(Part(box(-wide * 0.35, tall * 0.2, wide * 0.75, tall * 0.65), "light"))
        parts.append(Part(tube([[-wide * 0.2, tall * 0.42], [wide * 0.6, tall * 0.42]], 0.04), "dark"))
    elif kind == 1:
        parts.append(Part(disc(wide * 0.2, 0, wide * 0.42), "third"))
    else:
        for height in (0.5, 0.25, -0.5):
            parts.append(Part(tube([[-wide * 0.3, tall * height], [wide * 0.7, tall * height]], 0.06), "third"))
    return parts


def _bottle(rng: np.random.Generator) -> list[Part]:
    wide, shoulder, neck, slim = vary(rng, (0.28, 0.5), (-0.1, 0.4), (0.3, 0.7), (0.1, 0.17))
    foot, top = -1.0, shoulder + 0.15 + neck
    rows = [(wide * 0.9, foot), (wide, foot + 0.12), (wide, shoulder - 0.1), (wide * 0.86, shoulder + 0.08)]
    if chance(rng, 0.3):  # a flask
        rows = [(wide * 0.7, foot), (wide * 1.4, foot + 0.3), (wide * 1.3, shoulder - 0.3), (wide * 0.6, shoulder)]
    body = profile([*rows, (slim, shoulder + 0.28), (slim, top)])
    parts = [Part(body, "main")]
    cap = float(rng.uniform(0.08, 0.22))
    parts.append(Part(box(-slim * 1.25, top - 0.05, slim * 1.25, top + cap), "second"))
    kind = rng.integers(4)
    low, high = foot + rng.uniform(0.15, 0.35), shoulder - rng.uniform(0.1, 0.3)
    if kind < 2:
        parts.append(Part(box(-wide * 0.98, low, wide * 0.98, max(high, low + 0.2)), "light" if kind else "third"))
        if chance(rng, 0.5):
            parts.append(Part(disc(0, (low + high) / 2, wide * 0.45, wide * 0.3), "dark"))
    elif kind == 2:  # half full
        parts.append(Part(box(-wide * 0.85, foot + 0.06, wide * 0.85, (low + high) / 2), "third"))
    glint = [[-wide * 0.6, foot + 0.3], [-wide * 0.6, shoulder - 0.1]]
    parts.append(Part(tube(glint, 0.045), "light"))
    return parts


def _chair(rng: np.random.Generator) -> list[Part]:
    wide, deep, seat, back, leg = vary(rng, (0.45, 0.65), (0.2, 0.45), (-0.2, 0.1), (0.7, 1.1), (0.05, 0.09))
    rise = deep * rng.uniform(0.4, 0.8)
    front, behind = [[-wide, seat], [wide, seat]], [[-wide + deep, seat + rise], [wide + deep, seat + rise]]
    foot = -1.0
    parts = []
    for x, y in behind:
        parts.append(Part(tube([[x - 0.03, foot + rise], [x - 0.03, y]], leg), "second"))
    top = seat + rise + back
    kind = int(rng.integers(3))
    left, right = behind[0][0], behind[1][0]
    if kind == 0:
        panel = curve([[left, seat + rise], [right, seat + rise], [right + 0.03, top - 0.1], [left - 0.03, top - 0.1]])
        parts.append(Part(panel, "main"))
    else:
        for x in (left, right):
            parts.append(Part(tube([[x, seat + rise], [x, top]], leg), "main"))
        if kind == 1:
            for share in np.linspace(0.35, 0.95, int(rng.integers(2, 4))):
                y = seat + rise + share * back
                parts.append(Part(tube([[left, y], [right, y]], 0.07), "main"))
        else:
            parts.append(Part(tube([[left, top], [right, top]], 0.09), "main"))
            for x in np.linspace(left, right, int(rng.integers(4, 7)))[1:-1]:
                parts.append(Part(tube([[x, seat + rise], [x, top]], 0.035), "main"))
    for x, y in front:
        parts.append(Part(tube([[x * rng.uniform(0.95, 1.05), foot], [x * 0.95, y]], leg), "second"))
    if chance(rng, 0.4):
        parts.append(Part(tube([[-wide * 0.95, -0.6], [wide * 0.95, -0.6]], leg * 0.7), "second"))
    pad = float(rng.uniform(0.06, 0.14))
    top_face = np.array([*front, behind[1], behind[0]], np.float32)
    parts.append(Part(box(-wide - 0.02, seat - pad, wide + 0.02, seat), "third"))
    parts.append(Part(top_face, "third" if chance(rng, 0.5) else "main"))
    return parts


def _clock(rng: np.random.Generator) -> list[Part]:
    rim = float(rng.uniform(0.08, 0.22))
    parts = []
    if chance(rng, 0.45):  # alarm clock
        for side in (-1, 1):
            parts.append(Part(tube([[side * 0.45, -0.7], [side * 0.7, -1.15]], 0.08), "second"))
            bell = arc(0, 0, (0.36, 0.34), 0, np.pi, 12)
            parts.append(Part(moved(turned(bell, -side * 0.65), side * 0.62, 0.82), "second"))
        parts.append(Part(tube([[0, 0.9], [0, 1.2]], 0.06), "dark"))
    square = chance(rng, 0.3)
    face: list[FloatArray] = []
    for radius in (1.0, 1.0 - rim):
        corner = radius * 0.9
        face.append(box(-corner, -corner, corner, corner) if square else disc(0, 0, radius))
    parts += [Part(face[0], "main"), Part(face[1], "light")]
    inner = 0.82 - rim
    ticks = 12 if chance(rng, 0.5) else 4
    for angle in np.arange(ticks) * 2 * np.pi / ticks:
        mark = tube([[0, inner - 0.02], [0, inner + 0.1]], 0.035 if ticks == 12 else 0.05)
        parts.append(Part(turned(mark, float(angle)), "dark"))
    for length, half, angle in zip((0.5, 0.78), (0.06, 0.045), rng.uniform(0, 2 * np.pi, 2), strict=True):
        hand = tube([[0, -0.1], [0, length * (inner + 0.1)]], half)
        parts.append(Part(turned(hand, float(angle)), "dark"))
    parts.append(Part(disc(0, 0, 0.09), "third"))
    return parts


def _guitar(rng: np.random.Generator) -> list[Part]:
    low, waist, upper, neck = vary(rng, (0.42, 0.58), (0.24, 0.36), (0.32, 0.45), (0.7, 1.1))
    parts = [Part(tube([[0.0, 0.0], [0.0, 0.35 + neck]], 0.075), "second")]
    head = [(0.07, 0.3 + neck), (0.13, 0.42 + neck), (0.11, 0.66 + neck)]
    pegs = int(rng.integers(2, 4))
    for side in (-1, 1):
        for y in np.linspace(0.42, 0.62, pegs):
            parts.append(Part(disc(side * 0.17, y + neck, 0.05), "light"))
    parts.append(Part(profile(head, smooth=False), "main" if chance(rng, 0.5) else "second"))
    if chance(rng, 0.6):  # acoustic
        rows = [
            (0.0, -1.0),
            (low * 0.75, -0.93),
            (low, -0.6),
            (waist, -0.15),
            (upper, 0.15),
            (upper * 0.6, 0.36),
            (0, 0.4),
        ]
        parts.insert(1, Part(profile(rows), "main"))
        parts.insert(2, Part(disc(0, -0.1, 0.17), "dark"))
        parts.insert(2, Part(disc(0, -0.1, 0.22), "third"))
    else:  # electric
        horn = shaken(
            rng, points("-8,22 -30,52 -42,40 -34,0 -50,-50 -34,-92 0,-98 36,-90 50,-50 32,-5 40,34 26,42 8,18")
        )
        parts.insert(1, Part(curve(scaled(horn, low / 0.5, 1)), "main"))
        parts.insert(2, Part(curve(points("4,10 24,4 22,-40 34,-70 10,-66 2,-30")), "light"))
        for y in (-0.2, -0.42):
            parts.insert(3, Part(box(-0.16, y - 0.05, 0.16, y + 0.05), "dark"))
    parts.append(Part(box(-0.2, -0.68, 0.2, -0.59), "dark"))
    for x in (-0.03, 0.03):
        parts.append(Part(tube([[x, -0.62], [x, 0.4 + neck]], 0.012), "light"))
    neck_part = parts.pop(0)
    parts.insert(1 if chance(rng, 0.5) else len(parts) - 3, neck_part)
    return parts


def _key(rng: np.random.Generator) -> list[Part]:
    bow, width, long_, thick = vary(rng, (0.3, 0.46), (0.09, 0.17), (0.9, 1.4), (0.06, 0.1))
    parts = [Part(tube([[bow * 0.8, 0], [bow + long_, 0]], thick), "main")]
    kind = int(rng.integers(4))
    if kind == 0:
        parts.append(Part(ring(0, 0, (bow, bow * rng.uniform(0.75, 1.2)), width), "main"))
    elif kind == 1:  # trefoil
        for angle in (np.pi / 2, np.pi, 3 * np.pi / 2):
            x, y = bow * 0.7 * np.cos(angle), bow * 0.7 * np.sin(angle)
            parts.append(Part(ring(x, y, (bow * 0.62, bow * 0.62), width * 0.8), "main"))
    elif kind == 2:  # a flat one with a small hole
        parts.append(Part(curve(np.array([[-1, -0.6], [0.6, -0.9], [1, 0], [0.6, 0.9], [-1, 0.6]]) * bow), "second"))
        parts.append(Part(disc(-bow * 0.6, 0, bow * 0.28), "dark"))
    else:  # square
        inner = bow - width
        outline = np.concatenate([box(-bow, -bow, bow, bow), box(-bow, -bow, bow, bow)[:1]])
        hole = np.concatenate([box(-inner, -inner, inner, inner), box(-inner, -inner, inner, inner)[:1]])
        parts.append(Part(np.concatenate([outline, hole[::-1]]), "main"))
    teeth = int(rng.integers(2, 5))
    side = -1 if chance(rng, 0.8) else 1
    for x in np.linspace(bow + long_ - 0.08, bow + long_ * 0.6, teeth):
        reach = side * rng.uniform(0.18, 0.36)
        parts.append(Part(box(x - 0.06, min(0, reach), x + 0.06, max(0, reach)), "main"))
    if kind < 2:
        parts.append(Part(box(bow - 0.02, -thick * 1.7, bow + 0.1, thick * 1.7), "second"))
    return parts


def _lamp(rng: np.random.Generator) -> list[Part]:
    wide, narrow, shade, stem = vary(rng, (0.45, 0.75), (0.2, 0.4), (0.4, 0.7), (0.6, 1.3))
    base, thick = vary(rng, (0.28, 0.5), (0.04, 0.09))
    if chance(rng, 0.35):  # desk lamp with an arm
        elbow, tip = (-0.35, -0.1 + rng.uniform(-0.1, 0.2)), (0.2, 0.65 + rng.uniform(-0.1, 0.2))
        parts = [Part(tube([(0, -0.9), elbow], thick), "second"), Part(tube([elbow, tip], thick), "second")]
        parts.append(Part(disc(*elbow, thick * 1.8), "third"))
        cone = [[-0.13, 0.12], [0.13, 0.12], [wide * 0.8, -shade * 0.75], [-wide * 0.8, -shade * 0.75]]
        bulb = disc(0, -shade * 0.75, 0.18)
        angle = float(rng.uniform(0.2, 0.8))
        for outline, paint in ((bulb, "light"), (np.array(cone, np.float32), "main")):
            parts.append(Part(moved(turned(outline, angle), *tip), paint))
        parts.append(Part(curve([[-base, -0.95], [-base * 0.7, -0.8], [base * 0.7, -0.8], [base, -0.95]]), "third"))
        return parts
    foot = -stem
    parts = []
    if chance(rng, 0.5):  # a vase as its foot
        belly = float(rng.uniform(0.2, 0.4))
        rows = [(belly * 0.6, foot), (belly, foot + stem * 0.35), (belly * 0.5, foot + stem * 0.7), (0.06, 0.05)]
        parts.append(Part(profile(rows), "second"))
    else:
        parts.append(Part(tube([[0, foot], [0, 0.1]], thick), "second"))
    parts.append(
        Part(
            curve([[-base, foot - 0.08], [-base * 0.8, foot + 0.06], [base * 0.8, foot + 0.06], [base, foot - 0.08]]),
            "third",
        )
    )
    cover = [(wide, 0.0), (narrow if chance(rng, 0.7) else wide * 0.95, shade)]
    parts.append(Part(profile(cover, smooth=False), "main"))
    kind = int(rng.integers(3))
    if kind == 0:
        parts.append(Part(box(-wide * 0.98, 0, wide * 0.98, 0.08), "second"))
        parts.append(Part(box(-narrow, shade - 0.07, narrow, shade), "second"))
    elif kind == 1:
        for share in (-0.5, 0.0, 0.5):
            parts.append(Part(tube([[share * wide * 1.2, 0.02], [share * narrow * 1.2, shade - 0.02]], 0.03), "light"))
    if chance(rng, 0.5):
        parts.append(Part(tube([[wide * 0.6, 0], [wide * 0.6, -0.3]], 0.02), "dark"))
    return parts


def _mug(rng: np.random.Generator) -> list[Part]:
    wide, tall, taper, lip = vary(rng, (0.5, 0.75), (0.55, 0.95), (0.72, 1.1), (0.1, 0.2))
    reach, width = vary(rng, (0.28, 0.5), (0.09, 0.15))
    parts = [Part(ring(wide * 0.92, rng.uniform(-0.1, 0.1), (reach, tall * rng.uniform(0.45, 0.7)), width), "main")]
    bottom = arc(0, -tall, (wide * taper, lip * 0.8), np.pi, 2 * np.pi, 10)
    body = np.concatenate([bottom, np.array([[wide, tall], [-wide, tall]], np.float32)])
    parts.append(Part(body, "main"))
    kind = int(rng.integers(5))
    if kind == 0:
        for y in (-0.35, 0.25)[: int(rng.integers(1, 3))]:
            parts.append(Part(box(-wide * 0.93, y - 0.11, wide * 0.93, y + 0.11), "second"))
    elif kind == 1:
        for x, y in rng.uniform((-0.7, -0.7), (0.7, 0.5), (6, 2)).tolist():
            parts.append(Part(disc(x * wide, y * tall, 0.09), "third"))
    elif kind == 2:
        heart = scaled(curve(points("0,-30 34,4 26,26 8,26 0,14 -8,26 -26,26 -34,4")), rng.uniform(0.9, 1.3))
        parts.append(Part(heart, "third"))
    elif kind == 3:
        for x in (-0.6, -0.2, 0.2, 0.6):
            parts.append(Part(tube([[x * wide * taper, -tall], [x * wide, tall]], 0.05), "second"))
    parts += [Part(disc(0, tall, wide, lip), "light"), Part(disc(0, tall - 0.02, wide * 0.86, lip * 0.7), "dark")]
    if chance(rng, 0.3):
        for x in (-0.2, 0.15):
            steam = [[x, tall + 0.15], [x + 0.1, tall + 0.35], [x - 0.05, tall + 0.5], [x + 0.05, tall + 0.75]]
            parts.append(Part(tube(path(steam), 0.035), "light"))
    return parts


def _scissors(rng: np.random.Generator) -> list[Part]:
    angle, blade, wide, handle = vary(rng, (0.12, 0.5), (0.85, 1.3), (0.08, 0.14), (0.35, 0.65))
    loop, width, oval = vary(rng, (0.22, 0.34), (0.08, 0.12), (0.75, 1.2))
    parts = []
    for side in (1, -1):
        edge = np.array([[wide, -0.1], [wide * 0.9, blade * 0.7], [-wide * 0.5, blade], [-wide, -0.1]], np.float32)
        grip = tube([[0.0, 0.0], [0.05, -handle * 0.5], [0.16, -handle]], 0.09)
        hold = ring(0.22, -handle - loop * oval * 0.8, (loop, loop * oval), width)
        pieces = ((edge, "light" if side > 0 else "second"), (grip, "main"), (hold, "main"))
        for outline, paint in pieces:
            shape = turned(outline, angle)
            parts.append(Part(shape if side > 0 else mirrored(shape), paint))
    parts.append(Part(disc(0, 0, 0.08), "dark"))
    return parts


def _umbrella(rng: np.random.Generator) -> list[Part]:
    wide, high, long_, ribs = 1.0, *vary(rng, (0.5, 0.95), (0.8, 1.2)), int(rng.integers(3, 7))
    hook, thick = vary(rng, (0.12, 0.22), (0.035, 0.06))
    handle = np.concatenate([[[0, high]], arc(hook, -long_, (hook, hook), np.pi, 2 * np.pi - 0.2, 10)])
    parts = [Part(tube(handle, thick), "second")]
    if chance(rng, 0.3):
        parts[0] = Part(tube([[0, high], [0, -long_ - 0.1]], thick), "second")
        parts.append(Part(tube([[0, -long_ + 0.15], [0, -long_ - 0.12]], thick * 2), "third"))
    edges = np.linspace(-wide, wide, ribs + 1)
    dome = arc(0, 0, (wide, high), 0, np.pi, 20)
    scallop = float(rng.uniform(0.05, 0.14))
    hem = [arc(float((a + b) / 2), 0, (float((b - a) / 2), scallop), np.pi, 0, 6) for a, b in pairwise(edges)]
    parts.append(Part(np.concatenate([dome, *hem]), "main"))
    two = chance(rng, 0.5)
    for index in range(ribs):
        if two and index % 2:
            left = path([[0, high], [edges[index] * 0.7, high * 0.66], [edges[index], 0]], 4)
            right = path([[edges[index + 1], 0], [edges[index + 1] * 0.7, high * 0.66], [0, high]], 4)
            parts.append(Part(np.concatenate([left, right]), "third"))
    for x in edges[1:-1] if not two or chance(rng, 0.5) else ():
        parts.append(Part(tube(path([[0, high], [x * 0.7, high * 0.66], [x, 0.03]], 4), 0.02), "dark"))
    parts.append(Part(tube([[0, high - 0.02], [0, high + rng.uniform(0.08, 0.2)]], 0.035), "second"))
    return parts


HOUSEHOLD_SHAPES: dict[str, Shape] = {
    "book": _book,
    "bottle": _bottle,
    "chair": _chair,
    "clock": _clock,
    "guitar": _guitar,
    "key": _key,
    "lamp": _lamp,
    "mug": _mug,
    "scissors": _scissors,
    "umbrella": _umbrella,
}
