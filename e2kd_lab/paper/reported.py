"""Numbers that the paper reports."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd


def paper_results(source: str | None = None) -> pd.DataFrame:
    """Published numbers of "Good Teachers Explain" (ECCV 2024).

    Parameters
    ----------
    source : str, optional
        Table or figure, such as ``table1`` or ``figureB``; all by default.

    Returns
    -------
    DataFrame
        ``source``, ``setting``, ``teacher``, ``student``, ``method``, ``family``, ``metric``, ``value`` (percent).

    Examples
    --------
    >>> paper_results("table1").query("method == 'teacher'")["value"].item()
    73.3
    """
    with files("e2kd_lab.paper").joinpath("paper_results.csv").open("rb") as file:
        results = pd.read_csv(file)
    return results if source is None else results[results["source"] == source].reset_index(drop=True)
