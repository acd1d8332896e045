"""EPG against IoU of guided teachers and their students (Table 4 as a scatter plot)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.figures.labels import source_title
from e2kd_lab.figures.lettering import legend_below, write_title
from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_TITLES, new_figure, styled

_MARKERS = ("o", "s")
_METHODS = ("teacher", "baseline", "kd", "e2kd")


def epg_iou_plane(rows: pd.DataFrame, *, title: str = "") -> Figure:
    """EPG against IoU, with an arrow from each KD student to the e2KD student of the same teacher.

    Parameters
    ----------
    rows : DataFrame
        Table 4, see `e2kd_lab.paper.beside_paper`.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        A panel per source, in percent; large points are means over seeds, small ones the seeds.

    Examples
    --------
    >>> from e2kd_lab.paper import beside_paper
    >>> published = beside_paper(pd.DataFrame(columns=["split", "group", "metric"]), "table4")
    >>> epg_iou_plane(published).axes[0].get_xlabel()
    'EPG (%)'
    """
    sources = list(rows["source"].unique())
    with styled():
        figure = new_figure(2.5)
        axes = figure.subplots(1, len(sources), squeeze=False)[0]
        for axis, source in zip(axes, sources, strict=True):
            _plane(axis, rows[rows["source"] == source])
            axis.set_title(source_title(source))
            axis.set_xlabel("EPG (%)")
        axes[0].set_ylabel("IoU (%)")
        columns = rows.sort_values("place")["column"].unique()
        handles = [
            Line2D([], [], linestyle="", marker="o", color=METHOD_COLOURS[method], label=METHOD_TITLES[method])
            for method in _METHODS
            if method in set(rows["method"])
        ] + [
            Line2D([], [], linestyle="", marker=marker, color="black", fillstyle="none", label=column)
            for marker, column in zip(_MARKERS, columns, strict=False)
        ]
        legend_below(figure, handles, markerscale=0.7, handlelength=1)
        write_title(figure, title)
    return figure


def _plane(axis: Axes, rows: pd.DataFrame) -> None:
    # The paper has no seeds.
    points = rows.assign(seed=rows["seed"].fillna(0)).pivot_table(
        index=["place", "method", "seed"], columns="metric", values="value"
    )
    for place, taught in points.groupby("place"):
        marker, means = _MARKERS[int(str(place)) % len(_MARKERS)], taught.groupby("method").mean()
        for method in means.index:
            seeds, colour, mean = taught.xs(method, level="method"), METHOD_COLOURS[method], means.loc[method]
            if len(seeds) > 1:
                axis.plot(seeds["epg"], seeds["iou"], marker, color=colour, markersize=2.5, alpha=0.5)
            axis.plot(mean["epg"], mean["iou"], marker, color=colour, markersize=6 if method == "teacher" else 4.5)
        if {"kd", "e2kd"} <= set(means.index):
            ends = [tuple(means.loc[method, ["epg", "iou"]]) for method in ("e2kd", "kd")]
            style = {"arrowstyle": "->", "color": METHOD_COLOURS["e2kd"], "shrinkA": 3, "shrinkB": 3}
            axis.annotate("", xy=ends[0], xytext=ends[1], arrowprops=style)
    axis.grid(visible=True, axis="both")
    axis.margins(0.12)
