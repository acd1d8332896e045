"""What the two terms of the e2KD loss compare: an image's maps, and its softened probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from torch import Tensor

from e2kd_lab.figures.explanations import frame
from e2kd_lab.figures.loss_places import CELL, GAP, LEFT, LOWER_TITLE, UPPER_TITLE, LossPlaces
from e2kd_lab.figures.map_pictures import Pictures
from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_TITLES, small
from e2kd_lab.training.loss_terms import LossTerms

_CLASSES_SHOWN = 8
_NETWORKS = ("teacher", "student")


class LossMaps:
    """Image and both maps, with their colour scale."""

    def __init__(self, figure: Figure, place: LossPlaces, student_title: str) -> None:
        self.figure = figure
        self.bar: Colorbar | None = None
        self.lefts = [LEFT + number * (CELL + GAP) for number in range(3)]
        self.axes: list[Axes] = []
        for left, name in zip(self.lefts, ("Image", METHOD_TITLES["teacher"], student_title), strict=True):
            self.axes.append(place.add_axes(figure, left, 2.07, CELL, CELL))
            place.write(figure, left, UPPER_TITLE, name, heading=True)
        self.scale_axes = place.add_axes(figure, self.lefts[1], 1.885, self.lefts[2] + CELL - self.lefts[1], 0.045)
        self.caption = place.write(figure, LEFT, 1.955, "")
        self.explained = place.write(figure, self.lefts[1], 1.955, "")

    @property
    def changing(self) -> list[Artist]:
        """What another image changes; see `Blitting`."""
        framed = [artist for axes in self.axes for artist in (*axes.images, *axes.spines.values())]
        return [*framed, self.scale_axes, self.caption, self.explained]

    def show(self, image: Tensor, maps: Pictures) -> None:
        shown = (image.permute(1, 2, 0).clamp(0, 1).cpu().numpy(), *(maps.pictures[who][0] for who in _NETWORKS))
        for axes, picture in zip(self.axes, shown, strict=True):
            if axes.images:
                axes.images[0].set_data(picture)
            else:
                axes.imshow(picture)
                frame(axes)
        self._show_scale(maps)

    def _show_scale(self, maps: Pictures) -> None:
        if self.bar is None:
            self.bar = self.figure.colorbar(maps.scale, cax=self.scale_axes, orientation="horizontal")
            self.bar.set_label(maps.label_for(several=True), fontsize=small(), labelpad=1)
            self.bar.ax.tick_params(length=1.5, pad=1)
            self.bar.outline.set_linewidth(0.4)  # type: ignore[operator]
        else:
            self.bar.update_normal(maps.scale)
        self.bar.ax.locator_params(nbins=5)

    def say(self, title: str, explained: str, cosine: float) -> None:
        """Name the image, the class that the maps explain, and the maps' cosine similarity."""
        self.caption.set_text(shortened(title, 20))
        number = f"{cosine:.2f}".replace("-", "−")
        self.explained.set_text(f"maps of “{explained}”: cosine {number}")


def classes_shown(terms: LossTerms) -> list[int]:
    """Classes whose probabilities a `LossPicture` shows: those that the teacher finds most likely, and the student's.

    The order of the logits is that of the probabilities at any temperature.
    """
    chosen = terms.target.logits[0].argsort(descending=True)[:_CLASSES_SHOWN].tolist()
    favourite = int(terms.student.logits[0].argmax())
    return chosen + ([favourite] if favourite not in chosen else [])


class LossProbabilities:
    """Probabilities of teacher and student as bars, for the teacher's most likely classes."""

    def __init__(
        self, figure: Figure, place: LossPlaces, terms: LossTerms, student_title: str, student_colour: str
    ) -> None:
        classes, count = terms.target.logits.shape[1], len(classes_shown(terms))
        self.limit = 0.5 if terms.multilabel else 1 / classes
        self.title = place.write(figure, LEFT, LOWER_TITLE, "", heading=True)
        self.axes = axes = place.add_axes(figure, 0.9, 0.34, 1.96, 1.08)
        self.places, thickness = np.arange(count), 0.3
        self.bars = {
            who: axes.barh(self.places + offset, 0, thickness, color=colour, label=label)
            for who, offset, colour, label in (
                ("teacher", -thickness / 2, METHOD_COLOURS["teacher"], METHOD_TITLES["teacher"]),
                ("student", thickness / 2, student_colour, student_title),
            )
        }
        self.line = axes.axvline(
            self.limit, color="#555555", linestyle=":", linewidth=0.8, label="1/2" if terms.multilabel else "1/K"
        )
        axes.set_yticks(self.places)
        axes.set_ylim(count - 0.45, -0.55)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="x", length=2, pad=1.5)
        axes.tick_params(axis="y", length=0, pad=2)
        which = f"{count} of {classes} classes" if count < classes else "all classes"
        function = "sigmoid" if terms.multilabel else "softmax"
        axes.set_xlabel(f"{function} of z/τ, {which}", fontsize=small(), labelpad=1.5)
        axes.legend(
            handles=[*self.bars.values(), self.line], loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3,
            fontsize=small(), handlelength=1, columnspacing=0.9, handletextpad=0.4, borderaxespad=0.1, borderpad=0.1,
        )  # fmt: skip

    def look(self, terms: LossTerms, names: Sequence[str]) -> None:
        """Show another image; `show` follows."""
        self.terms, self.chosen = terms, classes_shown(terms)
        self.names = [names[number] for number in self.chosen]
        self.axes.set_yticks(self.places, [shortened(name, 16) for name in self.names], fontsize=small())

    @property
    def changing(self) -> list[Artist]:
        """What another image changes."""
        return [self.axes.yaxis]

    @property
    def moving(self) -> list[Artist]:
        """What a temperature changes, and what lies above it; see `Blitting`."""
        spines = self.axes.spines
        bars = [*self.bars["teacher"], *self.bars["student"]]
        return [self.title, *bars, self.line, spines["left"], spines["bottom"]]

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


def shortened(text: str, longest: int) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
