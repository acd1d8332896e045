"""Figures of any experiment, one's own included: bars of its methods, training curves, and maps of its sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pandas as pd

from e2kd_lab.experiments import setting_title
from e2kd_lab.figures.curves import training_curves
from e2kd_lab.figures.group_measure import Measure, measures_of
from e2kd_lab.figures.labels import methods_of, networks_name, run_label, title_of
from e2kd_lab.figures.measure_bars import measure_bars
from e2kd_lab.figures.sweep_map import sweep_cells, sweep_map
from e2kd_lab.paper.drawings import CatalogueFigure, Drawing
from e2kd_lab.paper.finished_runs import FinishedRuns, RequiredRuns
from e2kd_lab.runs import RESULT_COLUMNS, Run, select_by_validation
from e2kd_lab.system.errors import RunError

_OOD = "out_of_distribution"


def experiment_figures(runs: FinishedRuns) -> Iterator[CatalogueFigure]:
    """Figures of each experiment, family of networks and setting with finished runs, whatever their data and recipe.

    Parameters
    ----------
    runs : FinishedRuns
        Runs of one scale.

    Yields
    ------
    CatalogueFigure
        ``<experiment>_<family>_<setting>_bars``, ``..._curves``, and ``..._sweep_<method>_<metric>`` for each method
        that was tried with several lambdas or taus.
    """
    students = runs.done[runs.done["method"] != "teacher"]
    for place, part in students.groupby(["experiment", "family", "setting"]):
        stem, words = "_".join(map(str, place)), _words(part)
        title, said = " — ".join(words), ", ".join([words[0], networks_name(str(place[1])), *words[2:]])
        teachers = runs.done["run"].isin(part["teacher"]) & (runs.done["method"] == "teacher")
        part = pd.concat([part, runs.done[teachers]])
        selected = select_by_validation(part)
        if selected.empty:
            continue
        yield CatalogueFigure(f"{stem}_bars", f"methods of {said}", partial(_bars, selected, title))
        curves, names = _curves_of(selected, runs)
        if curves:
            yield CatalogueFigure(f"{stem}_curves", f"training of {said}", partial(_curves, curves, names))
        for method, measure in _sweeps(part):
            name = f"{stem}_sweep_{method}_{measure.metric}"
            yield CatalogueFigure(name, f"sweep of {said}", partial(_sweep, _best_of_each_cell(part), measure, method))


def _words(students: pd.DataFrame) -> list[str]:
    """Experiment, networks, and the setting if it has a title."""
    first = students.iloc[0]
    words = [title_of(name, first[name]) for name in ("experiment", "family")]
    return [*words, *filter(None, [setting_title(first["experiment"], first["setting"])])]


def _bars(selected: pd.DataFrame, title: str, runs: FinishedRuns, required: Sequence[RequiredRuns]) -> Drawing:
    shown = selected[selected["split"] == "test"]
    return Drawing(measure_bars(shown, title=title), shown, "bars")


def _curves_of(
    selected: pd.DataFrame, runs: FinishedRuns
) -> tuple[dict[str, tuple[str, pd.DataFrame]], tuple[str, ...]]:
    """Curves and names of each student method's selected run of the lowest seed, without runs whose folder is gone."""
    curves: dict[str, tuple[str, pd.DataFrame]] = {}
    names = []
    hyperparameters = ["lam", "tau", *(name for name in selected.columns if name not in (*RESULT_COLUMNS, "tried"))]
    for method in methods_of(selected):
        if method == "teacher":  # it learned from other data, for another number of epochs
            continue
        first = selected[selected["method"] == method].sort_values(["seed", "run"], kind="stable").iloc[0]
        try:
            rows = Run(runs.folder / first["run"]).metrics()
        except RunError:
            continue
        curves[run_label(method, {name: first[name] for name in hyperparameters})] = method, rows
        names.append(first["run"])
    return curves, tuple(names)


def _curves(
    curves: dict[str, tuple[str, pd.DataFrame]],
    names: tuple[str, ...],
    runs: FinishedRuns,
    required: Sequence[RequiredRuns],
) -> Drawing:
    rows = [rows.assign(run=label) for label, (_, rows) in curves.items()]
    return Drawing(training_curves(curves), pd.concat(rows, ignore_index=True), "curves", runs=names)


def _sweeps(part: pd.DataFrame) -> Iterator[tuple[str, Measure]]:
    """Methods with several lambdas or taus, and each measure, out of distribution where there is such a group."""
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


def _best_of_each_cell(part: pd.DataFrame) -> pd.DataFrame:
    """One configuration per cell of a sweep: validation chooses between recipes, so that seeds are comparable."""
    cells: Any = part[part["method"] != "teacher"].groupby(["method", "lam", "tau"])
    return pd.concat([part[part["method"] == "teacher"], *(select_by_validation(cell) for _, cell in cells)])


def _sweep(
    tried: pd.DataFrame, measure: Measure, method: str, runs: FinishedRuns, required: Sequence[RequiredRuns]
) -> Drawing:
    return Drawing(sweep_map(tried, measure, method=method), sweep_cells(tried, measure, method=method), "sweep")
