"""Waterbirds results as a table: the numbers beside Fig. 3, B1 and B2."""

from __future__ import annotations

import pandas as pd

from e2kd_lab import experiments
from e2kd_lab.figures.style import FAMILY_TITLES
from e2kd_lab.figures.waterbirds_bars import BARS


def waterbirds_table(results: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds: a row per family, setting and method; columns of accuracy, agreement and explanation cosine.

    Parameters
    ----------
    results : DataFrame
        As for `e2kd_lab.figures.waterbirds_bars`, of one or both families.

    Returns
    -------
    DataFrame
        Index (family, setting, method, lam, tau), columns (metric, group), and the number of seeds.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> waterbirds_table(lab.load_runs().query("experiment == 'waterbirds'"))  # doctest: +SKIP
    """
    test = results.query("split == 'test'")
    groups = ["in_distribution", "out_of_distribution", "worst"]
    chosen = test[test["group"].isin(groups) & test["metric"].isin(["accuracy", "agreement", "explanation_cosine"])]
    index = ["family", "setting", "method", "lam", "tau"]
    table = chosen.pivot_table(index=index, columns=["metric", "group"], values="value", aggfunc="mean")
    table[("seeds", "")] = chosen.groupby(index)["seed"].nunique()
    settings = experiments.get("waterbirds").settings()
    order = {name: number for number, name in enumerate([*FAMILY_TITLES, *settings, "teacher", *BARS])}
    return table.sort_index(key=lambda level: level.map(lambda value: order.get(value, value)))
