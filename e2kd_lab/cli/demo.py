"""``e2kd-lab demo``: the main experiment in one go, from data to teacher, students, table and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import e2kd_lab as lab
from e2kd_lab.cli.stop import stop_on_signal
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.workspace import runs_folder

if TYPE_CHECKING:
    import pandas as pd

    from e2kd_lab.experiments import Experiment
    from e2kd_lab.runs import Run
    from e2kd_lab.training import Hardware

METHODS: Mapping[str, Mapping[str, float]] = {"baseline": {}, "kd": {"tau": 1.0}, "e2kd": {"tau": 1.0, "lam": 5.0}}
COLUMNS = ["run", "experiment", "scale", "family", "method", "lam", "tau", "seed", "split", "group", "metric", "value"]
_METRICS = ("accuracy", "agreement", "explanation_cosine")


def demo(
    out: Path,
    *,
    scale: str = "lab",
    runs: Path | None = None,
    hardware: Hardware | None = None,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Run Waterbirds with standard networks at lab scale and write its results.

    Parameters
    ----------
    out : Path
        Folder for ``results.csv`` and for the figures ``waterbirds_bars`` and ``waterbirds_explanations``.
    scale : str
        ``lab``, or ``smoke`` for a check of a few seconds.
    runs : Path, optional
        Folder of runs; the workspace's by default, so that notebooks find them.
    hardware : Hardware, optional
        Device and processes.
    say : callable
        Takes each line of progress.

    Returns
    -------
    DataFrame
        The rows of ``results.csv``: test results in the columns of `COLUMNS`.
    """
    runs = runs_folder() if runs is None else runs
    base = lab.experiments.get("waterbirds", scale)
    done: dict[str, Run] = {}
    for method, values in {"teacher": None, **METHODS}.items():
        experiment = base.teacher_experiment() if values is None else base.replace(method=method, **values)
        known = lab.Run(runs / experiment.run_name()).status == "done"
        with stop_on_signal() as stop:
            done[method] = lab.run(experiment, folder=runs, hardware=hardware, watchers=[stop])
        say(f"{'loaded ' if known else 'trained'}  {experiment.title}")
    results = lab.results_of(done.values())
    table = _test_results(results)
    write_text(out / "results.csv", table.to_csv(index=False, lineterminator="\n"))
    _draw(results, base, [done[method] for method in METHODS], out)
    return table


def _test_results(results: pd.DataFrame) -> pd.DataFrame:
    from e2kd_lab.metrics.groups import GROUPS

    shown = results["group"].isin(("all", "in_distribution", "out_of_distribution", "worst", *GROUPS))
    chosen = results[shown & (results["split"] == "test") & results["metric"].isin(_METRICS)]
    order = ["teacher", *METHODS]
    table = chosen.sort_values("method", key=lambda names: names.map(order.index), kind="stable")
    return table[COLUMNS].reset_index(drop=True)


def _draw(results: pd.DataFrame, base: Experiment, students: list[Run], out: Path) -> None:
    from e2kd_lab.runs.examples import explained_examples

    bars = lab.figures.waterbirds_bars(results, settings=("base",), methods=tuple(METHODS))
    lab.figures.export_figure(bars, out / "waterbirds_bars")
    examples = explained_examples(base, students, folder=students[0].folder.parent)
    lab.figures.export_figure(lab.figures.explanation_comparison(examples), out / "waterbirds_explanations")
