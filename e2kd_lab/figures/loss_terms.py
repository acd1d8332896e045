"""The two terms of the e2KD loss: their inputs, their values, and their gradients (Eq. 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from matplotlib.text import Text
from torch import Tensor

from e2kd_lab.explanations import Comparison, ExplanationMethod
from e2kd_lab.figures.explanations import frame
from e2kd_lab.figures.map_pictures import Pictures, pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_TITLES, TEXT_WIDTH, new_figure, small, styled
from e2kd_lab.training.loss_terms import LossTerms, TermsAtTau

_CLASSES_SHOWN = 8
_TERMS = ("kd", "explanation", "total")
_COLOURS = {"kd": METHOD_COLOURS["kd"], "explanation": METHOD_COLOURS["e2kd"], "total": "#222222"}
# Positions in inches from the lower left corner at the paper's width: left and right column, upper and lower row.
_HEIGHT, _LEFT, _RIGHT, _UPPER_TITLE, _LOWER_TITLE = 3.2, 0.08, 3.28, 3.06, 1.5
_CELL, _GAP = 0.93, 0.05
_BELOW = 1.62  # height of the right column's contents where they stand below the left one


class LossPicture:
    """The e2KD loss of one image (Eq. 2): its maps and distributions, its two terms, and their gradients.

    Left: the maps, each divided by its L2 norm, on one colour scale; and the softened probabilities of the classes that
    the teacher finds most likely, and of the student's first. Right: the loss; and the gradients of its two terms with
    respect to the student's parameters, in the plane they span, with true lengths and angle. A gradient step goes
    against their sum.

    Parameters
    ----------
    image : Tensor
        RGB image in [0, 1], (3, H, W).
    terms : LossTerms
        Loss terms of this image alone, see `e2kd_lab.training.loss_terms`.
    tau, lam : float
        Temperature, > 0, and weight of the explanation loss, >= 0.
    batch : LossTerms, optional
        Show the loss and gradients of these images instead.
    student : str
        Method name of the student, or another title.
    classes : sequence of str
        Names of the classes; numbers by default.
    title : str
        Caption of the image.
    explanation : str or ExplanationMethod
        Explanation method of the maps.
    contributions : bool
        Show each pixel's contribution to the logit instead of W(x), for B-cos networks.

    Attributes
    ----------
    figure : Figure
        As wide as the paper's text, for the last values given to `move`.
    data : DataFrame
        Numbers of the figure: ``part``, ``name``, ``value``. Loss and gradient of the explanation are unweighted, the
        total is weighted.

    Raises
    ------
    ValueError
        If ``terms`` are those of several images.

    Examples
    --------
    >>> import torch
    >>> import e2kd_lab as lab
    >>> teacher, student = (lab.build_model("resnet_mini", 3).eval() for _ in range(2))
    >>> images = torch.rand(1, 3, 32, 32)
    >>> terms = lab.training.loss_terms(student, images, lab.explain(teacher, images))
    >>> picture = LossPicture(images[0], terms, tau=1.0, lam=5.0)
    >>> picture.move(tau=2.0, lam=5.0)
    """

    def __init__(
        self,
        image: Tensor,
        terms: LossTerms,
        *,
        tau: float = 1.0,
        lam: float = 1.0,
        batch: LossTerms | None = None,
        student: str = "e2kd",
        classes: Sequence[str] = (),
        title: str = "",
        contributions: bool = False,
        explanation: ExplanationMethod | str = "gradcam",
    ) -> None:
        if len(terms) != 1:
            raise ValueError(f"LossPicture needs the loss terms of one image, got those of {len(terms)}.")
        self.cosine = terms.cosines.item()
        self._weighed = terms if batch is None else batch
        names = tuple(classes) or tuple(f"class {number}" for number in range(terms.target.logits.shape[1]))
        maps = {"teacher": terms.target.maps, "student": terms.student.maps}
        pictures = pictures_of(Comparison(image[None], maps, {}, explanation=explanation), contributions)
        student_title = METHOD_TITLES.get(student, student)
        explained = _short(names[int(terms.target.classes[0])], 22)
        with styled():
            place = _Places.of(current_options().inches)
            self.figure = new_figure(place.height, placed=True)
            _draw_maps(self.figure, place, image, pictures, student_title)
            place.write(self.figure, _LEFT, 1.955, _short(title, 20))
            cosine = f"{self.cosine:.2f}".replace("-", "−")
            place.write(self.figure, _LEFT + _CELL + _GAP, 1.955, f"maps of “{explained}”: cosine {cosine}")
            colour = METHOD_COLOURS.get(student, METHOD_COLOURS["baseline"])
            self._probabilities = _Probabilities(self.figure, place, terms, names, student_title, colour)
            self._loss = _LossBars(self.figure, place, "this image" if batch is None else f"{len(batch)} images")
            self._gradients = _Gradients(self.figure, place)
        self.move(tau, lam)

    def move(self, tau: float, lam: float) -> None:
        """Show another temperature and weight; only what depends on them is redrawn."""
        at = self._weighed.at(tau)
        with styled():
            shown = self._probabilities.show(tau)
            self._loss.show(at, lam)
            self._gradients.show(at, lam)
        self.data = _numbers(shown, self.cosine, at, lam)


class _Probabilities:
    """Probabilities of teacher and student as bars, for the teacher's most likely classes."""

    def __init__(
        self,
        figure: Figure,
        place: _Places,
        terms: LossTerms,
        names: Sequence[str],
        student_title: str,
        student_colour: str,
    ) -> None:
        self.terms = terms
        classes = terms.target.logits.shape[1]
        # The order of the logits is that of the probabilities at any temperature.
        self.chosen = terms.target.logits[0].argsort(descending=True)[:_CLASSES_SHOWN].tolist()
        favourite = int(terms.student.logits[0].argmax())
        self.chosen += [favourite] if favourite not in self.chosen else []
        self.names = [names[number] for number in self.chosen]
        self.limit = 0.5 if terms.multilabel else 1 / classes
        self.title = place.write(figure, _LEFT, _LOWER_TITLE, "", heading=True)
        self.axes = axes = place.add_axes(figure, 0.9, 0.34, 1.96, 1.08)
        places, thickness = np.arange(len(self.chosen)), 0.3
        self.bars = {
            who: axes.barh(places + offset, 0, thickness, color=colour, label=label)
            for who, offset, colour, label in (
                ("teacher", -thickness / 2, METHOD_COLOURS["teacher"], METHOD_TITLES["teacher"]),
                ("student", thickness / 2, student_colour, student_title),
            )
        }
        line = axes.axvline(
            self.limit, color="#555555", linestyle=":", linewidth=0.8, label="1/2" if terms.multilabel else "1/K"
        )
        axes.set_yticks(places, [_short(name, 16) for name in self.names], fontsize=small())
        axes.set_ylim(len(places) - 0.45, -0.55)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="x", length=2, pad=1.5)
        axes.tick_params(axis="y", length=0, pad=2)
        which = f"{len(places)} of {classes} classes" if len(places) < classes else "all classes"
        function = "sigmoid" if terms.multilabel else "softmax"
        axes.set_xlabel(f"{function} of z/τ, {which}", fontsize=small(), labelpad=1.5)
        axes.legend(
            handles=[*self.bars.values(), line], loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3,
            fontsize=small(), handlelength=1, columnspacing=0.9, handletextpad=0.4, borderaxespad=0.1, borderpad=0.1,
        )  # fmt: skip

    def show(self, tau: float) -> pd.DataFrame:
        teacher, student = (p[0, self.chosen].double().cpu().numpy() for p in self.terms.probabilities(tau))
        for who, values in (("teacher", teacher), ("student", student)):
            for bar, value in zip(self.bars[who], values, strict=True):
                bar.set_width(value)
        # Fixed ends keep the axis still while a slider moves a little; the dotted line stays inside.
        largest = max(teacher.max(), student.max(), 1.1 * self.limit)
        self.axes.set_xlim(0, next((end for end in (0.1, 0.2, 0.5) if end >= largest), 1.0))
        self.title.set_text(f"Probabilities, τ = {tau:g}")
        return pd.DataFrame({"class": self.names, "teacher": teacher, "student": student})


class _LossBars:
    """Both terms as bars, and their sum."""

    def __init__(self, figure: Figure, place: _Places, scope: str) -> None:
        self.scope = scope
        self.title = place.write(figure, _RIGHT, _UPPER_TITLE, "", heading=True)
        self.axes = axes = place.add_axes(figure, _RIGHT, 2.08, 1.42, 0.92)
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


class _Gradients:
    """Both gradients and their sum as arrows in the plane they span, in a half-disc with a round radius."""

    def __init__(self, figure: Figure, place: _Places) -> None:
        self.title = place.write(figure, _RIGHT, _LOWER_TITLE, "", heading=True)
        axes = place.add_axes(figure, _RIGHT - 0.09, 0.02, 1.6, 1.43)
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


def _draw_maps(figure: Figure, place: _Places, image: Tensor, maps: Pictures, student_title: str) -> None:
    pictures = {
        "Image": image.permute(1, 2, 0).clamp(0, 1).cpu().numpy(),
        METHOD_TITLES["teacher"]: maps.pictures["teacher"][0],
        student_title: maps.pictures["student"][0],
    }
    lefts = [_LEFT + number * (_CELL + _GAP) for number in range(3)]
    for left, (name, picture) in zip(lefts, pictures.items(), strict=True):
        axes = place.add_axes(figure, left, 2.07, _CELL, _CELL)
        axes.imshow(picture)
        frame(axes)
        place.write(figure, left, _UPPER_TITLE, name, heading=True)
    axes = place.add_axes(figure, lefts[1], 1.885, lefts[2] + _CELL - lefts[1], 0.045)
    bar = figure.colorbar(maps.scale, cax=axes, orientation="horizontal")
    bar.ax.locator_params(nbins=5)
    bar.set_label(maps.label_for(several=True), fontsize=small(), labelpad=1)
    bar.ax.tick_params(length=1.5, pad=1)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]


def _numbers(probabilities: pd.DataFrame, cosine: float, at: TermsAtTau, lam: float) -> pd.DataFrame:
    rows = [
        (f"{who} probability", name, value)
        for who in ("teacher", "student")
        for name, value in zip(probabilities["class"], probabilities[who], strict=True)
    ]
    rows += [
        ("explanation cosine", "this image", cosine),
        ("loss", "kd", at.kd_loss),
        ("loss", "explanation", at.explanation_loss),
        ("loss", "total", at.loss(lam)),
        ("gradient norm", "kd", at.kd_gradient),
        ("gradient norm", "explanation", at.explanation_gradient),
        ("gradient norm", "total", at.gradient(lam)),
        ("angle", "kd and explanation", at.angle),
    ]
    return pd.DataFrame(rows, columns=["part", "name", "value"])


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


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


@dataclass(frozen=True)
class _Places:
    """Where things are in a figure of a width: as in the paper's width and larger, or the right column below the left.

    Attributes
    ----------
    width, height : float
        Of the figure, in inches.
    scale : float
        Inches of the figure for an inch at the paper's width.
    stacked : bool
        Whether the right column stands below the left one.
    """

    width: float
    height: float
    scale: float
    stacked: bool

    @classmethod
    def of(cls, width: float) -> _Places:
        """Places in a figure of a width in inches."""
        if width >= 0.98 * TEXT_WIDTH:
            return cls(width, _HEIGHT * width / TEXT_WIDTH, width / TEXT_WIDTH, False)
        scale = width / (_LEFT + 3 * (_CELL + _GAP) + 0.1)
        return cls(width, scale * (_HEIGHT + _BELOW), scale, True)

    def _at(self, left: float, bottom: float) -> tuple[float, float]:
        if self.stacked and left > _RIGHT - 0.2:
            loss = bottom > _LOWER_TITLE + 0.2
            # The number below the left end of the axis needs room on its left.
            return (left - _RIGHT + 2 * _LEFT, bottom - 1.56) if loss else (left - _RIGHT + 1.65, bottom + 0.03)
        return left, bottom + (_BELOW if self.stacked else 0.0)

    def write(self, figure: Figure, left: float, bottom: float, text: str, *, heading: bool = False) -> Text:
        """Write text at a place in inches of the paper's width."""
        left, bottom = self._at(left, bottom)
        size = current_options().font_size if heading else small()
        return figure.text(left * self.scale / self.width, bottom * self.scale / self.height, text, fontsize=size)

    def add_axes(self, figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
        """Add axes at a place in inches of the paper's width."""
        left, bottom = self._at(left, bottom)
        across, down = self.scale / self.width, self.scale / self.height
        return figure.add_axes((left * across, bottom * down, width * across, height * down))
