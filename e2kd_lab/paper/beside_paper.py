"""The paper's tables (1 to 5 and B1) and the numbers of Fig. 4 beside ours, in long and in wide form."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from e2kd_lab.experiments import setting_title
from e2kd_lab.figures.labels import PAPER, TABLE_METRICS
from e2kd_lab.figures.style import FROZEN, METHOD_ORDER, METHOD_TITLES, SCALE_TITLES
from e2kd_lab.metrics.titles import measure_title
from e2kd_lab.paper.reported import paper_results

COLUMNS = ["source", "place", "column", "method", "lam", "tau", "seed", "metric", "value"]

_ALL = "all images"
# Columns of each table, from the left: settings of the paper's data.
_FEW_SHOTS = {"imagenet_50": "50 shots", "imagenet_200": "200 shots", "imagenet_full": _ALL}
_TABLES: Mapping[str, Mapping[str, str]] = {
    "table1": _FEW_SHOTS,
    "table2": _FEW_SHOTS,
    "table3": _FEW_SHOTS,
    "table4": {"voc_epg_teacher": "EPG teacher", "voc_iou_teacher": "IoU teacher"},
    "table5": {"sun_to_imagenet": "SUN → ImageNet", "imagenet_to_sun": "ImageNet → SUN"},
    "tableB1": {"imagenet_full_100ep": _ALL},
    "figure4": {"imagenet_full": _ALL},
}
_METRICS: Mapping[str, tuple[str, ...]] = {"table4": ("epg", "iou", "f1")}
_DEFAULT_METRICS = ("accuracy", "agreement")
_PAPER_METHODS = {
    "e2kd_gradcam": "e2kd",
    "e2kd_bcos": "e2kd",
    "e2kd_bcos_frozen": "e2kd_frozen",
    "kd_ce": "kd_labels",
}


def selecting_measure(rows: pd.DataFrame) -> str:
    """Title of the validation measure that selects configurations: F1 for several labels per image, else accuracy."""
    return measure_title("f1").title if "f1" in set(rows["metric"]) else "accuracy"


def beside_paper(results: pd.DataFrame, table: str) -> pd.DataFrame:
    """One of the paper's tables and our results in one long table.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of this table's students and teachers, at most one configuration per method and
        setting (see `e2kd_lab.runs.select_by_validation`).
    table : str
        ``table1`` to ``table5``, ``tableB1``, or ``figure4`` (its left part).

    Returns
    -------
    DataFrame
        ``source`` (*paper*, or where it was measured), ``place`` and ``column`` (column of the table, from the left),
        ``method``, ``lam``, ``tau``, ``seed``, ``metric`` (``accuracy`` and ``agreement``; in Table 4 ``epg``,
        ``iou`` and ``f1``), ``value`` in percent.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> rows = beside_paper(pd.DataFrame(columns=["split", "group", "metric"]), "table1")  # the paper's numbers alone
    >>> rows.query("column == '50 shots' and method == 'kd' and metric == 'accuracy'")["value"].item()
    49.8
    """
    if table not in _TABLES:
        raise ValueError(f"There is no table '{table}' here; expected one of {', '.join(_TABLES)}.")
    parts = [_published(table), _measured(results, table)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[COLUMNS]


def wide_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds laid out as in the paper, with e2KD's gain over KD.

    Parameters
    ----------
    rows : DataFrame
        See `beside_paper`.

    Returns
    -------
    DataFrame
        A row per method, then the gains; columns (source, column, metric), in percent.

    Examples
    --------
    >>> wide = wide_table(beside_paper(pd.DataFrame(columns=["split", "group", "metric"]), "tableB1"))
    >>> list(wide.columns.names)
    ['source', 'column', 'metric']
    """
    named = rows.assign(column=pd.Categorical(rows["column"], rows.sort_values("place")["column"].unique()))
    named["source"] = pd.Categorical(rows["source"], rows["source"].unique())
    named["metric"] = pd.Categorical(rows["metric"], [m for m in TABLE_METRICS if m in set(rows["metric"])])
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


def in_columns_of_students(rows: pd.DataFrame) -> pd.DataFrame:
    """Students, and each teacher once for every setting whose students it taught."""
    students, teachers = rows[rows["method"] != "teacher"], rows[rows["method"] == "teacher"]
    parts = [students]
    for setting in sorted(students["setting"].unique(), key=_order):
        own = students[students["setting"] == setting]
        taught_by = teachers["run"].isin(own["teacher"])
        parts.append(teachers[taught_by].assign(setting=setting, experiment=own["experiment"].iloc[0]))
    return pd.concat(parts, ignore_index=True)


def _published(table: str) -> pd.DataFrame:
    rows = paper_results(table)
    columns = _TABLES[table]
    rows = rows.assign(method=rows["method"].replace(_PAPER_METHODS), source=PAPER)
    rows = rows.assign(lam=math.nan, tau=math.nan, seed=math.nan)
    rows = rows[rows["metric"].isin(_METRICS.get(table, _DEFAULT_METRICS))]
    # Tables 1 to 3 give the teacher's accuracy above the columns; it belongs to all of them.
    everywhere = rows["method"].eq("teacher") & ~rows["setting"].isin(columns)
    parts = [rows[~everywhere], *(rows[everywhere].assign(setting=setting) for setting in columns)]
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(
        place=rows["setting"].map({setting: number for number, setting in enumerate(columns)}),
        column=rows["setting"].map(columns),
    )


def _measured(results: pd.DataFrame, table: str) -> pd.DataFrame:
    rows = results.query("split == 'test' and group == 'all'")
    rows = rows[rows["metric"].isin(_METRICS.get(table, _DEFAULT_METRICS))]
    if rows.empty:
        return rows
    rows = in_columns_of_students(_frozen_apart(rows))
    settings = sorted(rows.loc[rows["method"] != "teacher", "setting"].unique(), key=_order)
    return rows.assign(
        source=rows["scale"].map(SCALE_TITLES),
        place=rows["setting"].map({setting: number for number, setting in enumerate(settings)}),
        column=[setting_title(*one) or _ALL for one in zip(rows["experiment"], rows["setting"], strict=True)],
    )


def _frozen_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Name KD and e2KD from a frozen teacher ``kd_frozen`` and ``e2kd_frozen``, in the columns of the live teacher."""
    frozen = rows["experiment"].eq("imagenet_frozen") | rows["setting"].eq("frozen")
    named = frozen & rows["method"].isin(["kd", "e2kd"])
    rows = rows.assign(
        setting=rows["setting"].replace("frozen", "base"),
        method=rows["method"].where(~named, rows["method"] + FROZEN),
    )
    # Other methods do not depend on a frozen teacher: their runs stand in where there are none of the live teacher.
    places = pd.MultiIndex.from_frame(rows[["scale", "setting", "method"]])
    return rows[~frozen | named | ~places.isin(places[~frozen])]


def _order(setting: str) -> tuple[int, float]:
    """Sort key: few shots by number, then all images, then other settings."""
    if setting.endswith("-shots"):
        return 0, float(setting.removesuffix("-shots"))
    return (1, 0.0) if setting == "base" else (2, 0.0)
