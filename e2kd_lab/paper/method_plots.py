"""Methods beside each other, in the paper and here: curves over the number of shots, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_ORDER, METHOD_TITLES, TEXT_WIDTH, new_figure, styled
from e2kd_lab.paper.beside_paper import DEFAULT_METRICS, METRIC_TITLES, PAPER

_DASHES = (3, 1.5)


def shot_curves(rows: pd.DataFrame, *, methods: Sequence[str] | None = None, place: int = 0, title: str = "") -> Figure:
    """Accuracy and agreement against the number of shots, in the paper and here, and e2KD's gain over KD.

    Parameters
    ----------
    rows : DataFrame
        See `e2kd_lab.paper.beside_paper`.
    methods : sequence of str, optional
        Methods to draw; all by default.
    place : int
        The column of the table whose gain is drawn; a band marks it.
    title : str
        Over the figure.

    Returns
    -------
    Figure
        Lines are means over seeds, bands reach from the lowest seed to the highest; the dotted line is the teacher.
    """
    methods = _present(rows, methods)
    sources = list(rows["source"].unique())
    with styled():
        figure = new_figure(TEXT_WIDTH, 3.2)
        axes = figure.subplots(2, len(sources) + 1, squeeze=False, width_ratios=[*([1.0] * len(sources)), 0.85])
        for row, metric in zip(axes, DEFAULT_METRICS, strict=True):
            for axis, source in zip(row, sources, strict=False):
                part = rows[(rows["source"] == source) & (rows["metric"] == metric)]
                _curves(axis, part, methods, place)
            row[0].set_ylabel(f"{METRIC_TITLES[metric]} (%)")
            _gains(row[-1], rows[rows["metric"] == metric], sources, place)
        for axis, source in zip(axes[0], sources, strict=False):
            axis.set_title(source, fontsize=6.5)
        axes[0, -1].set_title(f"gain over KD,\n{_column_titles(rows, place)}", fontsize=6.5)
        _legend(figure, methods, teacher="teacher" in set(rows["method"]))
        if title:
            figure.suptitle(title, fontsize=8)
    return figure


def method_bars(
    rows: pd.DataFrame, *, methods: Sequence[str] | None = None, place: int | None = None, title: str = ""
) -> Figure:
    """Each method as a bar: a row for each metric; the paper's table, then ours, for each column of it.

    Parameters
    ----------
    rows : DataFrame
        See `e2kd_lab.paper.beside_paper`.
    methods : sequence of str, optional
        Methods to draw; all by default.
    place : int, optional
        The only column of the table to draw.
    title : str
        Over the figure.

    Returns
    -------
    Figure
        Bars are means over seeds, dots the seeds; the dotted line is the teacher.
    """
    methods = _present(rows, methods)
    rows = rows if place is None else rows[rows["place"] == place]
    table = rows[["place", "source", "column"]].drop_duplicates().sort_values("place", kind="stable")
    panels = list(table.itertuples(index=False, name=None))
    with styled():
        metrics = [metric for metric in METRIC_TITLES if metric in set(rows["metric"])]
        figure = new_figure(TEXT_WIDTH, 0.8 + 1.2 * len(metrics))
        axes = figure.subplots(len(metrics), len(panels), sharey="row", squeeze=False)
        for row, metric in zip(axes, metrics, strict=True):
            for axis, (number, source, _) in zip(row, panels, strict=True):
                chosen = (rows["source"] == source) & (rows["place"] == number) & (rows["metric"] == metric)
                _bars(axis, rows[chosen], methods, crowded=len(panels) * len(methods) > 16)
            row[0].set_ylabel(f"{METRIC_TITLES[metric]} (%)")
        for axis, (_, source, column) in zip(axes[0], panels, strict=True):
            narrow = len(panels) > 3
            source = source.replace(" (", "\n(") if narrow else source
            axis.set_title(f"{column}\n{source}", fontsize=5.5 if narrow else 6.5)
        _legend(figure, methods, teacher="teacher" in set(rows["method"]))
        if title:
            figure.suptitle(title, fontsize=8)
    return figure


def _present(rows: pd.DataFrame, methods: Sequence[str] | None) -> list[str]:
    present = set(rows["method"]) - {"teacher"}
    return [name for name in METHOD_ORDER if name in present and (methods is None or name in methods)]


def _column_titles(rows: pd.DataFrame, place: int) -> str:
    return " / ".join(rows.loc[rows["place"] == place, "column"].unique())


def _curves(axis: Axes, part: pd.DataFrame, methods: Sequence[str], place: int) -> None:
    columns = part.drop_duplicates("place").sort_values("place")
    axis.axvspan(place - 0.25, place + 0.25, color="#EEEEEE", linewidth=0, zorder=0)
    teacher = part.loc[part["method"] == "teacher", "value"]
    if len(teacher):
        axis.axhline(teacher.mean(), color=METHOD_COLOURS["teacher"], linestyle=":", linewidth=0.9)
    seaborn.lineplot(
        part[part["method"].isin(methods)],
        x="place",
        y="value",
        hue="method",
        style="method",
        palette=dict(METHOD_COLOURS),
        dashes={method: _DASHES if method.endswith("_frozen") else "" for method in methods},
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
    axis.set_xticks(columns["place"], [column.replace(" ", "\n") for column in columns["column"]], fontsize=5.5)
    axis.set_xlim(-0.35, max(0, columns["place"].max() if len(columns) else 0) + 0.35)
    axis.tick_params(axis="y", labelsize=6)


def _gains(axis: Axes, rows: pd.DataFrame, sources: Sequence[str], place: int) -> None:
    """How much better than KD each e2KD is, in percentage points."""
    pairs = [p for p in (("e2kd", "kd"), ("e2kd_frozen", "kd_frozen")) if set(p) <= set(rows["method"])]
    means = rows[rows["place"] == place].groupby(["source", "method"])["value"].mean()
    titles, number = [], 0
    for source in sources:
        for ours, theirs in pairs:
            name = "" if ours == "e2kd" else "\nfrozen"
            titles.append(("paper" if source == PAPER else "here") + name)
            if (source, ours) in means and (source, theirs) in means:
                gain = means[source, ours] - means[source, theirs]
                axis.bar(number, gain, color=METHOD_COLOURS[ours], alpha=0.55 if source == PAPER else 1, width=0.7)
                axis.annotate(
                    f"{gain:+.1f}",
                    (number, max(gain, 0)),
                    xytext=(0, 1.5),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=5.5,
                )
            number += 1
    axis.axhline(0, color="black", linewidth=0.5)
    axis.set_xticks(range(number), titles, fontsize=5)
    axis.set_xlim(-0.6, max(number, 1) - 0.4)
    axis.margins(y=0.15)
    axis.tick_params(axis="y", labelsize=6)
    axis.set_ylabel("points", fontsize=6)


def _bars(axis: Axes, part: pd.DataFrame, methods: Sequence[str], crowded: bool) -> None:
    students = part[part["method"].isin(methods)]
    places: dict[str, Any] = {"x": "method", "y": "value", "order": methods, "ax": axis}
    seaborn.barplot(
        students, **places, hue="method", palette=dict(METHOD_COLOURS), saturation=1, errorbar=None, legend=False
    )
    for place, method in enumerate(methods):
        seeds = students.loc[students["method"] == method, "value"]
        if len(seeds) > 1:
            offsets = [place + 0.1 * (number - (len(seeds) - 1) / 2) for number in range(len(seeds))]
            axis.plot(offsets, seeds, "o", color="black", markersize=1.8, markeredgewidth=0, alpha=0.75)
    axis.set(xlabel="", ylabel="")
    for number, method in enumerate(methods):
        values = students.loc[students["method"] == method, "value"]
        axis.annotate(
            f"{values.mean():.1f}" if len(values) else "–",
            (number, values.max() if len(values) else 0),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=4.8 if crowded else 5.5,
            rotation=90 if crowded else 0,
            bbox={"facecolor": "white", "alpha": 0.9, "edgecolor": "none", "pad": 0.3},
        )
    teacher = part.loc[part["method"] == "teacher", "value"]
    if len(teacher):
        axis.axhline(teacher.mean(), color=METHOD_COLOURS["teacher"], linestyle=":", linewidth=0.9)
    axis.set_xticks([])
    axis.set_ylim(0, 115 if crowded else 108)
    axis.set_yticks(range(0, 101, 20))
    axis.set_xlim(-0.6, len(methods) - 0.4)
    axis.tick_params(axis="y", labelsize=6)


def _legend(figure: Figure, methods: Sequence[str], teacher: bool) -> None:
    axis = figure.axes[0]
    handles = [
        axis.plot(
            [],
            [],
            "-",
            dashes=_DASHES if method.endswith("_frozen") else (None, None),
            color=METHOD_COLOURS[method],
            linewidth=2,
            label=METHOD_TITLES[method],
        )[0]
        for method in methods
    ]
    if teacher:
        handles += axis.plot([], [], ":", color=METHOD_COLOURS["teacher"], label="Teacher")
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), fontsize=6)
