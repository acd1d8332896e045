"""Every figure that a table of results allows, the paper's and those of any experiment, in one call."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.figures.export import export_figure
from e2kd_lab.paper.any_figures import write_any_figures
from e2kd_lab.paper.beside_paper import beside_paper
from e2kd_lab.paper.method_plots import method_bars, shot_curves
from e2kd_lab.paper.results_table import TABLE_EXPERIMENTS
from e2kd_lab.paper.voc import epg_iou_plane
from e2kd_lab.paper.waterbirds import DISTRIBUTIONS, waterbirds_bars
from e2kd_lab.runs import select_by_validation


def write_all_figures(results: pd.DataFrame, folder: Path, *, runs: Path | None = None) -> list[Path]:
    """Draw the figures of all finished runs into a folder.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    folder : Path
        Receives ``waterbirds_<scale>_<family>_<distribution>`` and ``<table>_<scale>`` as PDF, SVG, PNG and CSV for
        each scale and family of networks with runs; and of any experiment, one's own too, what
        `e2kd_lab.paper.any_figures.write_any_figures` draws.
    runs : Path, optional
        Where the runs lie, for training curves.

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
    done = results.query("status == 'done'")
    for table, names in TABLE_EXPERIMENTS.items():
        if "waterbirds" in names:
            continue
        for scale in done.loc[done["experiment"].isin(names), "scale"].unique():
            part = done[done["experiment"].isin(names) & (done["scale"] == scale)]
            taught = done[done["run"].isin(part["teacher"]) & ~done["run"].isin(part["run"])]
            rows = beside_paper(select_by_validation(pd.concat([part, taught])), table)
            files += export_figure(table_figure(table, rows), folder / f"{table}_{scale}", rows)
    return files + write_any_figures(results, folder, runs)


def table_figure(table: str, rows: pd.DataFrame) -> Figure:
    """One of the paper's tables as a picture.

    Parameters
    ----------
    table : str
        ``table1`` to ``table5``, ``tableB1``, or ``figure4`` (its left part).
    rows : DataFrame
        See `e2kd_lab.paper.beside_paper`.

    Returns
    -------
    Figure
        Table 4 as a plane of EPG and IoU; others as curves over the shots, or as bars if there are two columns or one.
    """
    if table == "table4":
        return epg_iou_plane(rows)
    return shot_curves(rows) if rows["place"].max() > 1 else method_bars(rows)
