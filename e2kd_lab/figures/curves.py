"""Training curves of one or several runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from e2kd_lab.figures.lettering import legend_below
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.run_looks import distinguished, name_ends, run_looks
from e2kd_lab.figures.style import new_figure, small, styled
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title

_OOD = "out_of_distribution"
_ACROSS, _MARKS = 4, 6  # axes side by side, at most; marks on a curve, about
FIXED = (1, 2)  # axes of percentages, whose range is fixed


class _Shown(NamedTuple):
    """One measure to show on an axis."""

    title: str
    split: str
    group: str
    metric: str

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        chosen = (rows["split"] == self.split) & (rows["group"] == self.group) & (rows["metric"] == self.metric)
        return rows[chosen]


def training_curves(curves: Mapping[str, tuple[str, pd.DataFrame]], *, total_epochs: int | None = None) -> Figure:
    """Training loss, and validation accuracy or F1, agreement, explanation cosine and own measures, over the epochs.

    All but the cosine are measured out of distribution if the data have such a group.

    Parameters
    ----------
    curves : mapping
        Method and rows of ``metrics.csv`` by label. The method sets the hue. Its runs differ in lightness, dash and
        marker, in the order of the numbers in their labels, such as lambda and the seed. Where there is room, what
        tells the runs apart stands at the ends of their curves; otherwise below.
    total_epochs : int, optional
        Right end of the axes, for an unfinished run.

    Returns
    -------
    Figure
        Four axes, then one for each own measure.

    Examples
    --------
    >>> rows = pd.DataFrame({"epoch": [1, 2], "split": "val", "group": "all", "metric": "ece", "value": [0.2, 0.1]})
    >>> len(training_curves({"KD": ("kd", rows)}).axes)
    5
    """
    shown = axes_for(curves)
    (down, across), looks = (
        rows_and_columns(len(shown)),
        run_looks({name: method for name, (method, _) in curves.items()}),
    )
    with styled():
        figure = new_figure(0.45 + 1.3 * down)
        axes = figure.subplots(down, across, squeeze=False).flatten()
        for axis in axes[len(shown) :]:
            axis.remove()
        for number, (axis, one) in enumerate(zip(axes, shown, strict=False)):
            draw_lines(axis, curves, one, looks)
            draw_axis(axis, one, total_epochs, fixed=number in FIXED)
        write_names(figure, axes[across - 1], looks)
    return figure


def rows_and_columns(count: int) -> tuple[int, int]:
    """Rows and columns of so many axes."""
    across = min(_ACROSS, int(current_options().inches / 1.15))
    return -(-count // across), across


def draw_axis(axis: Axes, shown: _Shown, epochs: int | None, *, fixed: bool) -> None:
    """Title, epochs and, for percentages, the fixed range of a measure's axis."""
    axis.set_title(shown.title, fontsize=small())
    axis.set_xlabel("epoch", fontsize=small())
    axis.set_xlim(0, epochs or None)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    if fixed:
        axis.set_ylim(-3, 103)


def write_names(figure: Figure, axis: Axes, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Name the runs at the ends of the curves of an axis, where there is room, or in a legend below."""
    names, common = distinguished(list(looks))
    named = name_ends(axis, names)
    handles = [Line2D([], [], **look, label=names[label]) for label, look in looks.items() if label not in named]
    legend_below(figure, handles, key=common, handlelength=3)


def axes_for(curves: Mapping[str, tuple[str, pd.DataFrame]]) -> list[_Shown]:
    """Measures to show of runs."""
    known = [rows[["split", "group", "metric"]] for _, rows in curves.values()]
    rows = pd.concat(known) if known else pd.DataFrame(columns=["split", "group", "metric"])
    biased = _OOD in set(rows["group"])
    group, prefix = (_OOD, "OOD ") if biased else ("all", "")
    decided = _Shown("F1 (%)", "val", "all", "f1") if "f1" in set(rows["metric"]) else None
    accuracy = _Shown(f"{prefix}{'accuracy' if biased else 'Accuracy'} (%)", "val", group, "accuracy")
    shown = [
        _Shown("Training loss", "train", "all", "loss"),
        decided or accuracy,
        _Shown(f"{prefix}{'agreement' if biased else 'Agreement'} (%)", "val", group, "agreement"),
        _Shown("Explanation cosine", "val", "all", "explanation_cosine"),
    ]
    for metric in sorted(set(rows.loc[rows["split"] == "val", "metric"]) - set(LAB_MEASURES)):
        own = _Shown(prefix + measure_title(metric).title, "val", group, metric)
        shown.append(own if len(own.of(rows)) else _Shown(measure_title(metric).title, "val", "all", metric))
    return shown


def draw_lines(
    axis: Axes, curves: Mapping[str, tuple[str, pd.DataFrame]], shown: _Shown, looks: Mapping[str, Mapping[str, Any]]
) -> None:
    """Draw the curve of each run that has this measure."""
    for label, (_, rows) in curves.items():
        line = shown.of(rows)
        if line.empty:  # an empty line has no extent, which the layout needs
            continue
        axis.plot(
            line["epoch"],
            line["value"],
            label=label,
            markevery=list(range(len(line) - 1, -1, -max(1, len(line) // _MARKS)))[::-1],  # the last one, too
            clip_on=False,  # the mark at the last epoch is not cut
            **looks[label],
        )
