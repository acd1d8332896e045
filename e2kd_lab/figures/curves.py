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
    known = [rows[["split", "group", "metric"]] for _, rows in curves.values()]
    shown = _axes(pd.concat(known) if known else pd.DataFrame(columns=["split", "group", "metric"]))
    across = min(_ACROSS, int(current_options().inches / 1.15))
    down, looks = -(-len(shown) // across), run_looks({label: method for label, (method, _) in curves.items()})
    with styled():
        figure = new_figure(0.45 + 1.3 * down)
        axes = figure.subplots(down, across, squeeze=False).flatten()
        for axis in axes[len(shown) :]:
            axis.remove()
        axes = axes[: len(shown)]
        for axis, one in zip(axes, shown, strict=True):
            _lines(axis, curves, one, looks)
            axis.set_title(one.title, fontsize=small())
            axis.set_xlabel("epoch", fontsize=small())
            axis.set_xlim(0, total_epochs or None)
            axis.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        for axis in axes[1:3]:
            axis.set_ylim(-3, 103)
        names, common = distinguished(list(looks))
        named = name_ends(axes[across - 1], names)
        handles = [Line2D([], [], **look, label=names[label]) for label, look in looks.items() if label not in named]
        legend_below(figure, handles, key=common, handlelength=3)
    return figure


def _axes(rows: pd.DataFrame) -> list[_Shown]:
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


def _lines(
    axis: Axes, curves: Mapping[str, tuple[str, pd.DataFrame]], shown: _Shown, looks: Mapping[str, Mapping[str, Any]]
) -> None:
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
