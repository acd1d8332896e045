"""Bars of all methods for any measures and groups of images, whatever the experiment."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.bars import bar_legend, bar_means, draw_bar, draw_teacher, write_above
from e2kd_lab.figures.labels import (
    group_key,
    group_name,
    in_order,
    method_colours,
    methods_of,
    title_of,
    where_measured,
)
from e2kd_lab.figures.lettering import legend_below, name_places, number_style, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import new_figure, small, styled
from e2kd_lab.metrics.titles import MeasureTitle, measure_title

_USUAL_GROUPS = ("all", "in_distribution", "out_of_distribution", "worst", "mean")
_MOST_GROUPS = 10  # more names would be illegible
_WIDTH = 0.8  # of a group of bars


def measure_bars(
    results: pd.DataFrame,
    *,
    metrics: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """One bar per method: measures in rows, groups of images along each row.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one experiment, scale, family and setting, at most one configuration per method
        (see `e2kd_lab.runs.select_by_validation`).
    metrics, groups : sequence of str, optional
        What to draw. By default all measures, and all groups if they are at most ten, else ``all`` and averages.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        Bars are means over seeds, dots the seeds; the dotted line is the teacher.

    Raises
    ------
    ValueError
        If there are no test results of these measures and groups.

    Examples
    --------
    >>> row = {"split": "test", "group": "all", "metric": "accuracy", "scale": "lab", "seed": 0}
    >>> rows = pd.DataFrame([{**row, "method": "kd", "value": 60.0}, {**row, "method": "e2kd", "value": 70.0}])
    >>> [round(bar.get_height()) for bar in measure_bars(rows).axes[0].patches]
    [60, 70]
    """
    test = _chosen_rows(results, metrics, groups)
    shown = [str(name) for name in in_order("metric", test["metric"])]
    methods = [name for name in methods_of(test) if name != "teacher"]
    places = _places(test, shown)
    across = 61 * current_options().inches  # points for each row
    # Rows with the same groups share one line of names, below the last of them; a single group is named above.
    named = [here != below for here, below in zip(places, [*places[1:], []], strict=True)]
    alone = test["group"].nunique() == 1
    names_height = 0 if alone else (0.55 if max(map(len, places)) > 6 else 0.35) * sum(named)
    with styled():
        figure = new_figure(0.75 + 0.95 * len(shown) + names_height)
        axes = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for axis, metric, row_groups, last in zip(axes, shown, places, named, strict=True):
            rows = test[test["metric"] == metric]
            _draw_groups(axis, rows, methods, row_groups, measure_title(metric), across)
            shown_names = [group_name(group) for group in row_groups] if last and not alone else []
            name_places(axis, range(len(shown_names)), shown_names, across / len(row_groups))
        legend_below(
            figure,
            bar_legend(methods, teacher="teacher" in set(test["method"])),
            note=where_measured(results),
            key="" if alone else group_key(test["group"].unique()),
        )
        write_title(figure, title)
        if alone and places[0] != ["all"]:
            axes[0].set_title(title_of("group", places[0][0]))
        figure.data = bar_means(test, ["metric", "group", "method"])
    return figure


def _chosen_rows(results: pd.DataFrame, metrics: Sequence[str] | None, groups: Sequence[str] | None) -> pd.DataFrame:
    """Test results of the chosen measures and groups."""
    test = results[results["split"] == "test"]
    test = test if metrics is None else test[test["metric"].isin(metrics)]
    if groups is None and test["group"].nunique() > _MOST_GROUPS:
        groups = _USUAL_GROUPS
    test = test if groups is None else test[test["group"].isin(groups)]
    if metrics is None and not (test.loc[test["metric"] == "dead_map_rate", "value"] > 0).any():
        test = test[test["metric"] != "dead_map_rate"]
    if test.empty:
        raise ValueError("Bars need test results of finished runs; there are none of these measures and groups.")
    return test


def _places(test: pd.DataFrame, metrics: Sequence[str]) -> list[list[str]]:
    """Groups of each row: all that any measure has, so that one line names them; its own if it has less than half."""
    every = [str(name) for name in in_order("group", test["group"])]
    own = [set(test.loc[test["metric"] == metric, "group"]) for metric in metrics]
    return [every if 2 * len(one) >= len(every) else [name for name in every if name in one] for one in own]


def _draw_groups(
    axis: Axes, rows: pd.DataFrame, methods: Sequence[str], groups: Sequence[str], title: MeasureTitle, across: float
) -> None:
    colours, width = method_colours(methods), _WIDTH / max(1, len(methods))
    largest = rows["value"].abs().max()
    room = across * width / len(groups)
    style = number_style([title.text(value, largest=largest) for value in (rows["value"].min(), largest)], room)
    for place, group in enumerate(groups):
        own = rows[rows["group"] == group]
        ends = (place - _WIDTH / 2, place + _WIDTH / 2)
        draw_teacher(axis, own.loc[own["method"] == "teacher", "value"], ends, zorder=3)
        for number, method in enumerate(methods):
            middle = place + width * (number - (len(methods) - 1) / 2)
            values = own.loc[own["method"] == method, "value"]
            draw_bar(axis, middle, values, colours[method], width=0.92 * width, spacing=0.16 * width)
            text = title.text(values.mean(), largest=largest) if len(values) else "–"
            write_above(
                axis,
                middle,
                max(0.0, values.max()) if len(values) else 0.0,
                text if room > 1.1 * small() else "",
                **style,
                color="black" if len(values) else "#999999",
                bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.2},
                zorder=4,
            )
    axis.set_xlim(-0.55, len(groups) - 0.45)
    _scale(axis, rows["value"], title, turned=bool(style["rotation"]))


def _scale(axis: Axes, values: pd.Series, title: MeasureTitle, *, turned: bool) -> None:
    """Limits, ticks and name of the vertical axis; percentages that should be high go from 0 to 100."""
    words = title.with_unit
    axis.set_ylabel(words.replace(" ", "\n", 1) if len(words) > 14 else words)
    low, high = min(0.0, values.min()), max(0.0, values.max())
    margin = (0.4 if turned else 0.2) * ((high - low) or 1.0)
    share = title.unit == "%" and title.best != "lowest"
    axis.set_ylim(low - (margin if low < 0 else 0), max(high + margin, (134 if turned else 118) if share else 0))
    if share:
        axis.set_yticks(range(0, 101, 50 if turned else 25))
    else:
        axis.locator_params(axis="y", nbins=4)
