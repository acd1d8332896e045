"""Natural scenes, each drawn with much variety."""

from __future__ import annotations

import math

import numpy as np

from e2kd_lab.minidata.drawing.outlines import arc, box, curve, disc, moved, path, tube
from e2kd_lab.minidata.drawing.painting import Colour, axes, rgb
from e2kd_lab.minidata.drawing.scene_canvas import ACROSS, Canvas, backdrop, conifer, darker, under, water


def draw_beach(canvas: Canvas) -> None:
    """Sea, a winding shore with foam, and sand."""
    horizon = float(canvas.rng.uniform(0.22, 0.45))
    canvas.sky(horizon)
    if canvas.chance(0.4):
        backdrop(canvas, horizon, 0.06)
    water(canvas, box(-0.02, horizon, 1.02, 1.02), horizon)
    left, right, bow = canvas.vary((0.7, 1.05), (0.45, 0.75), (-0.1, 0.1))
    shore = left + (right - left) * ACROSS + bow * np.sin(math.pi * ACROSS) + 0.02 * np.sin(ACROSS * 9 + left * 40)
    shore = np.clip(shore, horizon + 0.1, 1.0).astype(np.float32)
    hue, saturation, value = canvas.ground(0.11)
    sand = canvas.lit(hue, saturation * 0.8, max(value, 0.6))
    for offset, colour in ((-0.035, canvas.hazy((255, 255, 255), 0.15)), (-0.012, darker(sand, 0.75))):
        canvas.shape(under(shore + np.float32(offset)), colour)
    canvas.area(under(shore), darker(sand, 0.8), sand, 0.6 + 0.25 * canvas.clouds(24, 24) + 0.15 * canvas.clouds(4, 4))
    if canvas.chance(0.5):  # a second line of foam out at sea
        foam = shore - np.float32(canvas.rng.uniform(0.08, 0.14))
        canvas.shape(tube(np.stack([ACROSS, np.maximum(foam, horizon + 0.03)], 1), 0.007), (235, 240, 240))
    thing = int(canvas.rng.integers(4))
    x, y = canvas.vary((0.5, 0.9), (0.78, 0.95))
    bright = canvas.lit(canvas.rng.uniform(0, 1), 0.7, 0.95)
    if thing == 0:  # parasol
        canvas.shape(tube([[x, y], [x - 0.03, y - 0.26]], 0.008), (90, 80, 70))
        canvas.shape(arc(x - 0.03, y - 0.22, (0.15, 0.12), math.pi, 2 * math.pi), bright)
    elif thing == 1:  # palm
        bend = canvas.rng.uniform(-0.2, 0.0)
        trunk = path([[x, y], [x + bend * 0.3, y - 0.25], [x + bend, y - 0.5]])
        canvas.shape(tube(trunk, 0.016), canvas.lit(0.08, 0.5, 0.4))
        leaf = canvas.lit(*canvas.ground(0.33))
        for angle in canvas.rng.uniform(-0.3, 0.3) + np.arange(7) * 0.9:
            tip = trunk[-1] + 0.2 * np.array([math.cos(angle), 0.6 * math.sin(angle) + 0.2], np.float32)
            middle = (trunk[-1] + tip) / 2 + np.array([0, -0.05], np.float32)
            spine = path([[*trunk[-1], 0.004], [*middle, 0.02], [*tip, 0.002]], 3)
            canvas.shape(tube(spine), leaf)
    elif thing == 2:  # a boat at sea
        at = canvas.rng.uniform(0.1, 0.5)
        canvas.shape(
            np.array([[at, horizon + 0.02], [at + 0.05, horizon - 0.1], [at + 0.06, horizon + 0.02]]), (240, 240, 240)
        )


def draw_cave(canvas: Canvas) -> None:
    """The world outside seen through the mouth of a cave."""
    rng = canvas.rng
    canvas.sky(rng.uniform(0.4, 0.8))
    floor = float(rng.uniform(0.6, 0.8))
    if canvas.chance(0.5):
        water(canvas, box(-0.02, floor, 1.02, 1.02), floor)
    else:
        hill = canvas.ridge(floor, 0.08, 0.5)
        far = canvas.lit(*canvas.ground(0.3))
        canvas.area(under(hill), darker(far, 0.8), far, 0.5 + 0.4 * canvas.clouds(6, 6))
    hue, saturation, value = canvas.ground(0.07)
    value = max(value, 0.55)
    size, place = rng.uniform(0.18, 0.33, 2), rng.uniform((0.35, 0.35), (0.65, 0.7))
    for depth, share in ((0, 1.0), (1, 0.6)):
        rock = canvas.lit(hue, saturation, value * share)
        wide, high = size[0] + 0.07 * depth, size[1] + 0.07 * depth
        x, y = (place + rng.uniform(-0.05, 0.05, 2)).tolist()
        angle = np.linspace(0, 2 * math.pi, 17)[:-1]
        knots = np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], 1)
        mouth = curve(knots + rng.normal(0, 0.035, knots.shape), 4)
        # The wall runs round the mouth and back round the picture, so that the mouth stays open.
        level = float(mouth[0, 1])
        frame = [mouth[0], [1.05, level], [1.05, -0.05], [-0.05, -0.05], [-0.05, 1.05], [1.05, 1.05], [1.05, level]]
        wall = np.concatenate([mouth, np.array(frame, np.float32)])
        tone = 0.5 + 0.35 * canvas.clouds(7, 9) + 0.25 * canvas.clouds(16, 20)
        canvas.area(wall, darker(rock, 0.45), rock, tone)
        for _ in range(int(rng.integers(2, 6))):  # stalactites and stalagmites
            at = rng.uniform(x - wide * 0.8, x + wide * 0.8)
            rim = high * math.sqrt(max(0.0, 1 - ((at - x) / wide) ** 2))
            long_, half = rng.uniform(0.08, 0.24), rng.uniform(0.02, 0.05)
            side = -1 if rng.random() < 0.7 else 1
            base = y + side * (rim + 0.06)
            tip = base - side * (long_ + 0.06)
            canvas.shape(np.array([[at - half, base], [at + half, base], [at, tip]], np.float32), darker(rock, 0.6))


def draw_desert(canvas: Canvas) -> None:
    """Dunes with their lee sides in shadow."""
    rng = canvas.rng
    horizon = float(rng.uniform(0.25, 0.55))
    canvas.sky(horizon)
    hue, saturation, value = canvas.ground(0.09)
    saturation = max(saturation, 0.3)
    if canvas.chance(0.3):
        backdrop(canvas, horizon)
    elif canvas.chance(0.5):
        _table_mountains(canvas, horizon, canvas.hazy(canvas.lit(hue - 0.04, saturation, value * 0.7), 0.25))
    count = int(rng.integers(3, 6))
    for index in range(count):
        _dune(canvas, horizon, index / count, (hue, saturation, value))
    if canvas.chance(0.35):
        _cactus(canvas)


def _table_mountains(canvas: Canvas, horizon: float, stone: Colour) -> None:
    for _ in range(int(canvas.rng.integers(1, 4))):
        middle, wide, high = canvas.vary((0.0, 1.0), (0.1, 0.25), (0.08, 0.22))
        left, right = [middle - wide * 0.75, horizon - high], [middle + wide * 0.65, horizon - high]
        mesa = np.array([[middle - wide, horizon + 0.1], left, right, [middle + wide, horizon + 0.1]], np.float32)
        canvas.shape(mesa, stone)
        shaded = np.array([[middle + wide * 0.1, horizon - high], right, mesa[3]], np.float32)
        canvas.shape(shaded, darker(stone, 0.75))


def _dune(canvas: Canvas, horizon: float, near: float, ground: tuple[float, float, float]) -> None:
    """A dune between the horizon (near 0) and the viewer (near 1)."""
    rng, (hue, saturation, value) = canvas.rng, ground
    x, y = axes(canvas.size)
    level, high = horizon + (1 - horizon) * near**1.2 + 0.04, (0.06 + 0.16 * near) * rng.uniform(0.6, 1.3)
    peak, wide = rng.uniform(0.05, 0.95), rng.uniform(0.25, 0.5)
    away = (ACROSS - peak) / wide
    crest = level - high * (1 / (1 + away**2 * np.where(away > 0, 2.5, 1.0)) - 0.4)
    crest = (crest + 0.02 * np.sin(ACROSS * 7 + peak * 30)).astype(np.float32)
    sand = canvas.hazy(canvas.lit(hue + rng.uniform(-0.02, 0.02), saturation, value), 0.3 * (1 - near))
    ripples = np.sin(2 * math.pi * (rng.uniform(9, 14) * y + rng.uniform(-4, 4) * x) + 2 * canvas.clouds(3, 3))
    tone = 0.65 + 0.3 * near * ripples + 0.12 * canvas.clouds(5, 5)
    canvas.area(under(crest), darker(sand, 0.8), sand, tone)
    # The lee side lies in shadow from the crest down along one winding edge.
    top = np.array([peak, np.interp(peak, ACROSS, crest)], np.float32)
    winding = np.array([[0, 0], [-0.03, 0.06], [0.06, 0.16], [0.32, 0.26], [0.36, 0.42], [0.8, 0.8]])
    winding *= [wide * rng.uniform(0.8, 1.5), 0.6]
    edge = path(top + winding, 4)
    beyond = np.stack([ACROSS, crest], 1)[peak < ACROSS]
    lee = np.concatenate([beyond, [[1.05, 1.05], [float(edge[-1, 0]), 1.05]], edge[::-1]]).astype(np.float32)
    canvas.area(lee, darker(sand, 0.5), darker(sand, 0.72), 0.4 + (y - level) * 3 + 0.2 * canvas.clouds(4, 4))


def _cactus(canvas: Canvas) -> None:
    at, foot, tall = canvas.vary((0.1, 0.9), (0.75, 0.95), (0.15, 0.35))
    plant, thick = canvas.lit(*canvas.ground(0.35)), tall * 0.1
    canvas.shape(tube([[at, foot], [at, foot - tall]], thick), plant)
    for side in canvas.rng.choice([-1.0, 1.0], 2).tolist():
        arm = [[0, 0.4], [0.3 * side, 0.5], [0.32 * side, 0.8]]
        canvas.shape(tube(path(np.array(arm) * [tall, -tall] + [at, foot]), thick * 0.7), plant)


def draw_forest(canvas: Canvas) -> None:
    """Trunks in several depths below a canopy."""
    rng = canvas.rng
    hue, saturation, value = canvas.ground(0.3)
    leaf = canvas.lit(hue, saturation, value)
    tone = 0.5 + 0.3 * canvas.clouds(8, 8) + 0.3 * canvas.clouds(20, 20)
    canvas.area(None, canvas.hazy(darker(leaf, 0.6), 0.2), canvas.hazy(leaf, 0.6), tone)
    floor = float(rng.uniform(0.65, 0.85))
    earth = canvas.lit(*canvas.ground(0.1))
    canvas.area(under(canvas.ridge(floor, 0.02, 0.6)), darker(earth, 0.5), earth, 0.5 + 0.4 * canvas.clouds(18, 12))
    if canvas.chance(0.35):  # a path
        x = float(rng.uniform(0.3, 0.7))
        way = [[x, floor], [x + 0.03, floor], [x + 0.3, 1.02], [x - 0.25, 1.02]]
        canvas.shape(np.array(way, np.float32), canvas.hazy(earth, 0.4))
    bark_hue, bark_saturation, bark_value = canvas.ground(0.07)
    bare, slope = canvas.chance(0.4), float(rng.normal(0, 0.04))
    for near in np.linspace(0, 1, int(rng.integers(3, 5))).tolist():
        bark = canvas.hazy(
            canvas.lit(bark_hue, bark_saturation * 0.7, bark_value * (0.85 - 0.4 * near)), 0.55 * (1 - near)
        )
        count = int(rng.integers(3, 8 - int(3 * near)))
        for x in ((np.arange(count) + rng.uniform(0, 1, count)) / count).tolist():
            half = (0.012 + 0.035 * near) * rng.uniform(0.7, 1.3)
            foot, lean = floor + (0.03 + 0.2 * near) * rng.uniform(0.5, 1.2), slope + rng.normal(0, 0.02)
            trunk = np.array([[x, foot, half * 1.4], [x + lean * 0.4, 0.4, half], [x + lean, -0.05, half * 0.8]])
            outline = tube(trunk)
            canvas.shape(outline, bark)
            middle = moved(trunk[:, :2], half * 0.2, 0)
            canvas.shape(np.concatenate([outline[:3], middle[::-1]]), darker(bark, 0.7))
            if bare:
                for y in rng.uniform(0.05, 0.5, 2).tolist():
                    out = rng.choice([-1, 1]) * rng.uniform(0.06, 0.15)
                    canvas.shape(tube([[x, y + 0.08], [x + out, y]], half * 0.3), bark)
    if not bare:
        top = float(rng.uniform(0.15, 0.35))
        for px, py in rng.uniform((0, -0.05), (1, top), (34, 2)).tolist():
            shade = rng.uniform(0.45, 1.0)
            canvas.dot(px, py, rng.uniform(0.04, 0.08), darker(leaf, shade))
    fern = canvas.lit(hue + rng.uniform(-0.08, 0.08), saturation, value * 0.8)
    for px, py, high in rng.uniform((0, floor, 0.03), (1, 1.05, 0.1), (int(rng.integers(0, 14)), 3)).tolist():
        for lean in (-0.7, 0.0, 0.7):
            canvas.shape(np.array([[px - 0.01, py], [px + 0.01, py], [px + lean * high, py - high]]), fern)


def draw_mountains(canvas: Canvas) -> None:
    """Peaks with a lit and a shaded side, most with snow."""
    rng = canvas.rng
    base = float(rng.uniform(0.6, 0.95))
    canvas.sky(0.6)
    hue, saturation, value = canvas.ground(0.62)
    snow = canvas.hazy((250, 250, 252), 0.1) if canvas.chance(0.75) else None
    layers = int(rng.integers(2, 4))
    for index in range(layers):
        near = (index + 1) / layers
        rock = canvas.hazy(canvas.lit(hue, saturation, value * 0.8), 0.55 * (1 - near))
        peaks = int(rng.integers(2, 5))
        for x in rng.permutation((np.arange(peaks) + rng.uniform(0.1, 0.9, peaks)) / peaks).tolist():
            high, wide = rng.uniform(0.3, 0.55) * (1.25 - 0.45 * near), rng.uniform(0.25, 0.42)
            top = np.array([x, base - high], np.float32)
            steps = np.array([0, 0.18, 0.4, 0.65, 1.0])[:, None]
            sides = []
            for end in (x - wide, x + wide):
                edge = top + steps * (np.array([end, base + 0.05]) - top)
                edge[1:-1] += rng.normal(0, 0.018, (3, 2))
                sides.append(edge.astype(np.float32))
            middle = top + steps * (np.array([x + rng.uniform(-0.1, 0.1), base + 0.05]) - top)
            middle[1:-1, 0] += rng.normal(0, 0.03, 3)
            ridge = middle.astype(np.float32)
            for side, shade in zip(sides, (1.0, 0.6), strict=True):
                canvas.shape(np.concatenate([side, ridge[::-1]]), darker(rock, shade))
                if snow:
                    notch, tongue = 0.4 * side[1] + 0.6 * ridge[1], ridge[2] - np.array([0, 0.06])
                    cap = np.array([side[0], side[1], side[1:3].mean(0), notch, tongue, ridge[1]], np.float32)
                    canvas.shape(cap, darker(snow, 0.6 + 0.4 * shade))
    if canvas.chance(0.4):
        water(canvas, box(-0.02, base, 1.02, 1.02), base)
    else:
        meadow = canvas.lit(*canvas.ground(0.3))
        canvas.area(
            under(canvas.ridge(base, 0.03, 0.5)), darker(meadow, 0.7), meadow, 0.5 + 0.3 * canvas.clouds(16, 16)
        )
    if canvas.chance(0.5):
        wood = canvas.lit(*canvas.ground(0.35)[:2], 0.3)
        for x in rng.uniform(0, 1, int(rng.integers(3, 9))).tolist():
            conifer(canvas, x, base + rng.uniform(0.05, 0.2), float(rng.uniform(0.1, 0.25)), wood)


def draw_night_sky(canvas: Canvas) -> None:
    """Stars over a dark horizon."""
    rng = canvas.rng
    hue, saturation = canvas.sky_hue, float(rng.uniform(0.2, 0.8))
    value = float(rng.uniform(0.2, 0.7))
    low = float(rng.uniform(0.6, 1.0))
    _, y = axes(canvas.size)
    top, glow = rgb(hue, saturation, value * 0.5), rgb(hue + rng.uniform(-0.15, 0.15), saturation * 0.8, value * 1.5)
    kind = int(rng.integers(3))
    tone = 0.6 * y**2 + 0.15 * canvas.clouds(4, 4)
    if kind == 1:  # the Milky Way
        x, _ = axes(canvas.size)
        angle = rng.uniform(-1, 1)
        band = (x - 0.5) * math.cos(angle) + (y - 0.4) * math.sin(angle) + 0.05 * canvas.clouds(5, 5)
        tone = tone + np.exp(-((band / 0.12) ** 2)) * (0.6 + 0.25 * canvas.clouds(12, 12))
    elif kind == 2:  # northern lights
        x, _ = axes(canvas.size)
        veil = 0.3 + 0.1 * np.sin(6 * x + rng.uniform(0, 6)) + 0.06 * canvas.clouds(5, 2)
        rays = 0.7 + 0.35 * canvas.clouds(20, 2)
        tone = tone + 1.1 * rays * np.where(y < veil, np.exp((y - veil) * 6), np.exp((veil - y) * 18))
    canvas.area(None, top, glow, tone)
    pale = rgb(hue, 0.08, 1.0)
    for left, height, radius in rng.uniform((0, 0, 0.003), (1, low, 0.011), (int(rng.integers(35, 90)), 3)).tolist():
        canvas.dot(left, height, radius, darker(pale, 0.5 + 45 * radius))
    for left, height in rng.uniform((0, 0), (1, 0.7), (int(rng.integers(1, 5)), 2)).tolist():
        spark = float(rng.uniform(0.015, 0.03))
        for wide, tall in ((spark, spark * 0.2), (spark * 0.2, spark)):
            star = [[left - wide, height], [left, height - tall], [left + wide, height], [left, height + tall]]
            canvas.shape(np.array(star, np.float32), pale)
    if canvas.chance(0.55):
        across, height, radius = canvas.vary((0.15, 0.85), (0.12, 0.5), (0.05, 0.12))
        canvas.shape(disc(across, height, radius), rgb(hue + 0.4, 0.12, 0.97))
        if canvas.chance(0.6):
            canvas.shape(disc(across + radius * 0.45, height - radius * 0.2, radius * 0.9), darker(top, 1.1))
    land = rgb(hue, saturation * 0.7, value * 0.22)
    canvas.shape(under(canvas.ridge(low, float(rng.uniform(0.01, 0.06)), 0.5)), land)
    if canvas.chance(0.25):
        water(canvas, box(-0.02, low, 1.02, 1.02), low, land)
    elif canvas.chance(0.6):
        for x in rng.uniform(0, 1, int(rng.integers(2, 9))).tolist():
            conifer(canvas, x, low + 0.05, float(rng.uniform(0.1, 0.3)), land)


def draw_waves(canvas: Canvas) -> None:
    """Rows of waves with foam up to the horizon."""
    rng = canvas.rng
    horizon = float(rng.uniform(-0.1, 0.4))
    canvas.sky(max(horizon, 0.05))
    if horizon > 0.15 and canvas.chance(0.3):
        backdrop(canvas, horizon, 0.06)
    hue, saturation, value = canvas.ground(0.53)
    sea, foam = canvas.lit(hue, saturation, value), canvas.hazy((250, 252, 252), 0.1)
    x, y = axes(canvas.size)
    if canvas.chance(0.35):  # a swell in long rows, broken by patches of foam
        depth = np.sqrt(np.clip((y - horizon) / (1 - horizon), 0, 1))
        slant, rows = rng.uniform(-0.25, 0.25), rng.uniform(3, 6)
        phase = rows * (depth + slant * (x - 0.5)) + 0.3 * canvas.clouds(4, 4)
        swell = 1 - np.abs(np.sin(math.pi * phase)) ** 0.7
        rest = box(-0.02, horizon, 1.02, 1.02)
        canvas.area(rest, darker(sea, 0.5), sea, 0.25 + 0.6 * swell + 0.15 * canvas.clouds(6, 20))
        white = swell + 0.25 * canvas.clouds(7, 12) + 0.15 * canvas.clouds(22, 22) - rng.uniform(0.7, 0.95)
        canvas.veil(rest, foam, 6 * white * np.clip(depth * 2, 0, 1))
        return
    canvas.area(box(-0.02, horizon, 1.02, 1.02), darker(sea, 0.6), sea, 0.5 + 0.3 * canvas.clouds(5, 18))
    count, sharp, white = int(rng.integers(3, 7)), rng.uniform(0.6, 1.3), rng.uniform(0.2, 1.0)
    for index in range(count):
        near = (index + 0.6) / count
        level = horizon + (1 - horizon) * near**1.3
        length, high = 0.12 + 0.5 * near * rng.uniform(0.7, 1.2), (0.02 + 0.12 * near) * rng.uniform(0.6, 1.4)
        phase = (ACROSS / length + rng.uniform(0, 1)) % 1
        # Sharp crests and round troughs, as waves have them.
        crest = level - high * (1 - np.abs(np.sin(math.pi * phase)) ** sharp)
        crest = (crest + 0.03 * near * np.sin(ACROSS * 5 + phase[0] * 6)).astype(np.float32)
        colour = canvas.hazy(canvas.lit(hue + rng.uniform(-0.03, 0.03), saturation, value), 0.35 * (1 - near))
        streaks = np.sin(2 * math.pi * (3 + 6 * near) * (y * 2 + 0.4 * x) + 2.5 * canvas.clouds(4, 4))
        canvas.shape(under(crest - np.float32(0.012 + 0.014 * near)), canvas.hazy(foam, 0.0 if white > 0.4 else 0.5))
        canvas.area(under(crest), darker(colour, 0.5), colour, 0.6 + 0.3 * streaks + (level - y) * 3)
        for at in np.flatnonzero((phase < 0.18) | (phase > 0.85)).tolist():
            for dx, dy, radius in rng.uniform((-0.03, -0.03, 0.4), (0.03, 0.06, 1.2), (3, 3)).tolist():
                if rng.random() < white:
                    canvas.dot(
                        float(ACROSS[at]) + dx, float(crest[at]) + dy * near, (0.006 + 0.018 * near) * radius, foam
                    )
