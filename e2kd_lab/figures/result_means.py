"""Means over seeds of any results, without mixing experiments, methods or measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from e2kd_lab.methods import has_hyperparameter
from e2kd_lab.runs import configurations_of, select_by_validation

# Numbers that differ in one of these are never averaged; row groups separate them if rows and columns do not.
_APART = ("experiment", "scale", "family", "setting", "method", "group", "metric")
_USUAL_GROUPS = ("all", "in_distribution", "out_of_distribution", "worst")
NUMBERS = ["mean", "spread", "n", "seeds", "configurations", "runs"]


def result_means(
    results: pd.DataFrame,
    keys: Sequence[str],
    *,
    metrics: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    split: str = "test",
    select: bool = True,
) -> tuple[pd.DataFrame, list[str]]:
    """Numbers of a `results_table`.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    keys : sequence of str
        Columns of results that make up the table's rows and columns.
    metrics, groups, split, select
        See `results_table`.

    Returns
    -------
    DataFrame
        A row per number: its keys, ``mean``, ``spread`` (sample standard deviation over runs, NaN for one run), ``n``
        (runs), ``seeds``, ``configurations`` (how many were averaged), ``runs`` (tuple of names).
    list of str
        Columns besides ``keys`` that have several values and thus separate numbers.

    Raises
    ------
    ValueError
        If a column, measure or group is missing, or nothing is left.
    """
    _check_columns(results, keys)
    done = results[results["status"] == "done"]
    if select:
        students = done[done["method"] != "teacher"]
        done = select_by_validation(done)
        if len(students) and not (done["method"] != "teacher").any():
            raise ValueError("No run has validation rows to be selected by; expected some, or select=False.")
    rows = done[done["split"] == split]
    rows = _only(rows, "metric", metrics)
    rows = _only(rows, "group", groups if groups is not None else _usual(rows))
    if "method" not in keys:
        rows = rows[rows["method"] != "teacher"] if (rows["method"] != "teacher").any() else rows
    if rows.empty:
        raise ValueError(f"There are no finished runs with such results on '{split}'; expected rows of load_runs.")
    rows = _own_hyperparameters(_beside_students(rows), keys)
    apart = [name for name in _APART if name not in keys and rows[name].nunique() > 1]
    constant = [name for name in ("metric", "group") if name not in (*keys, *apart)]
    return _averaged(rows, [*apart, *keys, *constant]), apart


def _check_columns(results: pd.DataFrame, keys: Sequence[str]) -> None:
    known = [name for name in results.columns if name not in ("value", "split", "status")]
    for place, name in enumerate(keys):
        if name not in known:
            raise ValueError(f"Results have no column '{name}' for a table; expected some of {', '.join(known)}.")
        if name in keys[:place]:
            raise ValueError(f"'{name}' comes twice; expected rows and columns to be different.")


def _only(rows: pd.DataFrame, column: str, wanted: Sequence[str] | None) -> pd.DataFrame:
    if wanted is None:
        return rows
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    known = rows[column].unique()
    for name in names:
        if name not in known:
            raise ValueError(f"There is no {column} '{name}' in these results; expected some of {', '.join(known)}.")
    return rows[rows[column].isin(names)]


def _usual(rows: pd.DataFrame) -> list[str] | None:
    present = [name for name in _USUAL_GROUPS if name in set(rows["group"])]
    return present or None


def _beside_students(rows: pd.DataFrame) -> pd.DataFrame:
    """Give teachers the experiment and setting of the students they taught."""
    place = ["experiment", "scale", "family", "setting"]
    taught = rows[rows["method"] != "teacher"]
    teachers = rows[rows["method"] == "teacher"]
    parts = [taught, teachers[~teachers["run"].isin(taught["teacher"])]]
    for values, part in taught.groupby(place, sort=False):
        chosen = teachers[teachers["run"].isin(part["teacher"])]
        beside: dict[str, Any] = dict(zip(place, values, strict=True))
        parts.append(chosen.assign(**beside))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _own_hyperparameters(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Blank the weight or temperature of methods that have none; results carry a default there."""
    for name in ("lam", "tau"):
        if name in keys:
            has = rows["method"].map(lambda method, name=name: has_hyperparameter(str(method), name))
            rows = rows.assign(**{name: rows[name].astype(float).where(has)})
    return rows


def _averaged(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    rows = rows.assign(configuration=configurations_of(rows), value=rows["value"].astype(float), of=rows["run"])
    rows = rows.assign(seed_of=rows["seed"]).sort_values(
        "of", kind="stable"
    )  # the order changes the last digits of sums
    found = rows.groupby(by, as_index=False, sort=False, dropna=False).agg(
        mean=("value", "mean"),
        spread=("value", "std"),
        n=("of", "nunique"),
        seeds=("seed_of", "nunique"),
        configurations=("configuration", "nunique"),
        runs=("of", lambda names: tuple(sorted(names.unique()))),
    )
    return found[[*by, *NUMBERS]]
