"""The paper's tables (1 to 5 and B1) and Fig. 4's numbers beside what was measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from e2kd_lab.figures.style import METHOD_ORDER, METHOD_TITLES, SCALE_TITLES
from e2kd_lab.paper.reported import paper_results

PAPER = "paper"
METRIC_TITLES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "agreement": "Agreement",
    "epg": "EPG",
    "iou": "IoU",
    "f1": "F1",
}
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
DEFAULT_METRICS = ("accuracy", "agreement")
_PAPER_METHODS = {
    "e2kd_gradcam": "e2kd",
    "e2kd_bcos": "e2kd",
    "e2kd_bcos_frozen": "e2kd_frozen",
    "kd_ce": "kd_labels",
}


def selecting_measure(rows: pd.DataFrame) -> str:
    """What configurations were selected by on validation images, in words: accuracy, or F1 where labels are several."""
    return METRIC_TITLES["f1"] if "f1" in set(rows["metric"]) else "accuracy"


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


def _published(table: str) -> pd.DataFrame:
    rows = paper_results(table)
    columns = _TABLES[table]
    rows = rows.assign(method=rows["method"].replace(_PAPER_METHODS), source=PAPER)
    rows = rows.assign(lam=math.nan, tau=math.nan, seed=math.nan)
    rows = rows[rows["metric"].isin(_METRICS.get(table, DEFAULT_METRICS))]
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
    rows = rows[rows["metric"].isin(_METRICS.get(table, DEFAULT_METRICS))].copy()
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
