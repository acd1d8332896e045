"""Accuracy and agreement over the number of shots, in the paper and here (Tables 1 to 3)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.figures.bars import bar_means, draw_teacher, write_above
from e2kd_lab.figures.labels import PAPER, source_title
from e2kd_lab.figures.lettering import broken, evenly_broken, legend_below, name_places, number_style, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FROZEN, METHOD_COLOURS, METHOD_ORDER, METHOD_TITLES, new_figure, small, styled
from e2kd_lab.metrics.titles import measure_title

_METRICS = ("accuracy", "agreement")
_DASHES = (3, 1.5)


def shot_curves(rows: pd.DataFrame, *, methods: Sequence[str] | None = None, place: int = 0, title: str = "") -> Figure:
    """Accuracy and agreement against the number of shots, and e2KD's gain over KD.

    Parameters
    ----------
    rows : DataFrame
        See `e2kd_lab.paper.beside_paper`.
    methods : sequence of str, optional
        Methods to draw; all by default.
    place : int
        Column of the table whose gain is drawn, counted from 0; a grey band marks it.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        A panel per source. Lines are means over seeds, bands span the seeds, the dotted line is the teacher.

    Examples
    --------
    >>> from e2kd_lab.paper import beside_paper
    >>> shot_curves(beside_paper(pd.DataFrame(columns=["split", "group", "metric"]), "table1")).axes[0].get_title()
    'paper'
    """
    methods = present_methods(rows, methods)
    sources = list(rows["source"].unique())
    across = 52 * current_options().inches / (len(sources) + 0.85)  # points for each panel
    with styled():
        figure = new_figure(3.2)
        axes = figure.subplots(2, len(sources) + 1, squeeze=False, width_ratios=[*([1.0] * len(sources)), 0.85])
        for row, metric in zip(axes, _METRICS, strict=True):
            for axis, source in zip(row, sources, strict=False):
                part = rows[(rows["source"] == source) & (rows["metric"] == metric)]
                _curves(axis, part, methods, place, across)
            row[0].set_ylabel(measure_title(metric).with_unit)
            _gains(row[-1], rows[rows["metric"] == metric], sources, place, 0.85 * across)
        for axis, source in zip(axes[0], sources, strict=False):
            axis.set_title(broken(source_title(source), across, small()), fontsize=small())
            axis.tick_params(labelbottom=False)
        axes[0, -1].tick_params(labelbottom=False)
        columns = "\N{NO-BREAK SPACE}/ ".join(rows.loc[rows["place"] == place, "column"].unique())
        axes[0, -1].set_title("gain over KD,\n" + evenly_broken(columns, 0.8 * across, small()), fontsize=small())
        line_legend(figure, methods, teacher="teacher" in set(rows["method"]))
        write_title(figure, title)
        drawn = rows[rows["method"].isin([*methods, "teacher"])]
        figure.data = bar_means(drawn, ["source", "place", "column", "metric", "method"])
    return figure


def present_methods(rows: pd.DataFrame, methods: Sequence[str] | None) -> list[str]:
    """Students' methods in a table, in display order; only the given ones, if any are given."""
    present = set(rows["method"]) - {"teacher"}
    return [name for name in METHOD_ORDER if name in present and (methods is None or name in methods)]


def line_legend(figure: Figure, methods: Sequence[str], *, teacher: bool) -> None:
    """Legend below the axes: a line for each method, dashed for frozen teachers, and the teacher's dotted line."""
    handles = [
        Line2D(
            [],
            [],
            linestyle=(0, _DASHES) if method.endswith(FROZEN) else "-",
            marker="o",
            markersize=3,
            color=METHOD_COLOURS[method],
            linewidth=1,
            label=METHOD_TITLES[method],
        )
        for method in methods
    ]
    if teacher:
        colour = METHOD_COLOURS["teacher"]
        handles.append(Line2D([], [], linestyle=":", color=colour, label=METHOD_TITLES["teacher"]))
    legend_below(figure, handles, handlelength=2.2)


def _curves(axis: Axes, part: pd.DataFrame, methods: Sequence[str], place: int, room: float) -> None:
    import seaborn  # takes a second, so only where it draws

    columns = part.drop_duplicates("place").sort_values("place")
    axis.axvspan(place - 0.25, place + 0.25, color="#EEEEEE", linewidth=0, zorder=0)
    draw_teacher(axis, part.loc[part["method"] == "teacher", "value"])
    seaborn.lineplot(
        part[part["method"].isin(methods)],
        x="place",
        y="value",
        hue="method",
        style="method",
        palette=dict(METHOD_COLOURS),
        dashes={method: _DASHES if method.endswith(FROZEN) else "" for method in methods},
        markers=dict.fromkeys(methods, "o"),
        errorbar=("pi", 100),  # from the lowest seed to the highest
        err_kws={"linewidth": 0},
        markersize=3,
        markeredgewidth=0,
        linewidth=1,
        legend=False,
        ax=axis,
    )
    axis.set(xlabel="", ylabel="")
    name_places(axis, list(columns["place"]), list(columns["column"]), room / max(1, len(columns)))
    axis.set_xlim(-0.35, max(0, columns["place"].max() if len(columns) else 0) + 0.35)


def _gains(axis: Axes, rows: pd.DataFrame, sources: Sequence[str], place: int, room: float) -> None:
    """Gain of e2KD over KD in percentage points."""
    pairs = [p for p in (("e2kd", "kd"), ("e2kd_frozen", "kd_frozen")) if set(p) <= set(rows["method"])]
    means = rows[rows["place"] == place].groupby(["source", "method"])["value"].mean()
    titles, number = [], 0
    style = number_style(["+10.0"], room / max(1, len(sources) * len(pairs)))
    for source in sources:
        for ours, theirs in pairs:
            name = "" if ours == "e2kd" else " frozen"
            titles.append((PAPER if source == PAPER else "here") + name)
            if (source, ours) in means and (source, theirs) in means:
                gain = means[source, ours] - means[source, theirs]
                axis.bar(number, gain, color=METHOD_COLOURS[ours], width=0.7)
                write_above(axis, number, max(gain, 0), f"{gain:+.1f}".replace("-", "−"), **style)
            number += 1
    axis.axhline(0, color="black", linewidth=0.5)
    name_places(axis, range(number), titles, room / max(1, number))
    axis.set_xlim(-0.6, max(number, 1) - 0.4)
    axis.margins(y=0.6 if style["rotation"] else 0.18)
    axis.set_ylabel("points", fontsize=small())
