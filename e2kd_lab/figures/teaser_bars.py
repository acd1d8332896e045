"""Bars of the opening figure: accuracy and agreement of two groups, the paper's numbers, and the legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.figures.bars import bar_legend, draw_bar, draw_teacher, write_above
from e2kd_lab.figures.labels import PAPER
from e2kd_lab.figures.lettering import evenly_broken
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FAMILY_TITLES, METHOD_COLOURS, NOTE_COLOUR, small
from e2kd_lab.figures.teaser_layout import (
    BARS,
    BETWEEN_PANELS,
    CAPTION,
    GAP,
    LABELS,
    LINE,
    MARGIN,
    METHODS,
    PANEL,
    TITLE,
    area,
    layout_scale,
    write,
)
from e2kd_lab.metrics.titles import measure_title

_METRICS = ("accuracy", "agreement")
_LOW = 15  # percent; the number of a lower bar does not fit inside it
_DIAMOND: dict[str, Any] = {
    "linestyle": "",
    "marker": "D",
    "markersize": 2.8,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 0.6,
}


@dataclass(frozen=True)
class Caption:
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
    def of(cls, numbers: pd.DataFrame, parts: list[str]) -> Caption:
        numbers = numbers[numbers["part"].isin(parts)]
        width = LABELS + BARS * len(parts) + GAP * (len(parts) - 1)
        handles = _handles(numbers)
        rows = 2 if len(parts) == 1 and len(handles) > 3 else 1
        return cls(parts, width, handles, rows, _notes(numbers, width) if parts else [])

    @property
    def height(self) -> float:
        return LINE * (self.rows + 1 + len(self.notes))

    def draw(self, figure: Figure) -> None:
        if not self.parts:
            return
        across, down = figure.get_size_inches() / layout_scale()
        centre = MARGIN + self.width / 2
        figure.legend(
            handles=self.handles,
            loc="upper center",
            bbox_to_anchor=(centre / across, 1 - CAPTION / down),
            ncols=-(-len(self.handles) // self.rows),
            fontsize=small(),
            borderaxespad=0,
            handlelength=1.5,
            columnspacing=1,
        )
        for line, note in enumerate(self.notes):
            write(figure, centre, CAPTION + LINE * (self.rows + 0.7 + line), note, color=NOTE_COLOUR)


def _handles(numbers: pd.DataFrame) -> list[Any]:
    here = numbers["source"] != PAPER
    handles = bar_legend(METHODS, teacher=bool((here & numbers["method"].eq("teacher")).any()))
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
    return [
        line
        for sentence in sentences
        for line in evenly_broken(sentence, 70 * width * layout_scale(), small()).split("\n")
    ]


def draw_panels(figure: Figure, left: float, numbers: pd.DataFrame, named: bool) -> None:
    """Accuracy above, agreement below."""
    for row, metric in enumerate(_METRICS):
        axis = area(figure, left, TITLE + row * (PANEL + BETWEEN_PANELS), BARS, PANEL)
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
        for number, method in enumerate(METHODS):
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
    style: dict[str, Any] = (
        {} if above else {"color": "white" if method == "e2kd" and not low else "black", "bbox": None}
    )
    write_above(axis, middle, top if above else 0, f"{values.mean():.1f}", fontsize=small(), **style)
