"""Methods beside each other for any measures and groups of images: what there is for experiments without a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from e2kd_lab.figures.style import TEXT_WIDTH, new_figure, styled
from e2kd_lab.figures.titles import in_order, method_colours, methods_of, title_of, where_measured
from e2kd_lab.metrics.titles import measure_title

_USUAL_GROUPS = ("all", "in_distribution", "out_of_distribution", "worst", "mean")
_MOST_GROUPS = 10  # more names could not be read
_LETTER = 0.05  # inches of a digit above a bar
_WIDTH = 0.8  # of the bars of a group


def measure_bars(
    results: pd.DataFrame,
    *,
    metrics: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Each method as a bar, for every measure (rows) and group of images (places along a row).

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one experiment, scale, family and setting, at most one configuration a method
        (see `e2kd_lab.runs.select_by_validation`).
    metrics, groups : sequence of str, optional
        What to draw; by default all measures, and all groups where these are not more than ten, else ``all`` and
        averages.
    title : str
        Over the figure.

    Returns
    -------
    Figure
        Bars are means over seeds, dots the seeds; the dotted line is the teacher.

    Raises
    ------
    ValueError
        If there are no test results of these measures and groups.
    """
    test = results[results["split"] == "test"]
    test = test if metrics is None else test[test["metric"].isin(metrics)]
    if groups is None and test["group"].nunique() > _MOST_GROUPS:
        groups = _USUAL_GROUPS
    test = test if groups is None else test[test["group"].isin(groups)]
    if test.empty:
        raise ValueError("Bars need test results of finished runs; there are none of these measures and groups.")
    shown = [str(name) for name in in_order("metric", test["metric"])]
    methods = [name for name in methods_of(test) if name != "teacher"]
    places = [[str(name) for name in in_order("group", test.loc[test["metric"] == one, "group"])] for one in shown]
    # Rows of the same groups have their names below the last of them only; a single group is named above.
    named = [here != below for here, below in zip(places, [*places[1:], []], strict=True)]
    alone = test["group"].nunique() == 1
    rotated = max(map(len, places)) > 6
    with styled():
        figure = new_figure(
            TEXT_WIDTH, 0.75 + 0.95 * len(shown) + (0 if alone else (0.5 if rotated else 0.3) * sum(named))
        )
        axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for axis, metric, groups, last in zip(axes, shown, places, named, strict=True):
            _bars(axis, test[test["metric"] == metric], methods, groups, metric)
            _name_groups(axis, groups if last and not alone else [], rotated=rotated)
        _legend(figure, methods, teacher="teacher" in set(test["method"]))
        if title:
            figure.suptitle(title, fontsize=8.5)
        where = where_measured(results) + (f", {title_of('group', places[0][0]).lower()}" if alone else "")
        axes[0].set_title(where, fontsize=6, color="#555555", pad=4)
    return figure


def _bars(axis: Axes, rows: pd.DataFrame, methods: Sequence[str], groups: Sequence[str], metric: str) -> None:
    colours, width = method_colours([*methods, "teacher"]), _WIDTH / max(1, len(methods))
    title, largest = measure_title(metric), rows["value"].abs().max()
    inches = 0.9 * TEXT_WIDTH * width / len(groups)
    written = inches >= _LETTER * len(title.text(largest, largest=largest))
    for place, group in enumerate(groups):
        own = rows[rows["group"] == group]
        teacher = own.loc[own["method"] == "teacher", "value"]
        if len(teacher):
            ends = [place - _WIDTH / 2, place + _WIDTH / 2]
            axis.plot(ends, [teacher.mean()] * 2, ":", color=colours["teacher"], linewidth=0.9, zorder=3)
        for number, method in enumerate(methods):
            middle = place + width * (number - (len(methods) - 1) / 2)
            values = own.loc[own["method"] == method, "value"]
            text = title.text(values.mean(), largest=largest) if len(values) else "–"
            _bar(axis, middle, width, values, colours[method], text if written else "")
    words = title.with_unit
    axis.set_xlim(-0.55, len(groups) - 0.45)
    axis.set_ylabel(words.replace(" ", "\n", 1) if len(words) > 14 else words, fontsize=6.5)
    low, high = min(0.0, rows["value"].min()), max(0.0, rows["value"].max())
    margin = 0.15 * ((high - low) or 1.0)
    share = title.unit == "%" and title.best != "lowest"
    axis.set_ylim(low - (margin if low < 0 else 0), max(high + margin, 114 if share else 0))
    if share:
        axis.set_yticks(range(0, 101, 25))
    axis.tick_params(axis="y", labelsize=6)


def _name_groups(axis: Axes, groups: Sequence[str], *, rotated: bool) -> None:
    labels = [title_of("group", group) if rotated else title_of("group", group).replace(" ", "\n") for group in groups]
    turned: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if rotated else {}
    axis.set_xticks(range(len(groups)), labels, fontsize=6, **turned)
    axis.tick_params(axis="x", length=0)


def _bar(axis: Axes, middle: float, width: float, values: pd.Series, colour: str, text: str) -> None:
    """The mean as a bar with its number above, the seeds as dots; a dash where there are no runs."""
    if len(values):
        axis.bar(middle, values.mean(), width=0.92 * width, color=colour)
    if len(values) > 1:
        offsets = [middle + 0.16 * width * (number - (len(values) - 1) / 2) for number in range(len(values))]
        axis.plot(offsets, values, "o", markersize=1.8, color="black", markeredgewidth=0, alpha=0.75)
    above = max(0.0, values.max()) if len(values) else 0.0
    axis.annotate(
        text,
        (middle, above),
        xytext=(0, 1.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=5,
        color="black" if len(values) else "#999999",
        bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.2},
        zorder=4,
    )


def _legend(figure: Figure, methods: Sequence[str], teacher: bool) -> None:
    colours = method_colours([*methods, "teacher"])
    handles: list[Any] = [Patch(color=colours[method], label=title_of("method", method)) for method in methods]
    if teacher:
        handles.append(Line2D([], [], linestyle=":", color=colours["teacher"], label=title_of("method", "teacher")))
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=-(-len(handles) // -(-len(handles) // 5)), fontsize=6
        )
