"""Canvas for drawn scenes, with one light for everything, and elements that many scenes share."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from e2kd_lab.minidata.drawing.outlines import FloatArray, box, disc, tube
from e2kd_lab.minidata.drawing.painting import Colour, axes, noise, rgb

SUPERSAMPLING = 3
# Positions of the points of a ridge from left to right.
ACROSS = np.linspace(-0.02, 1.02, 27, dtype=np.float32)


class Canvas:
    """A picture to draw on, with its own light; positions are in 0..1, y downwards.

    Parameters
    ----------
    size
        Side of the finished picture in pixels.
    rng
        Source of everything random in it.
    """

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.side = size * SUPERSAMPLING
        self.image = Image.new("RGB", (self.side, self.side))
        self.pen = ImageDraw.Draw(self.image)
        # The light: a tint that all colours lean to, and a level.
        self.hue, self.lean, self.level = rng.uniform((0, 0.0, 0.75), (1, 0.25, 1.1)).tolist()
        self.sky_hue = float(rng.choice([rng.uniform(0.5, 0.7), rng.uniform(-0.1, 0.15), rng.uniform(0, 1)]))
        self.sky_low = self.lit(self.sky_hue + rng.uniform(-0.1, 0.1), rng.uniform(0.02, 0.4), rng.uniform(0.7, 1))

    def vary(self, *ranges: tuple[float, float]) -> list[float]:
        """One uniform draw from each range."""
        low, high = zip(*ranges, strict=True)
        return self.rng.uniform(low, high).tolist()

    def one(self, low: float, high: float) -> float:
        """One uniform draw."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)

    def lit(self, hue: float, saturation: float, value: float) -> Colour:
        """Colour of a surface under the light of the picture."""
        red, green, blue = rgb(hue, saturation, value * self.level)
        tint = rgb(self.hue, 0.5, value * self.level)
        mix = [round(own + self.lean * (light - own)) for own, light in zip((red, green, blue), tint, strict=True)]
        return mix[0], mix[1], mix[2]

    def ground(self, hue: float) -> tuple[float, float, float]:
        """Hue, saturation and value of some ground: usually near the hue named, sometimes any."""
        near, anything, saturation, value = self.vary((-0.12, 0.12), (0, 1), (0.15, 0.7), (0.45, 1.0))
        return (anything if self.chance(0.25) else hue + near), saturation, value

    def shape(self, outline: FloatArray, colour: Colour) -> None:
        """Paint an outline [n, 2] in one colour."""
        self.pen.polygon((outline * self.side).ravel().tolist(), fill=colour)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Paint a small disc."""
        left, top, right, bottom = (self.side * edge for edge in (x - radius, y - radius, x + radius, y + radius))
        self.pen.ellipse((left, top, right, bottom), fill=colour)

    def veil(self, outline: FloatArray, colour: Colour, cover: FloatArray) -> None:
        """Paint an outline [n, 2] in one colour as far as it covers, [size, size] clipped to 0..1."""
        mask = Image.new("L", (self.side, self.side))
        ImageDraw.Draw(mask).polygon((outline * self.side).ravel().tolist(), fill=255)
        thin = Image.fromarray((255 * np.clip(cover, 0, 1)).astype(np.uint8)).resize(mask.size)
        self.image.paste(colour, mask=ImageChops.multiply(mask, thin))

    def area(self, outline: FloatArray | None, first: Colour, second: Colour, tone: FloatArray) -> None:
        """Paint an outline [n, 2], or all, from one colour to another by a tone [size, size] clipped to 0..1."""
        weight = np.clip(tone, 0, 1)[..., None]
        low, high = np.array(first, np.float32), np.array(second, np.float32)
        texture = Image.fromarray((low + (high - low) * weight + 0.5).astype(np.uint8))
        texture = texture.resize((self.side, self.side), Image.Resampling.BILINEAR)
        if outline is None:
            self.image.paste(texture)
            return
        mask = Image.new("L", (self.side, self.side))
        ImageDraw.Draw(mask).polygon((outline * self.side).ravel().tolist(), fill=255)
        self.image.paste(texture, mask=mask)

    def hazy(self, colour: Colour, haze: float) -> Colour:
        """Colour seen through haze in 0..1: 1 is the sky above the horizon."""
        mix = [round(own + haze * (sky - own)) for own, sky in zip(colour, self.sky_low, strict=True)]
        return mix[0], mix[1], mix[2]

    def clouds(self, columns: int, rows: int) -> FloatArray:
        """Smooth noise [size, size]."""
        return noise(self.size, columns, rows, self.rng)

    def sky(self, bottom: float) -> None:
        """Sky with or without clouds, sun or moon, down to a height."""
        _, y = axes(self.size)
        saturation, value, drift = self.vary((0.1, 0.6), (0.4, 1), (0.1, 0.3))
        top = self.lit(self.sky_hue, saturation, value)
        tone = y / max(bottom, 0.2) + drift * self.clouds(3, 8)
        self.area(None, top, self.sky_low, np.broadcast_to(tone, (self.size, self.size)))
        if self.chance(0.2):
            pale = self.hazy((255, 255, 255), 0.3)
            for x, height, radius in self.rng.uniform((0, 0, 0.003), (1, bottom, 0.008), (25, 3)).tolist():
                self.dot(x, height, radius, pale)
        if self.chance(0.4):
            x, height, radius = self.vary((0.1, 0.9), (0.08, max(0.1, bottom - 0.05)), (0.03, 0.08))
            self.shape(disc(x, height, radius), rgb(self.hue + 0.1, 0.15, 0.98))
        if self.chance(0.5):
            pale = self.hazy((250, 250, 250), 0.3)
            for _ in range(int(self.rng.integers(1, 5))):
                x, height, wide = self.vary((0, 1), (0.03, max(0.05, bottom - 0.1)), (0.05, 0.14))
                for offset in (-0.9, 0.0, 0.8):
                    self.shape(disc(x + offset * wide, height, wide * self.rng.uniform(0.6, 1), wide * 0.28), pale)

    def ridge(self, height: float, swing: float, roughness: float) -> FloatArray:
        """Heights [27] of a skyline at `ACROSS`: swells of some swing with ever finer ones added."""
        heights = np.full(len(ACROSS), height, np.float32)
        for octave, knots in enumerate((3, 5, 9, 18)):
            values = self.rng.standard_normal(knots)
            if octave == 0:
                phase = np.arange(knots) * 2.0 + self.rng.uniform(0, 6.3)
                values = np.sin(phase)
            between = np.interp(ACROSS, np.linspace(0, 1, knots), values)
            heights += np.asarray(swing * roughness**octave * between, np.float32)
        return heights

    def finished(self) -> Image.Image:
        """The finished picture, size x size pixels, as from a camera: rotated a little, cropped, maybe flipped."""
        turn, zoom = float(np.clip(self.rng.normal(0, 0.05), -0.12, 0.12)), self.one(0.62, 0.89)
        cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
        # The crop stays within the canvas.
        slack = max(0.0, (1 - abs(cos) - abs(sin)) / 2) * self.side
        x, y = (self.side / 2 + self.rng.uniform(-slack, slack, 2)).tolist()
        flip, half = (-1 if self.chance(0.5) else 1), self.side / 2
        matrix = (flip * cos, -sin, x - half * (flip * cos - sin), flip * sin, cos, y - half * (flip * sin + cos))
        taken = self.image.transform(self.image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        small = np.asarray(taken.reduce(SUPERSAMPLING), np.float32) / 255
        contrast, level, grain = self.vary((0.85, 1.2), (-0.05, 0.05), (0, 0.04))
        coarse = grain * small * self.rng.standard_normal((self.size, self.size, 1), dtype=np.float32)
        shown = np.clip(0.5 + level + contrast * (small - 0.5) + coarse, 0, 1)
        return Image.fromarray((255 * shown + 0.5).astype(np.uint8))


def under(heights: FloatArray, bottom: float = 1.02) -> FloatArray:
    """Outline of all between heights [27] at `ACROSS` and a bottom."""
    corners = np.array([[ACROSS[-1], bottom], [ACROSS[0], bottom]], np.float32)
    return np.concatenate([np.stack([ACROSS, heights], 1), corners])


def darker(colour: Colour, share: float) -> Colour:
    """Colour at a share of its brightness; shares above 1 lighten, up to 255."""
    red, green, blue = (min(255, round(channel * share)) for channel in colour)
    return red, green, blue


def water(canvas: Canvas, outline: FloatArray, top: float, colour: Colour | None = None) -> None:
    """Calm water with ripples that grow towards the viewer, within an outline from a height downwards."""
    colour = colour or canvas.lit(*canvas.ground(0.55))
    _, y = axes(canvas.size)
    depth = np.sqrt(np.clip((y - top) / max(1 - top, 0.1), 0, 1))
    bands = np.sin(2 * math.pi * canvas.rng.uniform(7, 11) * depth + 1.2 * canvas.clouds(4, 6))
    tone = 0.45 + 0.25 * bands + 0.25 * canvas.clouds(4, 16)
    canvas.area(outline, darker(colour, 0.7), canvas.hazy(colour, 0.5), tone)


def conifer(canvas: Canvas, x: float, foot: float, height: float, colour: Colour) -> None:
    """Fir of three storeys."""
    half = height * canvas.rng.uniform(0.18, 0.28)
    for share in (0.0, 0.3, 0.55):
        wide, low = half * (1 - share), foot - height * share * 0.9
        canvas.shape(np.array([[x - wide, low], [x + wide, low], [x, foot - height]], np.float32), colour)


def tree(canvas: Canvas, x: float, foot: float, height: float, leaves: Colour, bark: Colour) -> None:
    """Leafy tree."""
    canvas.shape(tube([[x, foot], [x, foot - height * 0.6]], height * 0.06), bark)
    for dx, dy in ((-0.2, 0.6), (0.2, 0.62), (0.0, 0.8)):
        canvas.shape(disc(x + dx * height, foot - dy * height, height * canvas.rng.uniform(0.22, 0.3)), leaves)


def backdrop(canvas: Canvas, foot: float, high: float = 0.12) -> Colour:
    """Far hills, peaks, woods or roofs that many scenes have behind them; returns their colour."""
    colour = canvas.hazy(canvas.lit(*canvas.ground(0.4)), canvas.one(0.3, 0.6))
    kind = int(canvas.rng.integers(4))
    if kind == 0:
        canvas.shape(under(np.minimum(canvas.ridge(foot - high * 0.4, high * 0.4, 0.5), foot), foot + 0.02), colour)
    elif kind == 1:
        for x, wide in canvas.rng.uniform((0, 0.1), (1, 0.3), (5, 2)).tolist():
            peak = np.array([[x - wide, foot], [x, foot - high * canvas.one(0.5, 1.2)], [x + wide, foot]], np.float32)
            canvas.shape(peak, colour)
            canvas.shape(np.stack([peak[1], peak[2], [x + wide * 0.2, foot]]), darker(colour, 0.8))
    elif kind == 2:
        canvas.shape(box(-0.02, foot - high * 0.2, 1.02, foot + 0.02), colour)
        for x in canvas.rng.uniform(0, 1, 14).tolist():
            canvas.dot(x, foot - high * 0.15, high * canvas.one(0.15, 0.4), darker(colour, canvas.one(0.75, 1)))
    else:
        for x, wide, tall in canvas.rng.uniform((0, 0.02, 0.2), (1, 0.07, 1), (9, 3)).tolist():
            canvas.shape(box(x - wide, foot - high * tall, x + wide, foot + 0.02), darker(colour, canvas.one(0.75, 1)))
    return colour
