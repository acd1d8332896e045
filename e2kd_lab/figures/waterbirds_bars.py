"""Accuracy and agreement on Waterbirds as bars (Fig. 3, B1, B2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.bars import bar_means, draw_bar, draw_teacher, write_above
from e2kd_lab.figures.labels import counted, method_colours, title_of
from e2kd_lab.figures.lettering import broken, name_places, number_style, text_width, write_note, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FAMILY_TITLES, SCALE_TITLES, new_figure, small, styled
from e2kd_lab.metrics.titles import measure_title

_LOWEST_AXES = 66  # points that axes are high in one column of a page of two
# Prior methods come first, as in the paper.
BARS = ("at", "reviewkd", "catkd", "baseline", "kd", "e2kd")


def waterbirds_bars(
    results: pd.DataFrame,
    *,
    group: str = "out_of_distribution",
    settings: Sequence[str] = ("base", "mixup", "long"),
    methods: Sequence[str] = BARS,
    zoom: bool = False,
) -> Figure:
    """Accuracy (top) and agreement (bottom) of each method, a column per setting.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one experiment, scale and family, at most one configuration per method and
        setting (see `e2kd_lab.runs.select_by_validation`).
    group : str
        Group of images, for instance ``out_of_distribution``.
    settings : sequence of str
        Columns; those without any run are left out.
    methods : sequence of str
        Bars of each column. A method without runs in one of them keeps its empty place there.
    zoom : bool
        Start the vertical axes below the lowest value, to show small differences.

    Returns
    -------
    Figure
        Bars are means over seeds, dots the seeds, dotted lines the teacher.

    Raises
    ------
    ValueError
        If the results are of several scales.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> runs = lab.load_runs().query("experiment == 'waterbirds' and scale == 'lab'")  # doctest: +SKIP
    >>> waterbirds_bars(lab.runs.select_by_validation(runs))  # doctest: +SKIP
    """
    test = results.query("split == 'test' and group == @group")
    scales = list(results["scale"].unique()) or ["lab"]
    if len(scales) > 1:
        raise ValueError(
            f"These results are of the scales {', '.join(scales)}; expected one, by results.query('scale == ...')."
        )
    present = test[test["method"].isin(methods)]
    settings = [setting for setting in settings if setting in set(present["setting"])] or list(settings)[:1]
    methods = [method for method in methods if method in set(present["method"])] or list(methods)
    room = 66 * current_options().inches / len(settings) / len(methods)  # points for each bar
    with styled():
        # Words take about 15 lines of text; what larger ones take is not taken from the bars.
        figure = new_figure(3.3 + 0.21 * max(0.0, current_options().font_size - 7))
        axes = figure.subplots(2, len(settings), sharey="row", squeeze=False)
        for row, metric in zip(axes, ("accuracy", "agreement"), strict=True):
            measured = test[test["metric"] == metric]
            low = _below(measured["value"].min()) if zoom and len(measured) else 0.0
            own = measured["method"].eq("teacher") & (metric == "accuracy")  # it agrees with itself
            shown = measured[measured["method"].isin(methods) & measured["setting"].isin(settings)]
            numbers = [f"{mean:.1f}" for mean in shown.groupby(["setting", "method"])["value"].mean()] or [""]
            style = number_style(numbers, room)
            for axis, setting in zip(row, settings, strict=True):
                draw_teacher(axis, measured.loc[own, "value"])
                _bars(axis, measured[measured["setting"] == setting], methods, low, room, style)
            above = _above(max(numbers, key=len)) if style["rotation"] else 0.14
            row[0].set_ylim(low, 100 + above * (100 - low))
            row[0].set_yticks([tick for tick in row[0].get_yticks() if low <= tick <= 100])
            row[0].set_ylabel(measure_title(metric).with_unit)
        for axis, setting in zip(axes[0], settings, strict=True):
            heading = _setting_title(results, setting)
            axis.set_title(broken(heading, 0.8 * room * len(methods), current_options().font_size))
        for axis in axes[0]:
            axis.tick_params(labelbottom=False)
        teacher = test.query("method == 'teacher' and metric == 'accuracy'")["value"]
        suffix = f" — Teacher Acc.: {teacher.mean():.1f} %" if len(teacher) else ""
        family = FAMILY_TITLES[results["family"].iloc[0] if len(results) else "standard"]
        write_title(figure, f"{title_of('group', group)} — {family}{suffix}")
        write_note(figure, SCALE_TITLES[scales[0]])
        drawn = test[test["setting"].isin(settings) & test["metric"].isin(("accuracy", "agreement"))]
        drawn = drawn[drawn["method"].isin([*methods, "teacher"])]
        figure.data = bar_means(drawn, ["setting", "group", "metric", "method", "lam", "tau"])
    return figure


def _bars(
    axis: Axes, measured: pd.DataFrame, methods: Sequence[str], low: float, room: float, style: Mapping[str, Any]
) -> None:
    colours = method_colours(methods)
    for place, method in enumerate(methods):
        values = measured.loc[measured["method"] == method, "value"]
        if values.empty:
            axis.text(place, 0.02, "–", ha="center", va="bottom", color="#BBBBBB", transform=axis.get_xaxis_transform())
            continue
        draw_bar(axis, place, values, colours[method], width=0.78, spacing=0.16, dot=2.2, bottom=low)
        write_above(axis, place, max(values.mean(), values.max()), f"{values.mean():.1f}", gap=2, **style)
    axis.set_xlim(-0.6, len(methods) - 0.4)
    name_places(axis, range(len(methods)), [title_of("method", method) for method in methods], room)
    present = set(measured["method"])
    for label, method in zip(axis.get_xticklabels(), methods, strict=True):
        label.set_color("black" if method in present else "#AAAAAA")


def _above(number: str) -> float:
    """Room for a turned number above a bar of 100 %, in heights of that bar."""
    points = text_width(number, small()) + 2
    return points / (_LOWEST_AXES - points)


def _below(lowest: float) -> float:
    """Where a zoomed axis starts, in percent."""
    return max(0.0, lowest - 0.25 * (100 - lowest) - 1)


def _setting_title(results: pd.DataFrame, setting: str) -> str:
    base = results.query("setting == 'base' and method != 'teacher' and split == 'test'")["epoch"]
    if setting == "base" and len(base):
        return counted(int(base.max()), "epoch")
    return title_of("setting", setting, experiment=results["experiment"].iloc[0] if len(results) else "")
