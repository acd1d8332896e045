"""Every figure of the paper that a table of results allows, in one call."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from e2kd_lab.figures.export import export_figure
from e2kd_lab.figures.waterbirds import DISTRIBUTIONS, waterbirds_bars
from e2kd_lab.runs import select_by_validation


def write_all_figures(results: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw the figures of all finished runs into a folder.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    folder : Path
        Receives ``waterbirds_<scale>_<family>_<distribution>`` as PDF, SVG, PNG and CSV for each scale and family of
        networks with runs.

    Returns
    -------
    list of Path
        The files; empty where there are no finished runs.
    """
    files = []
    waterbirds = results.query("experiment == 'waterbirds' and status == 'done'")
    for (scale, family), part in waterbirds.groupby(["scale", "family"]):
        selected = select_by_validation(part)
        for group in DISTRIBUTIONS:
            shown = selected.query("split == 'test' and group == @group")
            figure = waterbirds_bars(selected, group=group)
            files += export_figure(figure, folder / f"waterbirds_{scale}_{family}_{group}", shown)
    return files
