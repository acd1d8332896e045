"""Shapes of ten outdoor objects, each drawn with much variety."""

from __future__ import annotations

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


def _anchor(rng: np.random.Generator) -> list[Part]:
    thick, spread, drop, stock, eye = vary(rng, (0.06, 0.13), (0.5, 0.85), (0.35, 0.75), (0.25, 0.55), (0.13, 0.22))
    level = float(rng.uniform(0.45, 0.75))
    bend = arc(0, -0.9 + drop, (spread, drop), np.pi * 1.02, np.pi * 1.98)
    parts = [Part(ring(0, 1 + eye * 0.6, (eye, eye), thick), "main")]
    parts.append(Part(tube([[0.0, -0.9], [0.0, 1.0]], thick), "main"))
    parts.append(Part(tube([[-stock, level], [stock, level]], thick * 0.9), "second"))
    parts.append(Part(tube(bend, thick), "main"))
    fluke = scaled(points("-24,-6 4,38 22,-12 0,-4"), rng.uniform(0.8, 1.3))
    for side in (1, -1):
        tip = turned(fluke, 0.3) + bend[-1] * 0.98
        parts.append(Part(tip if side > 0 else mirrored(tip), "main"))
    if chance(rng, 0.4):  # a rope from the eye
        start = [[0, 1 + eye * 0.6], [0.35, 0.75], [0.1, 0.2], [0.4, -0.3]]
        parts.append(Part(tube(path(shaken(rng, np.array(start, np.float32), 0.08)), 0.05), "third"))
    return parts


def _apple(rng: np.random.Generator) -> list[Part]:
    tall, waist, dip, lean = vary(rng, (0.75, 1.05), (0.75, 1.0), (0.1, 0.3), (-0.15, 0.15))
    half = [(0.0, -0.85), (0.3, -0.95), (0.66 * waist, -0.6), (0.98, 0.05), (0.9, 0.55), (0.5, 0.86), (0, 0.85 - dip)]
    body = profile(half)
    body[:, 1] *= tall
    parts = [Part(tube(path([[0, 0.75 * tall], [lean * 0.6, tall], [lean * 2, tall + 0.4]]), 0.06), "dark")]
    parts.insert(0 if chance(rng, 0.5) else 1, Part(shaken(rng, body, 0.008), "main"))
    for side in (1.0, -1.0)[: int(rng.integers(0, 3))]:
        leaf = scaled(curve(points("0,0 18,20 50,22 70,6 40,-8 14,-8")), rng.uniform(0.8, 1.2))
        leaf = turned(leaf, float(rng.uniform(0.0, 0.7)))
        parts.append(Part(moved(leaf if side > 0 else mirrored(leaf), 0, tall * 0.95), "second"))
    if chance(rng, 0.35):  # a bite
        for height in (-0.25, 0.05, 0.35):
            parts.append(Part(disc(0.85, height * tall, 0.22), "light"))
    elif chance(rng, 0.7):
        parts.append(Part(disc(-0.45, 0.35 * tall, 0.13, 0.22), "light"))
    return parts


def _boat(rng: np.random.Generator) -> list[Part]:
    deep, bow, stern, level = vary(rng, (0.3, 0.55), (0.15, 0.4), (0.05, 0.3), (-0.05, 0.12))
    hull = [[-1, level], [-1 + stern, -deep], [1 - bow, -deep], [1.08, level + 0.1], [0.4, level - 0.02]]
    parts = [Part(np.array(hull, np.float32), "main")]
    parts.append(Part(tube([[-0.97, level - 0.14], [1.0 - bow * 0.2, level - 0.08]], 0.05), "second"))
    if chance(rng, 0.6):  # under sail
        mast, high, boom = vary(rng, (-0.2, 0.2), (1.0, 1.6), (0.1, 0.2))
        parts.insert(0, Part(tube([[mast, 0], [mast, high + 0.08]], 0.04), "dark"))
        sail = [[mast + 0.06, boom], [mast + rng.uniform(0.5, 0.85), boom + 0.04], [mast + 0.06, high]]
        parts.append(Part(np.array(sail, np.float32), "light" if chance(rng, 0.5) else "second"))
        if chance(rng, 0.7):
            jib = [
                [mast - 0.06, boom],
                [-rng.uniform(0.6, 0.95), boom - 0.02],
                [mast - 0.06, high * rng.uniform(0.7, 1)],
            ]
            parts.append(Part(np.array(jib, np.float32), "third" if chance(rng, 0.5) else "light"))
        if chance(rng, 0.5):
            flag = [[mast, high + 0.2], [mast - 0.3, high + 0.12], [mast, high]]
            parts.append(Part(np.array(flag, np.float32), "third"))
    else:  # with a cabin and funnels
        left, right, top = vary(rng, (-0.7, -0.35), (0.25, 0.6), (0.35, 0.55))
        for x in np.linspace(left + 0.25, right - 0.2, int(rng.integers(1, 4))):
            parts.insert(0, Part(box(x - 0.09, top, x + 0.09, top + 0.5), "third"))
            parts.insert(1, Part(box(x - 0.1, top + 0.38, x + 0.1, top + 0.5), "dark"))
        parts.insert(0, Part(box(left, level - 0.1, right, top), "light"))
        for x in np.linspace(left + 0.16, right - 0.16, 3):
            parts.append(Part(disc(float(x), (top + level) / 2 + 0.04, 0.09), "dark"))
    return parts


def _butterfly(rng: np.random.Generator) -> list[Part]:
    reach, upper, lower, open_ = vary(rng, (0.75, 1.1), (0.55, 1.0), (0.4, 0.85), (0.55, 1.0))
    fore = scaled(curve(shaken(rng, points("5,8 40,70 85,90 100,60 70,15 30,0"), 0.05)), reach, upper)
    hind = scaled(curve(shaken(rng, points("5,5 45,8 80,-20 62,-75 35,-85 10,-30"), 0.05)), reach * 0.9, lower)
    parts = []
    paint = "main" if chance(rng, 0.5) else "second"
    spots = []
    middle_fore, middle_hind = fore.mean(0), hind.mean(0)
    for wing, middle, colour in ((hind, middle_hind, paint), (fore, middle_fore, "main")):
        parts.append(Part(wing, colour))
        inner = scaled(wing - middle, rng.uniform(0.5, 0.75)) + middle
        kind = rng.integers(3)
        if kind == 0:
            spots.append(Part(inner, "third"))
        elif kind == 1:
            spot = (1.15 * middle).tolist()
            spots.append(Part(moved(disc(0, 0, rng.uniform(0.1, 0.2)), *spot), "light"))
            spots.append(Part(moved(disc(0, 0, 0.07), *spot), "dark"))
        else:
            for share in (0.55, 1.0, 1.4):
                spots.append(Part(moved(disc(0, 0, 0.08), *(share * middle).tolist()), "light"))
    feelers = [tube(path([[0.03, 0.4], [0.12, 0.7], [0.32, 0.95]]), 0.025)]
    wings = parts + spots + [Part(outline, "dark") for outline in feelers]
    other = [Part(scaled(part.outline, -open_, 1), part.paint) for part in wings]
    return [*other, *wings, Part(disc(0, 0, float(rng.uniform(0.06, 0.11)), 0.5), "dark")]


def _cactus(rng: np.random.Generator) -> list[Part]:
    thick, tall = vary(rng, (0.16, 0.28), (0.75, 1.2))
    caps: list[Part] = []

    def limb(spine: FloatArray, half: float) -> Part:
        return Part(np.concatenate([tube(spine, half)[: len(spine)], *_cap(spine, half)]), "main")

    def _cap(spine: FloatArray, half: float) -> tuple[FloatArray, FloatArray]:
        tip = spine[-1]
        return arc(float(tip[0]), float(tip[1]), (half, half), np.pi, 0, 8), tube(spine, half)[len(spine) :]

    trunk = np.array([[0, -0.9], [0, 0], [0, tall - thick]], np.float32)
    parts = [limb(trunk, thick)]
    sides = [1, -1] if chance(rng, 0.7) else [1]
    for side in sides:
        at, out, up, half = vary(rng, (-0.35, 0.35), (0.4, 0.7), (0.3, 0.75), (0.1, 0.17))
        spine = path([[0, at], [out * 0.7, at + 0.02], [out, at + 0.2], [out, at + 0.2 + up]], 4)
        arm = limb(spine, half)
        parts.append(Part(arm.outline if side > 0 else mirrored(arm.outline), "main"))
        if chance(rng, 0.3):
            caps.append(Part(disc(side * out, at + 0.25 + up + half, 0.1), "third"))
    if chance(rng, 0.5):
        caps.append(Part(disc(0, tall, 0.14), "third"))
    for offset in np.linspace(-0.55, 0.55, int(rng.integers(2, 4))):
        parts.append(Part(tube([[offset * thick, -0.85], [offset * thick, tall - thick]], 0.02), "dark"))
    if chance(rng, 0.6):  # in a pot
        wide, deep = vary(rng, (0.32, 0.5), (0.35, 0.55))
        pot = [(wide * 0.7, -0.85 - deep), (wide, -0.8), (wide, -0.75)]
        parts += [
            Part(profile(pot, smooth=False), "second"),
            Part(box(-wide * 1.1, -0.85, wide * 1.1, -0.7), "second"),
        ]
    else:
        parts.append(Part(curve(points("-70,-95 0,-84 70,-95 40,-108 -40,-108")), "second"))
    return parts + caps


def _car(rng: np.random.Generator) -> list[Part]:
    wheel, low, belt, roof = vary(rng, (0.17, 0.26), (-0.3, -0.2), (0.02, 0.18), (0.4, 0.62))
    kind = int(rng.integers(3))
    if kind == 0:  # saloon
        a, b, c, d = vary(rng, (-0.85, -0.6), (-0.5, -0.25), (0.15, 0.4), (0.5, 0.75))
    elif kind == 1:  # van
        a, b, c, d = vary(rng, (-1.0, -0.97), (-0.97, -0.9), (0.45, 0.6), (0.75, 0.95))
    else:  # pick-up
        a, b, c, d = vary(rng, (-0.15, 0.0), (-0.08, 0.1), (0.3, 0.45), (0.5, 0.7))
    body = [[-1.05, low], [1.08, low], [1.08, belt - 0.12], [0.95, belt - 0.02], [d, belt], [c, roof], [b, roof]]
    parts = [Part(np.array([*body, [a, belt], [-1.05, belt - 0.03]], np.float32), "main")]
    gap = 0.07
    glass = np.array([[a + gap, belt], [d - gap, belt], [c - gap * 0.3, roof - gap], [b + gap * 0.3, roof - gap]])
    window = "light" if chance(rng, 0.5) else "dark"
    parts.append(Part(glass.astype(np.float32), window))
    for x in np.linspace(b, c, int(rng.integers(3, 5)))[1:-1]:
        parts.append(Part(tube([[x, belt - 0.02], [x, roof - gap * 0.5]], 0.035), "main"))
    if chance(rng, 0.4):
        parts.append(Part(box(-1.05, low + 0.1, 1.08, low + 0.2), "second"))
    parts.append(Part(disc(1.02, belt - 0.16, 0.07), "light"))
    for x in (-0.6 + rng.uniform(-0.08, 0.08), 0.62 + rng.uniform(-0.08, 0.08)):
        parts += [Part(disc(x, low, wheel), "dark"), Part(disc(x, low, wheel * rng.uniform(0.4, 0.6)), "light")]
    return parts


def _fish(rng: np.random.Generator) -> list[Part]:
    deep, long_, tail, fork = vary(rng, (0.32, 0.62), (0.75, 1.0), (0.25, 0.5), (0.0, 0.25))
    body = [[-long_, 0.05], [-0.4, deep * 0.7], [0.1, deep], [0.6, deep * 0.7], [0.98, 0.05], [0.6, -deep * 0.6]]
    body += [[0.1, -deep * 0.95], [-0.4, -deep * 0.65], [-long_, -0.05]]
    end = -long_ - rng.uniform(0.25, 0.5)
    fin = [[-long_ + 0.12, 0], [end, tail], [end + fork, 0], [end, -tail * rng.uniform(0.8, 1.1)]]
    parts = [Part(np.array(fin, np.float32), "second")]
    high = deep + rng.uniform(0.15, 0.4)
    dorsal = [[-0.35, deep * 0.6], [-0.3 + rng.uniform(0, 0.3), high], [0.35, deep * 0.8]]
    parts.append(Part(np.array(dorsal, np.float32), "second"))
    if chance(rng, 0.7):
        parts.append(Part(np.array([[-0.2, -deep * 0.6], [-0.25, -high], [0.2, -deep * 0.8]], np.float32), "second"))
    parts.append(Part(curve(body), "main"))
    kind = int(rng.integers(4))
    if kind == 0:
        for x in np.linspace(-0.4, 0.4, int(rng.integers(2, 4))):
            half = deep * (0.85 - 0.5 * abs(x - 0.1))
            parts.append(Part(tube(path([[x, half], [x - 0.08, 0], [x, -half]]), 0.07), "third"))
    elif kind == 1:
        belly = [[-0.6, -0.05], [0.75, -0.05], [0.55, -deep * 0.5], [0.1, -deep * 0.85], [-0.4, -deep * 0.55]]
        parts.append(Part(curve(belly), "light"))
    elif kind == 2:
        for x, y in rng.uniform((-0.5, -0.5), (0.4, 0.5), (5, 2)).tolist():
            parts.append(Part(disc(x, y * deep, 0.07), "third"))
    gill = path([[0.45, deep * 0.55], [0.36, 0], [0.45, -deep * 0.45]])
    parts += [Part(tube(gill, 0.025), "dark"), Part(disc(0.68, deep * 0.22, 0.1), "light")]
    parts.append(Part(disc(0.7, deep * 0.22, 0.055), "dark"))
    if chance(rng, 0.6):
        parts.append(Part(scaled(curve(points("18,-4 2,-20 -16,-26 -4,-8")), 1.3), "second"))
    return parts


def _house(rng: np.random.Generator) -> list[Part]:
    wide, tall, peak, eaves = vary(rng, (0.5, 0.9), (0.35, 0.8), (0.35, 0.75), (0.05, 0.2))
    ridge = 0.0 if chance(rng, 0.6) else wide * rng.uniform(0.3, 0.7)
    roof = [[-wide - eaves, tall], [wide + eaves, tall], [ridge, tall + peak], [-ridge, tall + peak]]
    parts = []
    if chance(rng, 0.6):
        x = wide * rng.uniform(0.35, 0.6)
        parts += [Part(box(x, tall, x + 0.2, tall + peak * rng.uniform(0.85, 1.2)), "third")]
    parts += [Part(box(-wide, -0.7, wide, tall), "main"), Part(np.array(roof, np.float32), "second")]
    door, half = float(rng.uniform(-0.6, 0.6)) * wide, float(rng.uniform(0.1, 0.16))
    parts.append(Part(box(door - half, -0.7, door + half, -0.7 + rng.uniform(0.4, 0.6)), "dark"))
    pane = "light" if chance(rng, 0.6) else "third"
    floors = 2 if tall > 0.55 else 1
    for floor in range(floors):
        y = tall - 0.28 - 0.5 * floor
        for x in np.linspace(-wide, wide, int(rng.integers(4, 6)))[1:-1]:
            if abs(x - door) > half + 0.1 or y > -0.05:
                parts.append(Part(box(x - 0.11, y - 0.13, x + 0.11, y + 0.13), pane))
                parts.append(Part(tube([[x, y - 0.13], [x, y + 0.13]], 0.015), "dark"))
    if chance(rng, 0.4) and ridge == 0:
        parts.append(Part(disc(0, tall + peak * 0.4, 0.12), pane))
    if chance(rng, 0.3):
        parts.append(Part(box(-wide - 0.1, -0.78, wide + 0.1, -0.68), "third"))
    return parts


def _leaf(rng: np.random.Generator) -> list[Part]:
    wide, stem, bend = vary(rng, (0.35, 0.65), (0.25, 0.5), (-0.2, 0.2))
    parts = [Part(tube(path([[0, -0.8], [bend * 0.5, -1.0], [bend, -1.0 - stem]]), 0.045), "second")]
    kind = int(rng.integers(3))
    if kind == 0:  # oval
        low = float(rng.uniform(-0.45, 0.1))
        blade = profile([(0, -0.95), (wide * 0.75, low - 0.3), (wide, low), (wide * 0.6, 0.55), (0.0, 1.05)])
        veins = [(0.5, y) for y in np.linspace(-0.6, 0.5, int(rng.integers(3, 6)))]
    elif kind == 1:  # lobed like oak
        lobes = int(rng.integers(3, 5))
        rows = [(0.0, -0.95)]
        for index, y in enumerate(np.linspace(-0.7, 0.75, 2 * lobes)):
            full = wide * (1.1 - 0.45 * abs(y))
            rows.append((full if index % 2 else full * rng.uniform(0.4, 0.6), float(y)))
        blade = profile([*rows, (0.0, 1.0)])
        veins = [(0.45, y) for y in np.linspace(-0.5, 0.4, lobes)]
    else:  # palmate like maple
        tips = int(rng.choice([5, 7]))
        angles = np.linspace(-0.75, 0.75, tips) * np.pi
        outline = []
        for index, angle in enumerate(angles):
            reach = (1.05 - 0.42 * abs(angle) / np.pi) * rng.uniform(0.92, 1.08)
            outline.append([np.sin(angle) * reach, np.cos(angle) * reach])
            if index < tips - 1:
                between = (angle + angles[index + 1]) / 2
                outline.append([np.sin(between) * 0.45, np.cos(between) * 0.45])
        blade = np.array([*outline, [0, -0.5]], np.float32)
        parts.append(Part(blade, "main"))
        for angle in angles:
            parts.append(Part(tube([[0, -0.5], [np.sin(angle) * 0.75, np.cos(angle) * 0.75]], 0.022), "light"))
        return [*parts, Part(tube([[0, -0.9], [0, -0.4]], 0.04), "second")]
    parts.append(Part(blade, "main"))
    vein = "light" if chance(rng, 0.6) else "dark"
    parts.append(Part(tube([[0, -0.95], [0, 0.85]], 0.03), vein))
    for share, y in veins:
        for side in (-1, 1):
            tip = [side * share * wide * 1.3, y + 0.28]
            parts.append(Part(tube([[0, y], tip], 0.018), vein))
    return parts


def _mushroom(rng: np.random.Generator) -> list[Part]:
    def one(scale: float) -> list[Part]:
        wide, high, stem, thick, flare = vary(rng, (0.6, 1.0), (0.4, 0.85), (0.6, 1.1), (0.13, 0.26), (1.0, 1.6))
        stalk = profile([(thick * flare, -stem), (thick, -stem * 0.5), (thick * 0.9, 0.1)])
        parts = [Part(stalk, "light" if chance(rng, 0.6) else "second")]
        sag = float(rng.uniform(0.05, 0.25))
        if chance(rng, 0.4):
            parts.append(Part(tube(path([[-thick * 1.7, -0.3], [0, -0.22], [thick * 1.7, -0.3]]), 0.06), "second"))
        dome = np.concatenate([arc(0, 0, (wide, high), 0, np.pi, 16), arc(0, 0, (wide, sag), np.pi, 2 * np.pi, 10)])
        if chance(rng, 0.25):  # pointed
            dome[:, 0] *= (1 - 0.5 * np.clip(dome[:, 1] / high, 0, 1)).astype(np.float32)
        parts.append(Part(dome, "main"))
        kind = int(rng.integers(3))
        if kind == 0:
            for x, y in rng.uniform((-0.65, 0.15), (0.65, 0.75), (6, 2)).tolist():
                parts.append(Part(disc(x * wide, y * high, rng.uniform(0.07, 0.14)), "light"))
        elif kind == 1:
            parts.append(Part(disc(0, -0.02, wide * 0.92, sag * 0.8), "third"))
        return [Part(scaled(part.outline, scale), part.paint) for part in parts]

    parts = one(1.0)
    if chance(rng, 0.35):
        away, scale = rng.choice([-1, 1]) * rng.uniform(0.6, 0.9), float(rng.uniform(0.4, 0.65))
        small = one(scale)
        parts += [Part(moved(part.outline, away, -0.4), part.paint) for part in small]
    return parts


OUTDOOR_SHAPES: dict[str, Shape] = {
    "anchor": _anchor,
    "apple": _apple,
    "boat": _boat,
    "butterfly": _butterfly,
    "cactus": _cactus,
    "car": _car,
    "fish": _fish,
    "house": _house,
    "leaf": _leaf,
    "mushroom": _mushroom,
}
