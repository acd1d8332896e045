"""Figures of any experiment, one's own among them: bars of its methods, training curves, and maps of its sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from e2kd_lab.figures.curves import training_curves
from e2kd_lab.figures.export import export_figure
from e2kd_lab.figures.measure import Measure, measures_of
from e2kd_lab.figures.measure_bars import measure_bars
from e2kd_lab.figures.sweep_map import sweep_cells, sweep_map
from e2kd_lab.figures.titles import column_title, methods_of, title_of
from e2kd_lab.methods import has_hyperparameter
from e2kd_lab.metrics.titles import LAB_MEASURES
from e2kd_lab.paper.results_table import TABLE_EXPERIMENTS
from e2kd_lab.runs import RESULT_COLUMNS, Run, select_by_validation
from e2kd_lab.system.errors import RunError

_PLACE = ["experiment", "scale", "family", "setting"]
_OOD = "out_of_distribution"


def write_any_figures(results: pd.DataFrame, folder: Path, runs: Path | None = None) -> list[Path]:
    """Draw what can be drawn of every experiment, whoever made it, into a folder.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    folder : Path
        Receives, for each experiment, scale, family of networks and setting with finished runs,
        ``<experiment>_<scale>_<family>_<setting>_bars`` (of the paper's experiments, which have figures of their own,
        only own measures), ``..._curves``, and where a method has several values of lambda or tau
        ``..._sweep_<method>_<metric>``, as PDF, SVG, PNG and CSV.
    runs : Path, optional
        Where the runs lie; without it there are no curves.

    Returns
    -------
    list of Path
        The files.
    """
    done = results[results["status"] == "done"]
    students = done[done["method"] != "teacher"]
    built_in = {name for names in TABLE_EXPERIMENTS.values() for name in names}
    files = []
    for place, part in students.groupby(_PLACE):
        stem = "_".join(str(value) for value in place)
        part = pd.concat([part, done[done["run"].isin(part["teacher"]) & (done["method"] == "teacher")]])
        selected = select_by_validation(part)
        if selected.empty:
            continue
        title = _title(part)
        own = sorted(set(part["metric"]) - set(LAB_MEASURES))
        drawn = selected[(selected["split"] == "test") & (selected["metric"].isin(own) | (place[0] not in built_in))]
        if len(drawn):
            files += export_figure(measure_bars(drawn, title=title), folder / f"{stem}_bars", drawn)
        if runs is not None and (curves := curves_of(selected, runs)):
            data = pd.concat([rows.assign(run=label) for label, (_, rows) in curves.items()], ignore_index=True)
            files += export_figure(training_curves(curves), folder / f"{stem}_curves", data)
        for method, measure in _sweeps(part):
            tried = _best_of_each_cell(part, method)
            figure, cells = sweep_map(tried, measure, method=method), sweep_cells(tried, measure, method=method)
            files += export_figure(figure, folder / f"{stem}_sweep_{method}_{measure.metric}", cells)
    return files


def curves_of(selected: pd.DataFrame, runs: Path) -> dict[str, tuple[str, pd.DataFrame]]:
    """What `training_curves` draws: the selected run of each method, of its lowest seed.

    Parameters
    ----------
    selected : DataFrame
        See `e2kd_lab.runs.select_by_validation`.
    runs : Path
        Where the runs lie; those that are not there are left out.
    """
    curves: dict[str, tuple[str, pd.DataFrame]] = {}
    for method in methods_of(selected):
        own = selected[selected["method"] == method].sort_values(["seed", "run"], kind="stable")
        if method == "teacher":  # it learned from other data, for another number of epochs
            continue
        label = ", ".join([title_of("method", method), *_varied(own.iloc[0], method)])
        try:
            curves[label] = method, Run(runs / own["run"].iloc[0]).metrics()
        except RunError:
            continue
    return curves


def _varied(row: pd.Series, method: str) -> list[str]:
    """Hyper-parameters of a run, in words: those that its method has."""
    others = [name for name in row.index if name not in (*RESULT_COLUMNS, "tried")]
    known = {name: row[name] for name in ("lam", "tau", *others) if has_hyperparameter(method, name)}
    return [f"{column_title(name)} = {title_of(name, value)}" for name, value in known.items() if pd.notna(value)]


def _title(part: pd.DataFrame) -> str:
    first = part[part["method"] != "teacher"].iloc[0]
    words = [title_of(name, first[name]) for name in ("experiment", "family", "setting") if first[name] != "base"]
    return " — ".join(words)


def _sweeps(part: pd.DataFrame) -> Iterator[tuple[str, Measure]]:
    """Methods that were tried with several lambdas or taus, and what to show: out of distribution, if there is such."""
    for method in dict.fromkeys("e2kd" if name == "kd" else name for name in methods_of(part)):
        own = part[part["method"].isin(["kd", "e2kd"] if method == "e2kd" else [method])]
        weighted = own[own["method"] == method]
        if method == "teacher" or (weighted["lam"].nunique() < 2 and own["tau"].nunique() < 2):
            continue
        present = measures_of(own)
        for metric in dict.fromkeys(measure.metric for measure in present):
            ood, everywhere = Measure(metric, _OOD), Measure(metric)
            if ood in present or everywhere in present:
                yield method, ood if ood in present else everywhere


def _best_of_each_cell(part: pd.DataFrame, method: str) -> pd.DataFrame:
    """A cell's seeds are those of one configuration; of several recipes validation chooses there, too."""
    cells: Any = part[part["method"] != "teacher"].groupby(["method", "lam", "tau"])
    return pd.concat([part[part["method"] == "teacher"], *(select_by_validation(cell) for _, cell in cells)])
