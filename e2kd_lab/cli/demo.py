"""The lab's main experiment in one go: data, teacher, baseline, KD, e2KD, table and figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from e2kd_lab import experiments
from e2kd_lab.figures import explanation_comparison, export_figure, waterbirds_bars
from e2kd_lab.figures.style import METHOD_ORDER
from e2kd_lab.metrics.groups import GROUPS
from e2kd_lab.runs import Run, load_runs
from e2kd_lab.runs.examples import explained_examples
from e2kd_lab.runs.run import run
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware

METHODS = {"baseline": {}, "kd": {"tau": 1.0}, "e2kd": {"tau": 1.0, "lam": 5.0}}
COLUMNS = ["run", "experiment", "scale", "family", "method", "lam", "tau", "seed", "split", "group", "metric", "value"]
_GROUPS = ("all", "in_distribution", "out_of_distribution", "worst", *GROUPS)
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
        Receives ``results.csv``, and the figures ``waterbirds_bars`` and ``waterbirds_explanations`` as PDF, SVG, PNG.
    scale : str
        ``lab``, or ``smoke`` to see in seconds that everything works.
    runs : Path, optional
        Where runs lie; the workspace's folder by default, so that notebooks find them.
    hardware : Hardware, optional
        Device and processes.
    say : callable
        Receives lines about what is going on.

    Returns
    -------
    DataFrame
        The content of ``results.csv``: test results in the columns of `COLUMNS`.
    """
    runs = runs_folder() if runs is None else runs
    base = experiments.get("waterbirds", scale)
    done: dict[str, Run] = {}
    for method, values in {"teacher": None, **METHODS}.items():
        experiment = base.teacher_experiment() if values is None else base.replace(method=method, **values)
        known = Run(runs / experiment.run_name()).status == "done"
        done[method] = run(experiment, folder=runs, hardware=hardware)
        say(f"{'loaded ' if known else 'trained'}  {experiment.title}")
    results = load_runs(runs)
    results = results[results["run"].isin([finished.folder.name for finished in done.values()])]
    chosen = results.query("split == 'test' and group in @_GROUPS and metric in @_METRICS")
    table = chosen.sort_values("method", key=lambda m: m.map(METHOD_ORDER.index), kind="stable")
    table = table[COLUMNS].reset_index(drop=True)
    write_text(out / "results.csv", table.to_csv(index=False, lineterminator="\n"))
    export_figure(waterbirds_bars(results, settings=("base",), methods=tuple(METHODS)), out / "waterbirds_bars")
    examples = explained_examples(base, [done[method] for method in METHODS], folder=runs)
    export_figure(explanation_comparison(examples), out / "waterbirds_explanations")
    return table
