"""Cells of the paper's tables, published and measured: means, spread, number of seeds, differences and runs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from e2kd_lab import experiments
from e2kd_lab.experiments import FAMILIES, Scale
from e2kd_lab.experiments.imagenet_tables import SHOTS
from e2kd_lab.figures.labels import PAPER, TABLE_METRICS
from e2kd_lab.figures.style import FAMILY_TITLES, METHOD_ORDER, SCALE_TITLES
from e2kd_lab.methods import has_hyperparameter
from e2kd_lab.paper.beside_paper import COLUMNS, beside_paper, in_columns_of_students
from e2kd_lab.paper.reported import paper_results
from e2kd_lab.runs import select_by_validation

TABLE_TITLES: Mapping[str, str] = {
    "table1": "Table 1: ResNet-34 to ResNet-18 on ImageNet",
    "table2": "Table 2: B-cos ResNet-34 to B-cos ResNet-18 on ImageNet",
    "table3": "Table 3: B-cos DenseNet-169 to B-cos ResNet-18 on ImageNet, live and frozen teacher",
    "table4": "Table 4: guided B-cos ResNet-50 to B-cos ResNet-18 on PASCAL VOC",
    "table5": "Table 5: B-cos DenseNet-169 to B-cos ResNet-18 without the teacher's data",
    "tableB1": "Table B1: ResNet-34 to ResNet-18 on ImageNet by the recipe of prior work",
    "figure4": "Figure 4: B-cos DenseNet-169 to B-cos ViT-Ti on ImageNet",
    "figureB1": "Figure B1: ResNet-50 to ResNet-18 on Waterbirds-100, in-distribution",
    "figureB2": "Figures 3 and B2: ResNet-50 to ResNet-18 on Waterbirds-100, out-of-distribution",
}
# The lab's experiments of each table.
TABLE_EXPERIMENTS: Mapping[str, tuple[str, ...]] = {
    "table1": ("imagenet_standard",),
    "table2": ("imagenet_bcos",),
    "table3": ("imagenet_bcos_densenet", "imagenet_frozen"),
    "table4": ("voc",),
    "table5": ("data_free",),
    "tableB1": ("prior_work",),
    "figure4": ("cnn_to_vit",),
    "figureB1": ("waterbirds",),
    "figureB2": ("waterbirds",),
}
# Waterbirds is shown as bars in the paper; only the teachers' accuracies are given as numbers.
_GROUPS: Mapping[str, str] = {"figureB1": "in_distribution", "figureB2": "out_of_distribution"}
_WATERBIRDS_SETTINGS = experiments.get("waterbirds").settings()
_WATERBIRDS_COLUMNS: Mapping[tuple[str, str], str] = {
    (family, setting): f"{FAMILY_TITLES[family]} {experiments.setting_title('waterbirds', setting)}".rstrip()
    for family in FAMILIES
    for setting in _WATERBIRDS_SETTINGS
}
SOURCES = [SCALE_TITLES[scale] for scale in ("lab", "paper", "smoke")]
_CELL = ["place", "method", "metric", "source"]
CELL_COLUMNS = [
    *("place", "column", "column_here", "method", "metric", "source"),
    *("lam", "tau", "mean", "spread", "n", "seeds", "tried", "difference", "runs"),
]


def results_cells(results: pd.DataFrame, table: str) -> pd.DataFrame:
    """All numbers of one of the paper's tables, as published and as measured here at each scale.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`; other tables' and unfinished runs are ignored. Each method is represented by the
        configuration with the best validation accuracy or F1 (see `e2kd_lab.runs.select_by_validation`), so the runs
        behind a number differ in their seed only.
    table : str
        A key of ``TABLE_TITLES``, for instance ``table1``.

    Returns
    -------
    DataFrame
        A row per number, in the table's order:

        - ``place``, ``column``: column of the paper's table, from the left; columns that it lacks come last.
        - ``column_here``: its counterpart here, for instance with fewer shots.
        - ``method``, ``metric``, ``source`` (*paper*, or where it was measured).
        - ``lam``, ``tau``: if the method has them.
        - ``mean`` in percent; ``spread``: sample standard deviation (n - 1) over the runs, NaN for one run.
        - ``n``: number of runs, 0 for the paper; ``seeds``: number of different seeds, smaller than ``n`` if the
          students of a column had several teachers.
        - ``tried``: number of configurations that validation chose from.
        - ``difference``: mean minus the paper's number, in points.
        - ``runs``: tuple of the runs' names.

        Smoke tests count only if there is no other scale.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> results_cells(lab.load_runs(), "table2").query("method == 'e2kd'")  # doctest: +SKIP
    """
    if table not in TABLE_TITLES:
        raise ValueError(f"There is no table '{table}' here; expected one of {', '.join(TABLE_TITLES)}.")
    published = _published(table)
    columns = list(published.drop_duplicates("place").sort_values("place")["column"])
    done = results[results["status"] == "done"]
    present = set(done.loc[done["experiment"].isin(TABLE_EXPERIMENTS[table]), "scale"])
    scales: list[Scale] = [scale for scale in ("lab", "paper") if scale in present] or ["smoke"]
    parts = [_aligned(_measured(done, table, scale), columns, scale) for scale in scales if scale in present]
    rows = [published.assign(column_here=published["column"], tried=0), *(part for part in parts if len(part))]
    cells = _averaged(pd.concat(rows, ignore_index=True))
    seeds = done.drop_duplicates("run").set_index("run")["seed"]
    cells["seeds"] = [seeds.reindex(list(names)).nunique() for names in cells["runs"]]
    paper = cells[cells["source"] == PAPER].set_index(_CELL[:3])["mean"]
    theirs = paper.reindex(pd.MultiIndex.from_frame(cells[_CELL[:3]])).to_numpy()
    cells["difference"] = np.where(cells["source"] == PAPER, np.nan, cells["mean"].to_numpy() - theirs)
    return _ordered(cells)[CELL_COLUMNS]


def _published(table: str) -> pd.DataFrame:
    if table not in _GROUPS:
        return beside_paper(pd.DataFrame(columns=["split", "group", "metric"]), table)
    rows = paper_results("figureB")
    rows = rows[rows["metric"] == f"accuracy_{_GROUPS[table]}"].assign(metric="accuracy", source=PAPER)
    rows = pd.concat([rows.assign(setting=setting) for setting in _WATERBIRDS_SETTINGS], ignore_index=True)
    return _waterbirds_columns(rows).assign(lam=math.nan, tau=math.nan, seed=math.nan)[COLUMNS]


def _measured(done: pd.DataFrame, table: str, scale: Scale) -> pd.DataFrame:
    """Rows as in `beside_paper` for the runs of one scale, with run names as seeds, and ``tried``."""
    students = done["experiment"].isin(TABLE_EXPERIMENTS[table]) & (done["scale"] == scale)
    taught = done["run"].isin(done.loc[students, "teacher"])
    selected = select_by_validation(done[students | taught])
    named = selected.assign(seed=selected["run"])  # `beside_paper` keeps the seed column, but not the run's name
    tried = selected.drop_duplicates("run").set_index("run")["tried"]
    if table not in _GROUPS:
        rows = beside_paper(named, table)
        rows = rows[rows["source"] != PAPER]
        return rows.assign(tried=rows["seed"].map(tried))
    rows = named[(named["split"] == "test") & (named["group"] == _GROUPS[table])]
    rows = rows[rows["metric"].isin(["accuracy", "agreement"])]
    rows = in_columns_of_students(rows).assign(source=SCALE_TITLES[scale])
    return _waterbirds_columns(rows)[[*COLUMNS, "tried"]]


def _waterbirds_columns(rows: pd.DataFrame) -> pd.DataFrame:
    places = {column: place for place, column in enumerate(_WATERBIRDS_COLUMNS.values())}
    titles = [_WATERBIRDS_COLUMNS[key] for key in zip(rows["family"], rows["setting"], strict=True)]
    return rows.assign(column=titles, place=[places[title] for title in titles])


def _aligned(measured: pd.DataFrame, columns: list[str], scale: Scale) -> pd.DataFrame:
    """Match our columns with the paper's, few shots by their order; columns that the paper lacks come last."""
    places = {setting.replace("-", " "): place for place, setting in enumerate(SHOTS[scale])}
    places |= {title: place for place, title in enumerate(columns)}
    own = measured.sort_values("place")["column"].unique()
    others = [title for title in own if title not in places]
    places |= {title: place for place, title in enumerate(others, start=len(columns))}
    titles = dict(enumerate([*columns, *others]))
    here = measured["column"]
    return measured.assign(place=here.map(places), column=here.map(places).map(titles), column_here=here)


def _averaged(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("seed", kind="stable")  # the order changes the last digits of sums
    cells = rows.groupby([*_CELL, "column", "column_here"], as_index=False).agg(
        lam=("lam", "first"),
        tau=("tau", "first"),
        mean=("value", "mean"),
        spread=("value", "std"),
        n=("seed", "nunique"),
        tried=("tried", "max"),
        runs=("seed", lambda names: tuple(sorted(names.dropna().unique()))),
    )
    base = cells["method"].str.removesuffix("_frozen")
    measured = cells["source"] != PAPER
    has = {name: base.map(lambda method, name=name: has_hyperparameter(method, name)) for name in ("lam", "tau")}
    return cells.assign(**{name: cells[name].where(measured & has[name]).astype(float) for name in has})


def _ordered(cells: pd.DataFrame) -> pd.DataFrame:
    orders = {"method": METHOD_ORDER, "metric": list(TABLE_METRICS), "source": [PAPER, *SOURCES]}
    keys = {f"{name}_order": cells[name].map(list(order).index) for name, order in orders.items()}
    return cells.assign(**keys).sort_values(["place", *keys], ignore_index=True)
