"""Bars of means over seeds: the bar, its dots, its number, the teacher's line and the legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from e2kd_lab.figures.labels import method_colours, title_of
from e2kd_lab.figures.style import METHOD_COLOURS


def draw_bar(
    axis: Axes,
    place: float,
    values: pd.Series,
    colour: str,
    *,
    width: float,
    spacing: float,
    dot: float = 1.8,
    bottom: float = 0.0,
) -> None:
    """Draw the mean over seeds as a bar, and the seeds as dots if there are several.

    Parameters
    ----------
    axis : Axes
        Receives bar and dots.
    place : float
        Middle of the bar on the horizontal axis.
    values : Series
        One value per seed; nothing is drawn if it is empty.
    colour : str
        Colour of the bar.
    width, spacing : float
        Width of the bar and distance between its dots, in data units.
    dot : float
        Diameter of a dot in points.
    bottom : float
        Value where the bar starts.
    """
    if values.empty:
        return
    axis.bar(place, values.mean() - bottom, bottom=bottom, width=width, color=colour)
    if len(values) > 1:
        offsets = [place + spacing * (number - (len(values) - 1) / 2) for number in range(len(values))]
        # In front of numbers and their ground.
        axis.plot(offsets, values, "o", markersize=dot, color="black", markeredgewidth=0, alpha=0.75, zorder=4)


def bar_means(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The numbers that bars show: a row per bar.

    Parameters
    ----------
    rows : DataFrame
        ``value``, a row per seed; and, if known, ``run``.
    by : sequence of str
        Columns that tell the bars apart.

    Returns
    -------
    DataFrame
        These columns; ``n`` (number of seeds), ``mean``, ``low`` and ``high`` (lowest and highest seed), ``runs``.

    Examples
    --------
    >>> bar_means(pd.DataFrame({"method": ["kd", "kd"], "value": [60.0, 70.0]}), ["method"]).to_dict("records")
    [{'method': 'kd', 'n': 2, 'mean': 65.0, 'low': 60.0, 'high': 70.0, 'runs': ''}]
    """
    named = rows if "run" in rows else rows.assign(run="")
    bars = named.assign(value=named["value"].astype(float)).groupby(list(by), sort=False, dropna=False)
    return bars.agg(
        n=("value", "size"),
        mean=("value", "mean"),
        low=("value", "min"),
        high=("value", "max"),
        runs=("run", lambda names: " ".join(sorted({*names} - {""}))),
    ).reset_index()


def write_above(axis: Axes, place: float, height: float, text: str, *, gap: float = 1.5, **style: Any) -> None:
    """Write a number above a point, ``gap`` points away from it, on a white ground: lines may pass there."""
    style = {"ha": "center", "va": "bottom", "bbox": {"facecolor": "white", "linewidth": 0, "pad": 0.2}, **style}
    axis.annotate(text, (place, height), xytext=(0, gap), textcoords="offset points", **style)


def draw_teacher(axis: Axes, values: pd.Series, ends: tuple[float, float] | None = None, **style: Any) -> None:
    """Draw the teacher's mean as a dotted line, across the axes or between two ends; nothing without values."""
    if values.empty:
        return
    look: dict[str, Any] = {"linestyle": ":", "color": METHOD_COLOURS["teacher"], "linewidth": 0.9, **style}
    if ends is None:
        axis.axhline(values.mean(), **look)
    else:
        axis.plot(ends, [values.mean()] * 2, **look)


def bar_legend(methods: Sequence[str], *, teacher: bool) -> list[Any]:
    """Legend handles: a patch for each method and the teacher's dotted line."""
    colours = method_colours(methods)
    handles: list[Any] = [Patch(color=colours[method], label=title_of("method", method)) for method in methods]
    if teacher:
        colour = METHOD_COLOURS["teacher"]
        handles.append(Line2D([], [], linestyle=":", color=colour, label=title_of("method", "teacher")))
    return handles
