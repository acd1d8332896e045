"""What networks make of a picture on the way of one change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.explanations import Place
from e2kd_lab.figures.lettering import broken, text_width
from e2kd_lab.figures.map_pictures import Pictures, changing_parts, pictures_of, show_scale
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.picture_sheet import bars_room, canvas, colour_bars
from e2kd_lab.figures.run_looks import distinguished, run_looks
from e2kd_lab.figures.style import NOTE_COLOUR, WRONG_COLOUR, new_figure, small, styled

_GAP, _MARGIN = 0.06, 0.05  # between pictures and at the edges, in inches
_CURVES = 1.0  # height of the curves in inches
_CHANCE = "#BBBBBB"
_SEEN = "Picture"
_EMPTY = np.zeros((1, 1, 3))


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
    return PathStrip(answers, steps, what=what, contributions=contributions, unit=unit).figure


class PathStrip:
    """Figure of `path_strip`, which can show other answers of the same networks at the same steps.

    Parameters
    ----------
    answers, steps, what, contributions, unit
        See `path_strip`.

    Attributes
    ----------
    figure : Figure
        The figure.
    moving : list of Artist
        What answers change, and what lies above it.

    Examples
    --------
    >>> import torch
    >>> from e2kd_lab.explanations import Comparison
    >>> seen = Comparison(torch.rand(2, 3, 8, 8), {"teacher": torch.rand(2, 1, 8, 8)}, {})
    >>> parts = {"teacher": "teacher"}, ["land", "water"], 0
    >>> shown = PathStrip(Answers([seen], {"teacher": torch.eye(2)}, *parts), [0.0, 1.0], what="Water")
    >>> shown.look(Answers([seen], {"teacher": torch.full((2, 2), 0.5)}, *parts))
    >>> shown.figure.axes[1].lines[0].get_ydata().tolist()
    [50.0, 50.0]
    """

    def __init__(
        self, answers: Answers, steps: Sequence[float], *, what: str, contributions: bool = False, unit: str = ""
    ) -> None:
        self._contributions = contributions
        families = [pictures_of(one, contributions) for one in answers.comparisons]
        names, common = distinguished(list(answers.probabilities))
        with styled():
            width, size = current_options().inches, small()
            longest = max(text_width(broken(name, 60, size), size) for name in (*names.values(), _SEEN))
            left = min(0.3 * width, longest / 72 + 0.1)
            cell = (width - left - _MARGIN - _GAP * (len(steps) - 1)) / len(steps)
            below = bars_room(families, width)
            foot, rows = below + 0.55 + (0.2 if common else 0), len(names) + 1
            height = rows * cell + (rows - 1) * _GAP + _MARGIN + 0.15 + _CURVES + foot
            self.figure = new_figure(height, placed=True)
            axis = canvas(self.figure)
            self._images: list[list[AxesImage]] = []
            self._frames: list[list[Rectangle]] = []
            for row, name in enumerate((_SEEN, *answers.probabilities)):
                bottom = height - _MARGIN - cell - row * (cell + _GAP)
                title = broken(names.get(name, name), 72 * left - 6, size)
                axis.text(left - 0.06, bottom + cell / 2, title, fontsize=size, ha="right", va="center")
                places = [Place(left + step * (cell + _GAP), bottom, cell, cell) for step in range(len(steps))]
                self._images.append([place.show(axis, _EMPTY) for place in places])
                if row:
                    self._frames.append([_thick(axis, place) for place in places])
            room = left / width, foot / height, (width - left - _MARGIN) / width, _CURVES / height
            self._axes = self.figure.add_axes(room)
            looks = run_looks(dict(answers.methods))
            self._lines = _curves(self._axes, answers, steps, looks, cell / (cell + _GAP))
            self._axes.set_xlabel(f"{what} ({unit})" if unit else what)
            handles = [Line2D([], [], **looks[name], label=names[name]) for name in names]
            _legend(self.figure, handles, (below + 0.02) / height)
            self._bars = colour_bars(self.figure, families, below)
            self._show(answers, families)

    def look(self, answers: Answers) -> None:
        """Show other answers of the same networks at the same steps."""
        with styled(getattr(self.figure, "options", None)):
            self._show(answers, [pictures_of(one, self._contributions) for one in answers.comparisons])

    @property
    def moving(self) -> list[Artist]:
        """See the attributes."""
        pictures = [one for row in self._images for one in row]
        frames = [one for row in self._frames for one in row]
        scales = [part for bar in self._bars for part in changing_parts(bar)]
        return [*pictures, *frames, *self._lines, *self._axes.spines.values(), *scales]

    def _show(self, answers: Answers, families: Sequence[Pictures]) -> None:
        pictures = answers.comparisons[0].images.permute(0, 2, 3, 1).clamp(0, 1).cpu().numpy()
        maps = {name: family.pictures[name] for family in families for name in family.pictures}
        rows = [pictures, *(maps[name] for name in answers.probabilities)]
        for images, row in zip(self._images, rows, strict=True):
            for image, picture in zip(images, row, strict=True):
                image.set_data(picture)
        for frames, line, shares in zip(self._frames, self._lines, answers.probabilities.values(), strict=True):
            line.set_ydata(100 * shares[:, answers.explained].cpu().numpy())
            for frame, flipped in zip(frames, _flipped(shares), strict=True):
                frame.set_visible(flipped)
        for bar, family in zip(self._bars, families, strict=True):
            show_scale(bar, family)


def _flipped(shares: Tensor) -> list[bool]:
    predictions = shares.argmax(1)
    return (predictions != predictions[0]).tolist()


def _thick(axis: Axes, place: Place) -> Rectangle:
    look: dict[str, Any] = {"fill": False, "edgecolor": WRONG_COLOUR, "linewidth": 1.6}
    frame = Rectangle((place.left, place.bottom), place.width, place.height, **look)
    axis.add_artist(frame)
    return frame


def _curves(
    axes: Axes, answers: Answers, steps: Sequence[float], looks: Mapping[str, Any], share: float
) -> list[Line2D]:
    """Probability of the explained class at each step, below the step's pictures."""
    across = range(len(steps))
    lines = [axes.plot(across, [0] * len(across), **looks[name], clip_on=False)[0] for name in answers.probabilities]
    axes.axhline(50, color=_CHANCE, linewidth=0.6, zorder=0)
    axes.set(xlim=(-share / 2, len(steps) - 1 + share / 2), ylim=(0, 100), yticks=(0, 50, 100))
    axes.set_xticks(list(across), [f"{step:g}" for step in steps])
    explained = answers.classes[answers.explained].replace("_", " ")
    axes.set_ylabel(f"{explained} (%)", fontsize=small())
    return lines


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
