"""Each method as a bar, the paper's number beside ours (Tables 1 to 5 and B1)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.bars import bar_legend, bar_means, draw_bar, draw_teacher, write_above
from e2kd_lab.figures.labels import TABLE_METRICS, source_title
from e2kd_lab.figures.lettering import broken, legend_below, number_style, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.shot_curves import present_methods
from e2kd_lab.figures.style import METHOD_COLOURS, new_figure, small, styled
from e2kd_lab.metrics.titles import measure_title


def method_bars(
    rows: pd.DataFrame, *, methods: Sequence[str] | None = None, place: int | None = None, title: str = ""
) -> Figure:
    """One bar per method: metrics in rows; for each column of the table a panel per source.

    Parameters
    ----------
    rows : DataFrame
        See `e2kd_lab.paper.beside_paper`.
    methods : sequence of str, optional
        Methods to draw; all by default.
    place : int, optional
        Draw only this column of the table, counted from 0.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        Bars are means over seeds, dots the seeds; the dotted line is the teacher.

    Examples
    --------
    >>> from e2kd_lab.paper import beside_paper
    >>> figure = method_bars(beside_paper(pd.DataFrame(columns=["split", "group", "metric"]), "tableB1"))
    >>> [axis.get_ylabel() for axis in figure.axes]
    ['Accuracy (%)', 'Agreement (%)']
    """
    methods = present_methods(rows, methods)
    rows = rows if place is None else rows[rows["place"] == place]
    table = rows[["place", "source", "column"]].drop_duplicates().sort_values("place", kind="stable")
    panels = list(table.itertuples(index=False, name=None))
    several = table["place"].nunique() > 1
    metrics = [metric for metric in TABLE_METRICS if metric in set(rows["metric"])]
    across = 58 * current_options().inches / len(panels)  # points for each panel
    with styled():
        figure = new_figure(0.8 + 1.2 * len(metrics))
        axes = figure.subplots(len(metrics), len(panels), sharey="row", squeeze=False)
        for row, metric in zip(axes, metrics, strict=True):
            for axis, (number, source, _) in zip(row, panels, strict=True):
                chosen = (rows["source"] == source) & (rows["place"] == number) & (rows["metric"] == metric)
                _bars(axis, rows[chosen], methods, across / (len(methods) + 0.2))
            row[0].set_ylabel(measure_title(metric).with_unit)
        for axis, (_, source, column) in zip(axes[0], panels, strict=True):
            names = [column, source_title(source)] if several else [source_title(source)]
            axis.set_title("\n".join(broken(name, across, small()) for name in names), fontsize=small())
        legend_below(figure, bar_legend(methods, teacher="teacher" in set(rows["method"])))
        write_title(figure, title)
        drawn = rows[rows["method"].isin([*methods, "teacher"])]
        figure.data = bar_means(drawn, ["source", "place", "column", "metric", "method"])
    return figure


def _bars(axis: Axes, part: pd.DataFrame, methods: Sequence[str], room: float) -> None:
    students = part[part["method"].isin(methods)]
    for method, values in students.groupby("method", sort=False)["value"]:
        draw_bar(axis, methods.index(str(method)), values, METHOD_COLOURS[str(method)], width=0.8, spacing=0.1)
    style = number_style([f"{mean:.1f}" for mean in students.groupby("method")["value"].mean()], room)
    highest, means = students.groupby("method")["value"].max(), students.groupby("method")["value"].mean()
    for place, method in enumerate(methods):
        write_above(
            axis,
            place,
            highest.get(method, 0),
            f"{means[method]:.1f}" if method in means else "–",
            **style,
            bbox={"facecolor": "white", "alpha": 0.9, "edgecolor": "none", "pad": 0.3},
        )
    draw_teacher(axis, part.loc[part["method"] == "teacher", "value"])
    axis.set_xticks([])
    axis.set_ylim(0, 124 if style["rotation"] else 112)
    axis.set_yticks(range(0, 101, 20))
    axis.set_xlim(-0.6, len(methods) - 0.4)
