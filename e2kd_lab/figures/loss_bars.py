"""The two terms of the e2KD loss as bars, and their gradients as arrows."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Wedge

from e2kd_lab.figures.loss_places import LOWER_TITLE, RIGHT, UPPER_TITLE, LossPlaces
from e2kd_lab.figures.style import METHOD_COLOURS, small
from e2kd_lab.training.loss_terms import TermsAtTau

_TERMS = ("kd", "explanation", "total")
_COLOURS = {"kd": METHOD_COLOURS["kd"], "explanation": METHOD_COLOURS["e2kd"], "total": "#222222"}


class LossBars:
    """Both terms as bars, and their sum."""

    def __init__(self, figure: Figure, place: LossPlaces) -> None:
        self.scope = ""
        self.title = place.write(figure, RIGHT, UPPER_TITLE, "", heading=True)
        self.axes = axes = place.add_axes(figure, RIGHT, 2.08, 1.42, 0.92)
        self.bars = {name: axes.barh([row, 2], 0, 0.34, color=_COLOURS[name]) for row, name in enumerate(_TERMS[:2])}
        self.lines = {
            name: axes.text(0.02, row - 0.24, "", transform=axes.get_yaxis_transform(), fontsize=small())
            for row, name in enumerate(_TERMS)
        }
        axes.set_ylim(2.3, -0.6)
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.locator_params(axis="x", nbins=4)
        axes.tick_params(axis="x", length=2, pad=1.5)

    @property
    def moving(self) -> list[Artist]:
        """What a temperature and a weight change, and what lies above it."""
        bars, spines = (bar for pair in self.bars.values() for bar in pair), self.axes.spines
        return [self.title, self.axes.xaxis, *bars, spines["left"], spines["bottom"], *self.lines.values()]

    def show(self, at: TermsAtTau, lam: float) -> None:
        weighted, total = lam * at.explanation_loss, at.loss(lam)
        for bar in self.bars["kd"]:
            bar.set_width(at.kd_loss)
        for bar in self.bars["explanation"]:
            bar.set_width(weighted)
        self.bars["explanation"][1].set_x(at.kd_loss)
        for name, line in _lines(lam, at.kd_loss, weighted, total).items():
            self.lines[name].set_text(line)
        self.axes.set_xlim(0, max(total, 1e-12) * 1.02)
        self.title.set_text(f"Loss at λ = {lam:g}, {self.scope}")


class LossGradients:
    """Both gradients and their sum as arrows in the plane they span, in a half-disc with a round radius."""

    def __init__(self, figure: Figure, place: LossPlaces) -> None:
        self.title = place.write(figure, RIGHT, LOWER_TITLE, "", heading=True)
        axes = place.add_axes(figure, RIGHT - 0.09, 0.02, 1.6, 1.43)
        axes.set_axis_off()
        axes.set_aspect("equal", anchor="N")
        axes.set_xlim(-1.13, 1.13)
        axes.set_ylim(-1.0, 1.02)
        axes.add_patch(Wedge((0, 0), 1, 0, 180, facecolor="#F7F7F7", edgecolor="#BBBBBB", linewidth=0.5, zorder=0))
        axes.plot(*(0.5 * _arc(180)), color="#DDDDDD", linewidth=0.5, zorder=0.5)
        axes.text(0, -0.05, "0", fontsize=small(), ha="center", va="top")
        self.radius = axes.text(1.02, -0.05, "", fontsize=small(), ha="right", va="top")
        (self.arc,) = axes.plot([], [], color="#777777", linewidth=0.6, zorder=1)
        # The sum is the diagonal of this parallelogram.
        (self.sides,) = axes.plot([], [], ":", color="#999999", linewidth=0.6, zorder=1)
        # The sum is drawn first and thicker, so that it shows around an arrow on top of it.
        self.order = ("total", "kd", "explanation")
        self.arrows = axes.quiver(
            [0] * 3, [0] * 3, [0] * 3, [0] * 3, color=[_COLOURS[name] for name in self.order],
            edgecolor=[_COLOURS["total"], "none", "none"], linewidth=0.9, angles="xy", scale_units="xy", scale=1,
            units="inches", width=0.017, headwidth=4.5, headlength=5, headaxislength=4.5, minlength=0, zorder=2,
        )  # fmt: skip
        self.lines = {}
        for row, name in enumerate(_TERMS):
            y = -0.37 - 0.2 * row
            axes.plot([-1, -0.88], [y, y], color=_COLOURS[name], linewidth=2, solid_capstyle="butt")
            self.lines[name] = axes.text(-0.82, y, "", fontsize=small(), va="center")

    @property
    def moving(self) -> list[Artist]:
        """What a temperature and a weight change."""
        return [self.title, self.arc, self.sides, self.arrows, self.radius, *self.lines.values()]

    def show(self, at: TermsAtTau, lam: float) -> None:
        in_plane = dict(zip(_TERMS, at.in_plane(lam), strict=True))
        radius = _round_up(max(math.hypot(*tip) for tip in in_plane.values()))
        tips = {name: (x / radius, y / radius) for name, (x, y) in in_plane.items()}
        self.arrows.set_UVC(*zip(*(tips[name] for name in self.order), strict=True))
        self.sides.set_data(*zip(tips["kd"], tips["total"], tips["explanation"], strict=True))
        self.arc.set_data(*(0.17 * _arc(0 if math.isnan(at.angle) else at.angle)))
        self.radius.set_text(f"{radius:g}")
        weighted = lam * at.explanation_gradient
        for name, line in _lines(lam, at.kd_gradient, weighted, at.gradient(lam)).items():
            self.lines[name].set_text(line)
        angle = "one is zero" if math.isnan(at.angle) else f"angle {at.angle:.0f}°"
        self.title.set_text(f"Gradients, {angle}")


def _lines(lam: float, kd: float, weighted: float, total: float) -> dict[str, str]:
    """Text beside each term, in three significant digits."""
    kd_text, weighted_text, total_text = (f"{value:#.3g}".rstrip(".") for value in (kd, weighted, total))
    return {
        "kd": f"KD: {kd_text}",
        "explanation": f"{lam:g} × explanation: {weighted_text}",
        "total": f"sum: {total_text}",
    }


def _round_up(length: float) -> float:
    """The next round number."""
    if not length > 0:
        return 1.0
    power = 10 ** math.floor(math.log10(length))
    return next(step * power for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10, 12) if step * power >= length)


def _arc(degrees: float) -> np.ndarray:
    """Points on the unit circle from the first axis to an angle in degrees, (2, 91)."""
    turn = np.radians(np.linspace(0, degrees, 91))
    return np.stack([np.cos(turn), np.sin(turn)])
