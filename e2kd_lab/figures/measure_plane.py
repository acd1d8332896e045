"""One measure of students against another, with error bars over seeds."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.figures.labels import method_colours
from e2kd_lab.figures.lettering import broken, legend_below, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FAMILY_TITLES, new_figure, styled

_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">")


def measure_plane(
    rows: pd.DataFrame, x: tuple[str, str], y: tuple[str, str], *, title: str = "", note: str = ""
) -> Figure:
    """A mark for each kind of student at its mean over seeds, with bars of one standard deviation.

    Parameters
    ----------
    rows : DataFrame
        A row a run: ``family``; ``label`` of the mark; ``method``, which gives its colour; and the two measures. Rows
        of the same family, label and method are averaged.
    x, y : tuple of str
        Column of each measure, and its axis label.
    title : str
        Title of the figure.
    note : str
        Where the numbers come from.

    Returns
    -------
    Figure
        A column a family of networks; marks of one colour differ in shape.

    Examples
    --------
    >>> rows = pd.DataFrame({"label": ["KD", "KD"], "cost": [1.0, 1.0], "agreement": [2.0, 4.0]})
    >>> rows = rows.assign(family="standard", method="kd")
    >>> figure = measure_plane(rows, ("cost", "time of a step"), ("agreement", "agreement (%)"))
    >>> figure.axes[0].get_ylabel()
    'agreement (%)'
    """
    families = [family for family in FAMILY_TITLES if family in set(rows["family"])]
    looks = _looks(rows)
    room = 58 * current_options().inches / len(families)  # points for each column
    with styled():
        figure = new_figure(2.7)
        axes = figure.subplots(1, len(families), squeeze=False, sharey="row")[0]
        for axis, family in zip(axes, families, strict=True):
            _draw(axis, rows[rows["family"] == family], x[0], y[0], looks)
            axis.set_title(FAMILY_TITLES[family])
            axis.set_xlabel(broken(x[1], room, current_options().font_size))
        axes[0].set_ylabel(broken(y[1], 130, current_options().font_size))
        handles = [Line2D([], [], linestyle="", label=label, **look) for label, look in looks.items()]
        legend_below(figure, handles, note=note, handlelength=1)
        write_title(figure, title)
    figure.data = rows
    return figure


def _looks(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Colour and marker by label."""
    known = rows.drop_duplicates("label").set_index("label")["method"]
    colours, used = method_colours(list(known)), dict.fromkeys(known, 0)
    looks = {}
    for label, method in known.items():
        marker = _MARKERS[used[method] % len(_MARKERS)]
        looks[str(label)] = {"color": colours[method], "marker": marker, "markersize": 5}
        used[method] += 1
    return looks


def _draw(axis: Axes, rows: pd.DataFrame, x: str, y: str, looks: dict[str, dict[str, Any]]) -> None:
    for label, own in rows.groupby("label", sort=False):
        mean, spread = own[[x, y]].mean(), own[[x, y]].std(ddof=1).fillna(0)
        axis.errorbar(mean[x], mean[y], spread[y], spread[x], capsize=2, elinewidth=0.8, **looks[str(label)])
    axis.grid(visible=True, axis="both")
    axis.margins(0.14)
