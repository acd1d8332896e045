"""Accuracy and agreement on Waterbirds (Fig. 3, B1, B2), and the table beside it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.style import (
    FAMILY_TITLES,
    METHOD_COLOURS,
    SCALE_TITLES,
    SETTING_TITLES,
    TEXT_WIDTH,
    new_figure,
    styled,
)

DISTRIBUTIONS = {"out_of_distribution": "Out-of-distribution", "in_distribution": "In-distribution"}
# As in the paper's figure, prior methods come first; places without runs stay empty.
BARS = ("at", "reviewkd", "catkd", "baseline", "kd", "e2kd")
_BAR_TITLES = {"at": "AT", "reviewkd": "Rev", "catkd": "CAT", "baseline": "Base", "kd": "KD", "e2kd": "e²KD"}


def waterbirds_bars(
    results: pd.DataFrame,
    *,
    group: str = "out_of_distribution",
    settings: Sequence[str] = ("base", "mixup", "long"),
    methods: Sequence[str] = BARS,
    zoom: bool = False,
) -> Figure:
    """Accuracy (above) and agreement (below) of each method, a column for each setting.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of one experiment, scale and family, at most one configuration a method and setting
        (see `e2kd_lab.runs.select_by_validation`).
    group : str
        A group of images, for instance ``out_of_distribution``.
    settings : sequence of str
        Columns.
    methods : sequence of str
        Bars of each column; the place of a method without runs stays empty.
    zoom : bool
        Start the vertical axes below the lowest value, where 0 to 100 would hide the differences.

    Returns
    -------
    Figure
        Bars are means over seeds, dots the seeds.
    """
    test = results.query("split == 'test' and group == @group")
    scale = results["scale"].iloc[0] if len(results) else "lab"
    with styled():
        figure = new_figure(TEXT_WIDTH, 3.3)
        axes = figure.subplots(2, len(settings), sharey="row", squeeze=False)
        for row, metric in zip(axes, ("accuracy", "agreement"), strict=True):
            measured = test[test["metric"] == metric]
            low = 0.0
            if zoom and len(measured):
                low = max(0.0, measured["value"].min() - 0.25 * (100 - measured["value"].min()) - 1)
            for axis, setting in zip(row, settings, strict=True):
                _bars(axis, measured[measured["setting"] == setting], methods, low)
            row[0].set_ylabel(f"{metric.capitalize()} (%)")
        for axis, setting in zip(axes[0], settings, strict=True):
            axis.set_title(_setting_title(results, setting))
        teacher = test.query("method == 'teacher' and metric == 'accuracy'")["value"]
        suffix = f" — Teacher Acc.: {teacher.mean():.1f} %" if len(teacher) else ""
        family = FAMILY_TITLES[results["family"].iloc[0] if len(results) else "standard"]
        figure.suptitle(f"{DISTRIBUTIONS.get(group, group)} — {family}{suffix}", fontsize=8.5)
        figure.supxlabel(SCALE_TITLES[scale], fontsize=6, color="#555555")
    return figure


def waterbirds_table(results: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds: a row a family, setting and method, columns for accuracy, agreement and explanation cosine.

    Parameters
    ----------
    results : DataFrame
        As for `waterbirds_bars`, of one or both families.

    Returns
    -------
    DataFrame
        Index (family, setting, method, lam, tau), columns (metric, group), and the number of seeds.
    """
    test = results.query("split == 'test'")
    groups = ["in_distribution", "out_of_distribution", "worst"]
    chosen = test[test["group"].isin(groups) & test["metric"].isin(["accuracy", "agreement", "explanation_cosine"])]
    index = ["family", "setting", "method", "lam", "tau"]
    table = chosen.pivot_table(index=index, columns=["metric", "group"], values="value", aggfunc="mean")
    table[("seeds", "")] = chosen.groupby(index)["seed"].nunique()
    order = {name: number for number, name in enumerate([*FAMILY_TITLES, *SETTING_TITLES, "teacher", *BARS])}
    return table.sort_index(key=lambda level: level.map(lambda value: order.get(value, value)))


def _bars(axis: Axes, measured: pd.DataFrame, methods: Sequence[str], low: float) -> None:
    for place, method in enumerate(methods):
        values = measured.loc[measured["method"] == method, "value"]
        if values.empty:
            axis.text(place, 0.02, "–", ha="center", va="bottom", color="#BBBBBB", transform=axis.get_xaxis_transform())
            continue
        mean = values.mean()
        axis.bar(place, mean - low, bottom=low, width=0.78, color=METHOD_COLOURS[method])
        if len(values) > 1:
            offsets = [place + 0.16 * (number - (len(values) - 1) / 2) for number in range(len(values))]
            axis.plot(offsets, values, "o", markersize=2.2, color="black", markeredgewidth=0, alpha=0.75)
        axis.annotate(
            f"{mean:.1f}",
            (place, max(mean, values.max())),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=4.8,
        )
    axis.set_ylim(low, 100 + 0.12 * (100 - low))
    axis.set_yticks([tick for tick in axis.get_yticks() if low <= tick <= 100])
    axis.set_xlim(-0.6, len(methods) - 0.4)
    axis.set_xticks(range(len(methods)), [_BAR_TITLES[method] for method in methods], fontsize=5)
    present = set(measured["method"])
    for label, method in zip(axis.get_xticklabels(), methods, strict=True):
        label.set_color("black" if method in present else "#AAAAAA")
    axis.tick_params(axis="x", length=0)


def _setting_title(results: pd.DataFrame, setting: str) -> str:
    base = results.query("setting == 'base' and method != 'teacher' and split == 'test'")["epoch"]
    epochs = f"{base.max():g}" if len(base) else "Base"
    return SETTING_TITLES[setting].format(epochs=epochs).replace("Base epochs", "Base")
