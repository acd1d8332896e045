"""The opening figure of the paper: few data, distribution shift and explanations side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.bars import bar_legend, draw_bar, draw_teacher, write_above
from e2kd_lab.figures.explanations import frame
from e2kd_lab.figures.labels import PAPER
from e2kd_lab.figures.lettering import broken
from e2kd_lab.figures.map_pictures import Pictures, pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import (
    FAMILY_TITLES,
    METHOD_COLOURS,
    METHOD_TITLES,
    NOTE_COLOUR,
    new_figure,
    small,
    styled,
)
from e2kd_lab.metrics.titles import measure_title

PARTS = ("data", "shift", "explanations")
_TITLES = {
    "data": "With fewer data",
    "shift": "Under distribution shift",
    "explanations": "With similar explanations",
}
_METRICS = ("accuracy", "agreement")
_METHODS = ("kd", "e2kd")

# Inches. From the left: names of the vertical axes, bars, a gap, and pictures two by two.
_MARGIN, _LABELS, _BARS, _GAP, _PICTURE, _BETWEEN = 0.05, 0.38, 1.245, 0.18, 0.71, 0.05
_WIDTHS = {"data": _BARS, "shift": _BARS, "explanations": 2 * _PICTURE + _BETWEEN}
# From the top: titles of the parts, two rows of bars with their ticks, or of pictures with their names.
_TITLE, _NAME, _PANEL, _BETWEEN_PANELS, _TICKS = 0.2, 0.12, 0.69, 0.11, 0.27
_CAPTION = _TITLE + 2 * _PANEL + _BETWEEN_PANELS + _TICKS  # top of the legend below the bars
_LINE = 0.105  # height of a line of text
_ALL = 4.8  # width of all parts side by side; in a narrower figure the pictures stand below the bars
_LOW = 15  # percent; the number of a lower bar does not fit inside it
_DIAMOND: dict[str, Any] = {
    "linestyle": "",
    "marker": "D",
    "markersize": 2.8,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.6,
}


def teaser(
    numbers: pd.DataFrame,
    comparison: Comparison | None = None,
    *,
    number: int = 0,
    parts: Sequence[str] = PARTS,
    contributions: bool = False,
) -> Figure:
    """KD and e2KD with few data (left), under distribution shift (centre), and explanations of one image (right).

    Parameters
    ----------
    numbers : DataFrame
        See `e2kd_lab.paper.teaser_numbers`.
    comparison : Comparison, optional
        Images explained by ``teacher``, ``kd`` and ``e2kd``, for the part ``explanations``.
    number : int
        The image to show, counted from 0.
    parts : sequence of str
        Parts to draw: ``data``, ``shift``, ``explanations``.
    contributions : bool
        See `explanation_comparison`.

    Returns
    -------
    Figure
        As wide as the paper's text with all parts, narrower with fewer. Bars are means over seeds in percent, dots the
        seeds, diamonds the paper's numbers, dotted lines the teacher.

    Raises
    ------
    ValueError
        If a part is unknown, or there is no comparison to show.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> teaser(lab.paper.teaser_numbers(table_2, waterbirds), parts=("data", "shift"))  # doctest: +SKIP
    """
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"teaser has the parts {', '.join(PARTS)}, got {', '.join(parts) or 'none'}.")
    if "explanations" in parts and comparison is None:
        raise ValueError("teaser needs a comparison for its part 'explanations', got None.")
    chosen = [part for part in PARTS if part in parts]
    stacked = _stacked(chosen)
    caption = _Caption.of(numbers, [part for part in chosen if part != "explanations"])
    maps = pictures_of(comparison, contributions) if comparison is not None and "explanations" in parts else None
    labels = _LABELS if caption.parts else 0.0
    row = [part for part in chosen if part != "explanations"] if stacked else chosen
    width = sum(_WIDTHS[part] for part in row) + labels + _GAP * (len(row) - 1) + 2 * _MARGIN
    bars, pictures = _CAPTION + caption.height if caption.parts else 0.0, _height_of(maps, stacked=stacked)
    scale = _scale()
    with styled():
        height = bars + _GAP + pictures if stacked else max(bars, pictures)
        figure = new_figure(scale * height, width=scale * width, placed=True)
        left = _MARGIN + labels
        for part in chosen:
            below = stacked and part == "explanations"
            left, top = (width / 2 - (2 * _PICTURE + 1.5 * _BETWEEN), bars + _GAP) if below else (left, 0.0)
            middle = width / 2 if below else left + _WIDTHS[part] / 2
            _write(figure, middle, top + 0.03, _TITLES[part], fontsize=current_options().font_size)
            if part != "explanations":
                _panels(figure, left, numbers[numbers["part"] == part], named=part == caption.parts[0])
            elif maps is not None:
                _pictures(figure, left, top, maps, number, across=4 if stacked else 2)
                _colours(figure, left, top, maps, across=4 if stacked else 2)
            left += _WIDTHS[part] + _GAP
        caption.draw(figure)
    return figure


def _scale() -> float:
    """Inches of the figure for an inch of the layout."""
    across = current_options().inches
    return across / _ALL if across > 0.97 * _ALL else max(1.0, across / (_LABELS + 2 * _BARS + _GAP + 2 * _MARGIN))


def _stacked(parts: Sequence[str]) -> bool:
    """Whether the pictures stand below the bars."""
    return current_options().inches <= 0.97 * _ALL and "explanations" in parts and len(parts) > 1


@dataclass(frozen=True)
class _Caption:
    """Legend and notes below the bars.

    Attributes
    ----------
    parts : list of str
        Parts with bars.
    width : float
        Width of these parts with the names of their axes, in inches.
    handles : list
        What colours and marks mean.
    rows : int
        Rows of the legend.
    notes : list of str
        Networks, and the source of each number, line by line.
    """

    parts: list[str]
    width: float
    handles: list[Any]
    rows: int
    notes: list[str]

    @classmethod
    def of(cls, numbers: pd.DataFrame, parts: list[str]) -> _Caption:
        numbers = numbers[numbers["part"].isin(parts)]
        width = _LABELS + _BARS * len(parts) + _GAP * (len(parts) - 1)
        handles = _handles(numbers)
        rows = 2 if len(parts) == 1 and len(handles) > 3 else 1
        return cls(parts, width, handles, rows, _notes(numbers, width) if parts else [])

    @property
    def height(self) -> float:
        return _LINE * (self.rows + 1 + len(self.notes))

    def draw(self, figure: Figure) -> None:
        if not self.parts:
            return
        across, down = figure.get_size_inches() / _scale()
        centre = _MARGIN + self.width / 2
        figure.legend(
            handles=self.handles,
            loc="upper center",
            bbox_to_anchor=(centre / across, 1 - _CAPTION / down),
            ncols=-(-len(self.handles) // self.rows),
            fontsize=small(),
            borderaxespad=0,
            handlelength=1.5,
            columnspacing=1,
        )
        for line, note in enumerate(self.notes):
            _write(figure, centre, _CAPTION + _LINE * (self.rows + 0.7 + line), note, color=NOTE_COLOUR)


def _handles(numbers: pd.DataFrame) -> list[Any]:
    here = numbers["source"] != PAPER
    handles = bar_legend(_METHODS, teacher=bool((here & numbers["method"].eq("teacher")).any()))
    return handles if here.all() else [*handles, Line2D([], [], **_DIAMOND, label=PAPER)]


def _notes(numbers: pd.DataFrame, width: float) -> list[str]:
    """Networks and sources of the numbers, in lines of a width in inches."""
    family = numbers["family"].iloc[0] if len(numbers) else ""
    here = numbers.loc[numbers["source"] != PAPER, "source"].unique()
    paper = numbers[(numbers["source"] == PAPER) & (numbers["method"] != "teacher")].sort_values("place")
    networks = f"{FAMILY_TITLES[family]}. " if family in FAMILY_TITLES else ""
    several = numbers.loc[numbers["source"].ne(PAPER) & numbers["method"].ne("teacher"), "seed"].nunique() > 1
    drawn = "Bars, dots (seeds), dotted lines" if several else "Bars and dotted lines"
    sentences = [f"{networks}{drawn}: {', '.join(here)}."] if len(here) else []
    sentences += [f"Diamonds: {PAPER}, {' and '.join(paper['column'].unique())}."] if len(paper) else []
    if not current_options().scale_note:
        return []
    return [line for sentence in sentences for line in broken(sentence, 70 * width * _scale(), small()).split("\n")]


def _area(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches from the upper left corner."""
    across, down = figure.get_size_inches() / _scale()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def _write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Write text centred below a place in inches from the upper left corner."""
    across, down = figure.get_size_inches() / _scale()
    figure.text(left / across, 1 - top / down, text, **{"ha": "center", "va": "top", "fontsize": small(), **style})


def _panels(figure: Figure, left: float, numbers: pd.DataFrame, named: bool) -> None:
    """Accuracy above, agreement below."""
    for row, metric in enumerate(_METRICS):
        axis = _area(figure, left, _TITLE + row * (_PANEL + _BETWEEN_PANELS), _BARS, _PANEL)
        _groups(axis, numbers[numbers["metric"] == metric])
        axis.set_ylim(0, 104)
        axis.set_yticks((0, 50, 100), ("0", "50", "100") if named else ("", "", ""))
        axis.set_xlim(-0.5, 1.5)
        axis.set_xticks((0, 1), _columns(numbers) if row else ("", ""))
        axis.tick_params(length=0, pad=2)
        if named:
            axis.set_ylabel(measure_title(metric).with_unit, fontsize=small(), labelpad=2)


def _columns(numbers: pd.DataFrame) -> list[str]:
    """Names of the two groups of bars, with the paper's name in brackets where it differs."""
    names = []
    for place in (0, 1):
        here, paper = (
            numbers.loc[(numbers["place"] == place) & (numbers["source"].eq(PAPER) == published), "column"].unique()
            for published in (False, True)
        )
        name = here[0] if len(here) else paper[0] if len(paper) else ""
        other = len(here) and len(paper) and here[0] != paper[0]
        names.append(f"{name}\n(paper: {paper[0].removesuffix(' shots')})" if other else "\n".join(name.rsplit(" ", 1)))
    return names


def _groups(axis: Axes, numbers: pd.DataFrame) -> None:
    """Two groups of bars with the teacher's lines, and the paper's numbers as diamonds."""
    paper = numbers["source"] == PAPER
    for place in (0, 1):
        here, theirs = numbers[~paper & (numbers["place"] == place)], numbers[paper & (numbers["place"] == place)]
        draw_teacher(axis, here.loc[here["method"] == "teacher", "value"], (place - 0.45, place + 0.45))
        for number, method in enumerate(_METHODS):
            middle = place + 0.4 * (number - 0.5)
            published = theirs.loc[theirs["method"] == method, "value"]
            _bar(axis, middle, method, here.loc[here["method"] == method, "value"], published)
            axis.plot([middle] * len(published), published, **_DIAMOND)


def _bar(axis: Axes, middle: float, method: str, values: pd.Series, published: pd.Series) -> None:
    """A bar with its number at the foot, or above a low one if there is room."""
    if values.empty:
        axis.text(middle, 2, "–", ha="center", va="bottom", color="#BBBBBB", fontsize=small())
        return
    draw_bar(axis, middle, values, METHOD_COLOURS[method], width=0.38, spacing=0.09, dot=1.6)
    top, low = values.max(), values.min() < _LOW
    above = low and not published.between(top - 4, top + 19).any()
    style = {} if above else {"color": "white" if method == "e2kd" and not low else "black", "bbox": None}
    write_above(axis, middle, top if above else 0, f"{values.mean():.1f}", fontsize=small(), **style)


def _pictures(figure: Figure, left: float, top: float, maps: Pictures, number: int, *, across: int) -> None:
    """Image, teacher, KD and e2KD: two by two, or all in a row."""
    comparison = maps.comparison
    title = comparison.titles[number] if comparison.titles else "Image"
    image = comparison.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    cells: list[tuple[str, Any, Any]] = [(title, "black", image)]
    for method in ("teacher", *_METHODS):
        sign = "✓" if comparison.correct[method][number] else "✗"
        name = f"{METHOD_TITLES[method]} {sign}"
        cells.append((name, METHOD_COLOURS[method], maps.pictures[method][number]))
    for place, (name, colour, picture) in enumerate(cells):
        row, column = divmod(place, across)
        right, down = left + column * (_PICTURE + _BETWEEN), top + _TITLE - 0.02 + row * (_NAME + _PICTURE)
        axis = _area(figure, right, down + _NAME, _PICTURE, _PICTURE)
        axis.imshow(picture)
        frame(axis)
        _write(figure, right + _PICTURE / 2, down + 0.02, name, color=colour)


def _colours(figure: Figure, left: float, top: float, maps: Pictures, *, across: int) -> None:
    """The colour bar that the three maps share."""
    width = across * _PICTURE + (across - 1) * _BETWEEN
    top += _above_colours(across)
    axis = _area(figure, left + 0.1, top, width - 0.2, 0.05)
    bar = figure.colorbar(maps.scale, cax=axis, orientation="horizontal")
    bar.ax.locator_params(nbins=2 * across)
    bar.ax.tick_params(length=1.5, pad=1)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    for line, text in enumerate(_label_lines(maps, width)):
        _write(figure, left + width / 2, top + 0.18 + _LINE * line, text)


def _above_colours(across: int) -> float:
    """Height of the title and the pictures above the colour bar."""
    return _TITLE + 4 // across * (_NAME + _PICTURE) + 0.04


def _label_lines(maps: Pictures, width: float) -> list[str]:
    """Name of the colour bar, in lines as wide as the pictures."""
    return broken(maps.label, 72 * width * _scale(), small()).split("\n")


def _height_of(maps: Pictures | None, *, stacked: bool) -> float:
    """Height of the title, the pictures and their colour bar."""
    across = 4 if stacked else 2
    width = across * _PICTURE + (across - 1) * _BETWEEN
    return 0.0 if maps is None else _above_colours(across) + 0.22 + _LINE * len(_label_lines(maps, width))
