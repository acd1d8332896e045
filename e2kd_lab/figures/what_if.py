"""A changed picture, and what networks make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.explanations import Place
from e2kd_lab.figures.lettering import broken, text_width
from e2kd_lab.figures.map_pictures import Pictures, changing_parts, pictures_of, show_scale
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.picture_sheet import bars_room, canvas, colour_bars
from e2kd_lab.figures.run_looks import distinguished, run_looks
from e2kd_lab.figures.style import BOX_COLOUR, new_figure, small, styled

_ACROSS, _CLASSES = 6, 3  # pictures in a row, and classes whose probabilities are shown
_GAP, _MARGIN = 0.06, 0.05  # between pictures and at the edges, in inches
_SEEN = "Picture"
Point = tuple[float, float]


def what_if(answers: Answers, *, contributions: bool = False, point: Point | None = None) -> Figure:
    """One picture, each network's explanation of it, and its probabilities of the likeliest classes.

    Parameters
    ----------
    answers : Answers
        Of one picture.
    contributions : bool
        Show contributions instead of W(x), for B-cos networks.
    point : tuple of float, optional
        A point to mark in all pictures: from the left and from the top, 0 to 1.

    Examples
    --------
    >>> import torch
    >>> from e2kd_lab.explanations import Comparison
    >>> seen = Comparison(torch.rand(1, 3, 8, 8), {"teacher": torch.rand(1, 1, 8, 8)}, {})
    >>> answers = Answers([seen], {"teacher": torch.tensor([[0.9, 0.1]])}, {"teacher": "teacher"}, ["land", "water"], 0)
    >>> len(what_if(answers).axes[0].images)
    2
    """
    return WhatIf(answers, contributions=contributions, point=point).figure


class WhatIf:
    """Figure of `what_if`, which can show other answers of the same networks in the same places.

    Parameters
    ----------
    answers, contributions, point
        See `what_if`.

    Attributes
    ----------
    figure : Figure
        The figure.
    moving : list of Artist
        What answers and point change, and what lies above it.

    Examples
    --------
    >>> from e2kd_lab.explanations import Comparison
    >>> seen = Comparison(torch.rand(1, 3, 8, 8), {"teacher": torch.rand(1, 1, 8, 8)}, {})
    >>> parts = {"teacher": "teacher"}, ["land", "water"], 0
    >>> shown = WhatIf(Answers([seen], {"teacher": torch.tensor([[0.9, 0.1]])}, *parts))
    >>> shown.look(Answers([seen], {"teacher": torch.tensor([[0.2, 0.8]])}, *parts))
    >>> [text.get_text() for text in shown.figure.axes[0].texts if "%" in text.get_text()]
    ['20 %', '80 %']
    """

    def __init__(self, answers: Answers, *, contributions: bool = False, point: Point | None = None) -> None:
        self._contributions = contributions
        families = [pictures_of(one, contributions) for one in answers.comparisons]
        names, _ = distinguished(list(answers.probabilities))
        with styled():
            self._classes = likeliest(answers)
            self._sheet = sheet = _Sheet.of(len(names) + 1, names, families, len(self._classes))
            self.figure = new_figure(sheet.height, placed=True)
            self._axis = canvas(self.figure)
            looks = run_looks(dict(answers.methods))
            self._columns, self._shares = [_Column(self._axis, sheet.places[0], _SEEN)], list[_Shares]()
            _name_classes(self._axis, sheet, [answers.classes[k] for k in self._classes])
            for name, place in zip(answers.probabilities, sheet.places[1:], strict=True):
                colour = looks[name]["color"]
                self._columns.append(_Column(self._axis, place, names[name]))
                self._shares.append(_Shares(self._axis, place, len(self._classes), colour, sheet.line))
            self._bars = colour_bars(self.figure, families, sheet.bottom)
            self._show(answers, families, point)

    def look(self, answers: Answers, point: Point | None = None) -> None:
        """Show other answers of the same networks, on the same classes; see `likeliest`."""
        with styled(getattr(self.figure, "options", None)):
            self._show(answers, [pictures_of(one, self._contributions) for one in answers.comparisons], point)

    @property
    def moving(self) -> list[Artist]:
        """See the attributes."""
        columns = [artist for part in self._columns for artist in part.moving]
        shares = [artist for part in self._shares for artist in part.moving]
        scales = [part for bar in self._bars for part in changing_parts(bar)]
        return [*columns, *shares, *scales]

    def _show(self, answers: Answers, families: Sequence[Pictures], point: Point | None) -> None:
        image = answers.comparisons[0].images[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
        maps = {name: family.pictures[name][0] for family in families for name in family.pictures}
        for column, picture in zip(
            self._columns, [image, *(maps[name] for name in answers.probabilities)], strict=True
        ):
            column.look(picture, point)
        for part, shares in zip(self._shares, answers.probabilities.values(), strict=True):
            part.look([float(shares[0, k]) for k in self._classes])
        for bar, family in zip(self._bars, families, strict=True):
            show_scale(bar, family)


def likeliest(answers: Answers) -> list[int]:
    """The classes that are shown: the explained one, and those that any network finds likeliest, by their numbers."""
    largest = torch.stack([shares[0] for shares in answers.probabilities.values()]).amax(0)
    largest[answers.explained] = torch.inf
    return sorted(largest.topk(min(_CLASSES, len(largest))).indices.tolist())


class _Column:
    """A picture with its title and, maybe, a marked point."""

    def __init__(self, axis: Axes, place: Place, title: str) -> None:
        self._place = place
        self._image: AxesImage = place.show(axis, np.zeros((1, 1, 3)))
        frame = place.frame(axis)
        middle, text = place.left + place.width / 2, broken(title, 72 * place.width, small())
        axis.text(middle, place.bottom + place.height + 0.03, text, fontsize=small(), ha="center", va="bottom")
        self._rings: list[Line2D] = []
        for colour, line in (("white", 1.6), (BOX_COLOUR, 0.8)):
            ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": line}
            self._rings.append(Line2D([], [], marker="o", markersize=5, **ring))
            axis.add_line(self._rings[-1])
        self.moving: list[Artist] = [self._image, frame, *self._rings]

    def look(self, picture: np.ndarray, point: Point | None) -> None:
        place = self._place
        self._image.set_data(picture)
        for ring in self._rings:
            ring.set_visible(point is not None)
            if point is not None:
                ring.set_data([place.left + point[0] * place.width], [place.bottom + (1 - point[1]) * place.height])


class _Shares:
    """Probabilities as bars below a picture, with their numbers."""

    def __init__(self, axis: Axes, place: Place, count: int, colour: str, line: float) -> None:
        self._room = place.width - text_width("100 %", small()) / 72 - 0.03
        self._bars: list[Rectangle] = []
        self._numbers: list[Text] = []
        for row in range(count):
            middle = place.bottom - (row + 0.5) * line - 0.03
            corner = place.left, middle - 0.32 * line
            axis.add_artist(Rectangle(corner, self._room, 0.64 * line, facecolor="#F0F0F0"))
            self._bars.append(Rectangle(corner, 0, 0.64 * line, facecolor=colour))
            axis.add_artist(self._bars[-1])
            end = place.left + place.width
            self._numbers.append(axis.text(end, middle, "", fontsize=small(), ha="right", va="center"))
        self.moving: list[Artist] = [*self._bars, *self._numbers]

    def look(self, shares: Sequence[float]) -> None:
        for bar, number, share in zip(self._bars, self._numbers, shares, strict=True):
            bar.set_width(self._room * share)
            number.set_text(f"{100 * share:.0f} %")


@dataclass(frozen=True)
class _Sheet:
    """Where the pictures of `what_if` stand, in inches."""

    width: float
    height: float
    bottom: float
    line: float
    places: list[Place]

    @classmethod
    def of(cls, count: int, names: Mapping[str, str], families: Sequence[Pictures], classes: int) -> _Sheet:
        width, line = current_options().inches, 1.45 * small() / 72
        across = min(count, _ACROSS)
        cell = (width - 2 * _MARGIN - _GAP * (across - 1)) / across
        cell = min(cell, 1.5)
        titles = [broken(name, 72 * cell, small()) for name in (*names.values(), _SEEN)]
        title, bars = (1 + max(one.count("\n") for one in titles)) * line, classes * line + 0.08
        rows = -(-count // across)
        bottom = bars_room(families, width)
        height = _MARGIN + rows * (title + cell + bars) + bottom
        left = (width - across * cell - (across - 1) * _GAP) / 2
        places = [
            Place(
                left + number % across * (cell + _GAP),
                height - _MARGIN - (number // across + 1) * (title + cell + bars) + bars,
                cell,
                cell,
            )
            for number in range(count)
        ]
        return cls(width, height, bottom, line, places)


def _name_classes(axis: Axes, sheet: _Sheet, classes: Sequence[str]) -> None:
    place = sheet.places[0]
    for row, name in enumerate(classes):
        axis.text(
            place.left + place.width,
            place.bottom - (row + 0.5) * sheet.line - 0.03,
            name.replace("_", " "),
            fontsize=small(),
            ha="right",
            va="center",
        )
