"""The paper's tables (1 to 5 and B1) and Fig. 4's numbers beside what was measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.paper import paper_results
from e2kd_lab.figures.style import (
    METHOD_COLOURS,
    METHOD_ORDER,
    METHOD_TITLES,
    SCALE_TITLES,
    TEXT_WIDTH,
    new_figure,
    styled,
)

PAPER = "paper"
METRIC_TITLES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "agreement": "Agreement",
    "epg": "EPG",
    "iou": "IoU",
    "f1": "F1",
}
_DASHES = (3, 1.5)
COLUMNS = ["source", "place", "column", "method", "lam", "tau", "seed", "metric", "value"]

# The columns of each table, in order: the paper's data, and our settings where they are no number of shots.
_FEW_SHOTS = {"imagenet_50": "50 shots", "imagenet_200": "200 shots", "imagenet_full": "all images"}
_TABLES: Mapping[str, Mapping[str, str]] = {
    "table1": _FEW_SHOTS,
    "table2": _FEW_SHOTS,
    "table3": _FEW_SHOTS,
    "table4": {"voc_epg_teacher": "EPG teacher", "voc_iou_teacher": "IoU teacher"},
    "table5": {"sun_to_imagenet": "SUN → ImageNet", "imagenet_to_sun": "ImageNet → SUN"},
    "tableB1": {"imagenet_full_100ep": "all images"},
    "figure4": {"imagenet_full": "all images"},
}
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "table4": {"base": "EPG teacher", "iou": "IoU teacher"},
    "table5": {"base": "SUN → ImageNet", "reversed": "ImageNet → SUN"},
}
_METRICS: Mapping[str, tuple[str, ...]] = {"table4": ("epg", "iou", "f1")}
_DEFAULT_METRICS = ("accuracy", "agreement")
_PAPER_METHODS = {
    "e2kd_gradcam": "e2kd",
    "e2kd_bcos": "e2kd",
    "e2kd_bcos_frozen": "e2kd_frozen",
    "kd_ce": "kd_labels",
}


def beside_paper(results: pd.DataFrame, table: str) -> pd.DataFrame:
    """One of the paper's tables and our results in one long form.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of students and teachers that belong into this table, at most one configuration a
        method and setting (see `e2kd_lab.runs.select_by_validation`).
    table : str
        ``table1`` to ``table5``, ``tableB1``, or ``figure4`` (its left part).

    Returns
    -------
    DataFrame
        ``source`` (*paper*, or where it was measured), ``place`` and ``column`` (which column of the table, from the
        left), ``method``, ``lam``, ``tau``, ``seed``, ``metric`` (``accuracy`` and ``agreement``; in Table 4 ``epg``,
        ``iou`` and ``f1``), ``value`` in percent.

    Raises
    ------
    ValueError
        If there is no such table.
    """
    if table not in _TABLES:
        raise ValueError(f"There is no table '{table}' here; expected one of {', '.join(_TABLES)}.")
    parts = [_published(table), _measured(results, table)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[COLUMNS]


def wide_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds as in the paper: a row a method, columns for source, data and metric, and e2KD's gain over KD.

    Parameters
    ----------
    rows : DataFrame
        See `beside_paper`.
    """
    named = rows.assign(column=pd.Categorical(rows["column"], rows.sort_values("place")["column"].unique()))
    named["source"] = pd.Categorical(rows["source"], rows["source"].unique())
    named["metric"] = pd.Categorical(rows["metric"], [m for m in METRIC_TITLES if m in set(rows["metric"])])
    table = named.pivot_table(
        index="method", columns=["source", "column", "metric"], values="value", aggfunc="mean", observed=True
    )
    table = table.loc[[method for method in METHOD_ORDER if method in table.index]]
    gains = {
        f"gain of {METHOD_TITLES[ours]} over {METHOD_TITLES[theirs]}": table.loc[ours] - table.loc[theirs]
        for ours, theirs in (("e2kd", "kd"), ("e2kd_frozen", "kd_frozen"))
        if {ours, theirs} <= set(table.index)
    }
    titled = table.rename(index=dict(METHOD_TITLES))
    return pd.concat([titled, pd.DataFrame(gains).T]) if gains else titled


def shot_curves(rows: pd.DataFrame, *, methods: Sequence[str] | None = None, place: int = 0, title: str = "") -> Figure:
    """Accuracy and agreement against the number of shots, in the paper and here, and e2KD's gain over KD.

    Parameters
    ----------
    rows : DataFrame
        See `beside_paper`.
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
        for row, metric in zip(axes, _DEFAULT_METRICS, strict=True):
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
        See `beside_paper`.
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


def _published(table: str) -> pd.DataFrame:
    rows = paper_results(table)
    columns = _TABLES[table]
    rows = rows.assign(method=rows["method"].replace(_PAPER_METHODS), source=PAPER)
    rows = rows.assign(lam=math.nan, tau=math.nan, seed=math.nan)
    rows = rows[rows["metric"].isin(_METRICS.get(table, _DEFAULT_METRICS))]
    # The teacher's accuracy stands above Tables 1 to 3, not in a column; it belongs to all of them.
    everywhere = rows["method"].eq("teacher") & ~rows["setting"].isin(columns)
    parts = [rows[~everywhere], *(rows[everywhere].assign(setting=setting) for setting in columns)]
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(
        place=rows["setting"].map({setting: number for number, setting in enumerate(columns)}),
        column=rows["setting"].map(columns),
    )


def _measured(results: pd.DataFrame, table: str) -> pd.DataFrame:
    rows = results.query("split == 'test' and group == 'all'")
    rows = rows[rows["metric"].isin(_METRICS.get(table, _DEFAULT_METRICS))].copy()
    if rows.empty:
        return rows
    frozen = rows["experiment"].eq("imagenet_frozen") | rows["setting"].eq("frozen")
    rows["setting"] = rows["setting"].replace("frozen", "base")
    named = frozen & rows["method"].isin(["kd", "e2kd"])
    rows["method"] = rows["method"].where(~named, rows["method"] + "_frozen")
    # Other students do not see how their teacher is kept: those of the frozen one stand in where there are no others.
    places = pd.MultiIndex.from_frame(rows[["scale", "setting", "method"]])
    rows = rows[~frozen | named | ~places.isin(places[~frozen])]
    students = rows[rows["method"] != "teacher"]
    settings = sorted(students["setting"].unique(), key=_order)
    # A teacher has a place in every column whose students it taught.
    teachers, parts = rows[rows["method"] == "teacher"], [students]
    for setting in settings:
        taught_by = students.loc[students["setting"] == setting, "teacher"]
        parts.append(teachers[teachers["run"].isin(taught_by)].assign(setting=setting))
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(
        source=rows["scale"].map(SCALE_TITLES),
        place=rows["setting"].map({setting: number for number, setting in enumerate(settings)}),
        column=rows["setting"].map(lambda setting: _SETTINGS.get(table, {}).get(setting) or _shots_title(setting)),
    )


def _order(setting: str) -> tuple[int, float]:
    """Few shots by their number, then all images, then other settings."""
    if setting.endswith("-shots"):
        return 0, float(setting.removesuffix("-shots"))
    return (1, 0.0) if setting == "base" else (2, 0.0)


def _shots_title(setting: str) -> str:
    return "all images" if setting == "base" else setting.replace("-", " ")


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
