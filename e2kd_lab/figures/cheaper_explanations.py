"""Fidelity of cheaper e2KD: explanations on some steps only, or of a part of each batch."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.figures.lettering import broken, legend_below, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FAMILY_TITLES, METHOD_COLOURS, METHOD_TITLES, new_figure, small, styled

_COST = "time of a step / time of a KD step"
_METRICS = {"agreement": "agreement (%)", "explanation_cosine": "explanation cosine"}
_OPTIONS = {"every": ("o", "on every k-th step"), "part": ("s", "of a part of each batch")}


def cheaper_explanations(rows: pd.DataFrame, *, title: str = "") -> Figure:
    """Fidelity against the cost of a training step, from KD to e2KD.

    Parameters
    ----------
    rows : DataFrame
        A row per run: ``family``; ``option`` (``kd``, ``e2kd``, ``every`` or ``part``); ``label`` of its point;
        ``share`` of explained images (0 for KD, 1 for e2KD), in whose order points are joined; ``cost`` of a step in
        units of a KD step; ``agreement`` in percent; and ``explanation_cosine``. Runs of the same family, option and
        label are averaged.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        A column per family, a row per measure, and a line per option from KD to full e2KD.

    Examples
    --------
    >>> rows = [("kd", 0.0, 1.0, 60.0, 0.1), ("every", 0.5, 1.5, 70.0, 0.4), ("e2kd", 1.0, 2.0, 80.0, 0.5)]
    >>> table = pd.DataFrame(rows, columns=["option", "share", "cost", "agreement", "explanation_cosine"])
    >>> [axis.get_ylabel() for axis in cheaper_explanations(table.assign(family="bcos", label="")).axes]
    ['agreement (%)', 'explanation cosine']
    """
    means = rows.groupby(["family", "option", "label"], as_index=False)[["share", "cost", *_METRICS]].mean()
    families = [family for family in FAMILY_TITLES if family in set(means["family"])]
    across = 58 * current_options().inches / len(families)  # points for each column
    with styled():
        figure = new_figure(3.6)
        axes = figure.subplots(len(_METRICS), len(families), squeeze=False, sharex=True, sharey="row")
        for column, family in enumerate(families):
            for row, metric in enumerate(_METRICS):
                _lines(axes[row, column], means[means["family"] == family], metric)
            axes[0, column].set_title(FAMILY_TITLES[family])
            axes[-1, column].set_xlabel(
                broken("time of a step / time of a KD step", across, current_options().font_size)
            )
        for row, name in enumerate(_METRICS.values()):
            axes[row, 0].set_ylabel(name)
        legend_below(figure, _legend(), handlelength=2.2)
        write_title(figure, title)
    return figure


def _lines(axis: Axes, means: pd.DataFrame, metric: str) -> None:
    colour = METHOD_COLOURS["e2kd"]
    labelled = means["cost"].max() > 1.5  # if nothing can be saved, points coincide
    ends = means[means["option"].isin(["kd", "e2kd"])]
    for number, (option, (marker, _)) in enumerate(_OPTIONS.items()):
        own = means[means["option"] == option]
        if own.empty:
            continue
        line = pd.concat([own, ends]).sort_values("share")
        axis.plot(line["cost"], line[metric], "-" if number == 0 else "--", color=colour, linewidth=0.9)
        axis.plot(own["cost"], own[metric], marker, color=colour, markersize=4)
        for cost, value, label in own[["cost", metric, "label"]].itertuples(index=False):
            offset, side = ((3, -7), "left") if number == 0 else ((-3, 4), "right")
            axis.annotate(
                label if labelled else "", (cost, value), offset, textcoords="offset points", ha=side, fontsize=small()
            )
    for method in ("kd", "e2kd"):
        point = ends[ends["option"] == method]
        axis.plot(point["cost"], point[metric], "D", color=METHOD_COLOURS[method], markersize=5)
    axis.margins(x=0.14, y=0.18)


def _legend() -> list[Line2D]:
    handles = [
        Line2D([], [], linestyle="", marker="D", color=METHOD_COLOURS[method], label=METHOD_TITLES[method])
        for method in ("kd", "e2kd")
    ]
    colour = METHOD_COLOURS["e2kd"]
    for number, (marker, name) in enumerate(_OPTIONS.values()):
        style: Literal["-", "--"] = "--" if number else "-"
        handles.append(Line2D([], [], linestyle=style, marker=marker, color=colour, markersize=4, label=name))
    return handles
