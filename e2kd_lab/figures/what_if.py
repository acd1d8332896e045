"""A changed picture, and what networks make of it; and what they make of it on the way of one change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.explanations import Place
from e2kd_lab.figures.lettering import broken, text_width
from e2kd_lab.figures.map_pictures import Pictures, bar_room, colour_bar, pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.run_looks import distinguished, run_looks
from e2kd_lab.figures.style import BOX_COLOUR, NOTE_COLOUR, WRONG_COLOUR, new_figure, small, styled

_ACROSS, _CLASSES = 6, 3  # pictures in a row, and classes whose probabilities are shown
_GAP, _MARGIN = 0.06, 0.05  # between pictures and at the edges, in inches
_CHANCE = "#BBBBBB"
_SEEN = "Picture"


@dataclass(frozen=True)
class Answers:
    """What several networks make of N pictures.

    Attributes
    ----------
    comparisons : sequence of Comparison
        Maps of the same N pictures by network; one comparison for each kind of explanation.
    probabilities : mapping
        Probability of each class, (N, K), by network, in the order of the figure.
    methods : mapping
        Method of each network, for its colour.
    classes : sequence of str
        Names of the K classes.
    explained : int
        The class that the maps explain.
    """

    comparisons: Sequence[Comparison]
    probabilities: Mapping[str, Tensor]
    methods: Mapping[str, str]
    classes: Sequence[str]
    explained: int

    def __len__(self) -> int:
        return len(self.comparisons[0])

    def table(self, **columns: Sequence[Any]) -> pd.DataFrame:
        """A row for each picture and network: prediction, and the probability of each class."""
        rows = []
        for network, shares in self.probabilities.items():
            for number, own in enumerate(shares):
                values = {f"probability of {k}": round(p, 6) for k, p in zip(self.classes, own.tolist(), strict=True)}
                place = {name: column[number] for name, column in columns.items()}
                rows.append({**place, "network": network, "prediction": self.classes[int(own.argmax())], **values})
        return pd.DataFrame(rows)


def what_if(answers: Answers, *, contributions: bool = False, point: tuple[float, float] | None = None) -> Figure:
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
    families = [pictures_of(one, contributions) for one in answers.comparisons]
    shown = {name: family.pictures[name][0] for family in families for name in family.pictures}
    names, _ = distinguished(list(answers.probabilities))
    with styled():
        likeliest = _likeliest(answers)
        sheet = _Sheet.of(len(shown) + 1, names, families, len(likeliest))
        figure = new_figure(sheet.height, placed=True)
        axis = _canvas(figure, sheet.width, sheet.height)
        image = answers.comparisons[0].images[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
        _column(axis, sheet, 0, _SEEN, image, point)
        _name_classes(axis, sheet, [answers.classes[k] for k in likeliest])
        looks = run_looks(dict(answers.methods))
        for number, name in enumerate(answers.probabilities, start=1):
            _column(axis, sheet, number, names[name], shown[name], point)
            shares = [float(answers.probabilities[name][0, k]) for k in likeliest]
            _bars(axis, sheet.places[number], shares, looks[name]["color"], sheet.line)
        _colour_bars(figure, families, sheet.width, sheet.bottom)
    return figure


def path_strip(
    answers: Answers, steps: Sequence[float], *, what: str, contributions: bool = False, unit: str = ""
) -> Figure:
    """Pictures on the way of one change, each network's explanation at each step, and its probability of one class.

    A network's frame is thick where it predicts something else than at the first step.

    Parameters
    ----------
    answers : Answers
        Of one picture for each step; all maps explain the same class.
    steps : sequence of float
        Value of the change at each step.
    what : str
        Name of the change, for instance *Land to water*.
    contributions : bool
        See `what_if`.
    unit : str
        Unit of the steps.

    Examples
    --------
    >>> import torch
    >>> from e2kd_lab.explanations import Comparison
    >>> seen = Comparison(torch.rand(3, 3, 8, 8), {"teacher": torch.rand(3, 1, 8, 8)}, {})
    >>> shares = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> answers = Answers([seen], {"teacher": shares}, {"teacher": "teacher"}, ["land", "water"], 0)
    >>> len(path_strip(answers, [0.0, 0.5, 1.0], what="Land to water").axes[0].images)
    6
    """
    families = [pictures_of(one, contributions) for one in answers.comparisons]
    shown = {name: family.pictures[name] for family in families for name in family.pictures}
    names, common = distinguished(list(answers.probabilities))
    with styled():
        width, size = current_options().inches, small()
        longest = max(text_width(broken(name, 60, size), size) for name in (*names.values(), _SEEN))
        left = min(0.3 * width, longest / 72 + 0.1)
        cell = (width - left - _MARGIN - _GAP * (len(steps) - 1)) / len(steps)
        curve, below = 1.0, _bars_room(families, width)
        foot = below + 0.55 + (0.2 if common else 0)
        rows = len(names) + 1
        height = rows * cell + (rows - 1) * _GAP + _MARGIN + 0.15 + curve + foot
        figure = new_figure(height, placed=True)
        axis = _canvas(figure, width, height)
        looks = run_looks(dict(answers.methods))
        pictures = answers.comparisons[0].images.permute(0, 2, 3, 1).clamp(0, 1).cpu().numpy()
        for row, name in enumerate(("Picture", *answers.probabilities)):
            bottom = height - _MARGIN - cell - row * (cell + _GAP)
            title = broken(names.get(name, name), 72 * left - 6, size)
            axis.text(left - 0.06, bottom + cell / 2, title, fontsize=size, ha="right", va="center")
            for step in range(len(steps)):
                place = Place(left + step * (cell + _GAP), bottom, cell, cell)
                place.show(axis, pictures[step] if row == 0 else shown[name][step])
                if row and _flipped(answers.probabilities[name])[step]:
                    _thick(axis, place)
        axes = figure.add_axes((left / width, foot / height, (width - left - _MARGIN) / width, curve / height))
        _curves(axes, answers, steps, looks, cell / (cell + _GAP))
        axes.set_xlabel(f"{what} ({unit})" if unit else what)
        handles = [Line2D([], [], **looks[name], label=names[name]) for name in names]
        _legend(figure, handles, (below + 0.02) / height)
        _colour_bars(figure, families, width, below)
    return figure


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
        bottom = _bars_room(families, width)
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


def _canvas(figure: Figure, width: float, height: float) -> Axes:
    """Axes in inches for all pictures."""
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    return axis


def _likeliest(answers: Answers) -> list[int]:
    """The explained class, and those that any network finds likeliest, in the order of their numbers."""
    largest = torch.stack([shares[0] for shares in answers.probabilities.values()]).amax(0)
    largest[answers.explained] = torch.inf
    return sorted(largest.topk(min(_CLASSES, len(largest))).indices.tolist())


def _column(
    axis: Axes, sheet: _Sheet, number: int, title: str, picture: np.ndarray, point: tuple[float, float] | None
) -> None:
    place = sheet.places[number]
    place.show(axis, picture)
    place.frame(axis)
    middle = place.left + place.width / 2
    text = broken(title, 72 * place.width, small())
    axis.text(middle, place.bottom + place.height + 0.03, text, fontsize=small(), ha="center", va="bottom")
    if point is not None:
        across, down = place.left + point[0] * place.width, place.bottom + (1 - point[1]) * place.height
        for colour, line in (("white", 1.6), (BOX_COLOUR, 0.8)):
            ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": line}
            axis.add_line(Line2D([across], [down], marker="o", markersize=5, **ring))


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


def _bars(axis: Axes, place: Place, shares: Sequence[float], colour: str, line: float) -> None:
    """Probabilities as bars below a picture, with their numbers."""
    number = text_width("100 %", small()) / 72 + 0.03
    room = place.width - number
    for row, share in enumerate(shares):
        middle = place.bottom - (row + 0.5) * line - 0.03
        axis.add_artist(Rectangle((place.left, middle - 0.32 * line), room, 0.64 * line, facecolor="#F0F0F0"))
        axis.add_artist(Rectangle((place.left, middle - 0.32 * line), room * share, 0.64 * line, facecolor=colour))
        end = place.left + place.width
        axis.text(end, middle, f"{100 * share:.0f} %", fontsize=small(), ha="right", va="center")


def _flipped(shares: Tensor) -> list[bool]:
    predictions = shares.argmax(1)
    return (predictions != predictions[0]).tolist()


def _thick(axis: Axes, place: Place) -> None:
    corner = place.left, place.bottom
    axis.add_artist(Rectangle(corner, place.width, place.height, fill=False, edgecolor=WRONG_COLOUR, linewidth=1.6))


def _curves(axes: Axes, answers: Answers, steps: Sequence[float], looks: Mapping[str, Any], share: float) -> None:
    """Probability of the explained class at each step, below the step's pictures."""
    across = range(len(steps))
    for name, shares in answers.probabilities.items():
        axes.plot(across, 100 * shares[:, answers.explained].cpu().numpy(), **looks[name], clip_on=False)
    axes.axhline(50, color=_CHANCE, linewidth=0.6, zorder=0)
    axes.set(xlim=(-share / 2, len(steps) - 1 + share / 2), ylim=(0, 100), yticks=(0, 50, 100))
    axes.set_xticks(list(across), [f"{step:g}" for step in steps])
    explained = answers.classes[answers.explained].replace("_", " ")
    axes.set_ylabel(f"{explained} (%)", fontsize=small())


def _legend(figure: Figure, handles: Sequence[Line2D], bottom: float) -> None:
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, bottom),
        ncols=min(4, len(handles)),
        handlelength=2.4,
        columnspacing=1.2,
        borderpad=0,
        labelcolor=NOTE_COLOUR,
    )


def _bar_width(families: Sequence[Pictures], width: float) -> float:
    return 0.8 * width if len(families) == 1 else 0.9 * width / len(families) - 0.15


def _bars_room(families: Sequence[Pictures], width: float) -> float:
    """Inches that the colour bars take below the pictures."""
    several = len(families) > 1
    return max(bar_room(family, _bar_width(families, width), several=several) for family in families) + 0.1


def _colour_bars(figure: Figure, families: Sequence[Pictures], width: float, bottom: float) -> None:
    own = _bar_width(families, width)
    for number, family in enumerate(families):
        left = (number + 0.5) * width / len(families) - own / 2
        colour_bar(figure, family, left, bottom - 0.1, own, several=len(families) > 1)
