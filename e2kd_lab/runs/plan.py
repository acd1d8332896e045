"""Planning runs: what each would take on this device, kept beside it and compared with what it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs.costs import STEPS, Cost, measure_cost
from e2kd_lab.runs.run_folder import Run, Status
from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.json_files import read_json
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware

ESTIMATE = "estimate.json"


@dataclass(frozen=True)
class Planned:
    """A run, what it would take, and what it took.

    Attributes
    ----------
    experiment : Experiment
        What is trained.
    run : str or None
        Its name; None where the data that it is named after are not here.
    status : str
        See `e2kd_lab.runs.Run.status`; ``new`` without a name.
    cost : Cost
        What it would take on this device; runs that differ in seed, weight or temperature alone share it.
    estimated : float or None
        Seconds that were estimated before it began, if they were.
    took : float or None
        Seconds that it took, if it is done and was not interrupted.
    """

    experiment: Experiment
    run: str | None
    status: Status
    cost: Cost
    estimated: float | None
    took: float | None


def plan(
    experiments: Sequence[Experiment],
    *,
    folder: Path | str | None = None,
    hardware: Hardware | None = None,
    steps: int = STEPS,
    say: Callable[[str], None] = lambda line: None,
) -> list[Planned]:
    """Estimate what these runs and their teachers would take, from a few steps of each kind.

    An estimate is kept as ``estimate.json`` in the folder of each run that has not begun; later calls show it beside
    what the run took.

    Parameters
    ----------
    experiments : sequence of Experiment
        What would be trained, for instance a method's grid.
    folder : Path or str, optional
        Folder of runs; the workspace's ``runs`` by default.
    hardware : Hardware, optional
        Device, and loader processes (see `e2kd_lab.runs.costs.measure_cost`).
    steps : int
        Steps to time of each kind.
    say : callable
        Receives a line for each kind of run that is measured.

    Returns
    -------
    list of Planned
        Teachers that are trained here first.

    Raises
    ------
    LabError
        If data, networks or device cannot be used.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> birds = lab.experiments.get("waterbirds", "lab")
    >>> planned = lab.plan([*birds.grid("kd"), *birds.grid("e2kd")])  # doctest: +SKIP
    >>> sum(one.cost.seconds for one in planned) / 3600  # hours  # doctest: +SKIP
    """
    folder = runs_folder() if folder is None else Path(folder)
    costs: dict[Experiment, Cost] = {}
    planned = []
    for experiment in _teachers_first(experiments):
        kind = kind_of(experiment)
        if kind not in costs:
            say(f"measuring {experiment.title}")
            costs[kind] = measure_cost(experiment, hardware=hardware, steps=steps)
        planned.append(_planned(experiment, costs[kind], folder))
    return planned


def kind_of(experiment: Experiment) -> Experiment:
    """An experiment that computes the same: seed, weight and temperature do not change what a step takes."""
    weight = {"lam": 1.0} if experiment.lam > 0 else {}
    return experiment.replace(seed=0, tau=1.0, **weight)


def planned_table(planned: Sequence[Planned]) -> pd.DataFrame:
    """One row a run, with what was estimated and measured, and the attributes of `Cost` as columns."""
    rows: list[dict[str, Any]] = []
    for one in planned:
        cost = {name: value for name, value in vars(one.cost).items() if name != "cheaper"}
        rows.append({"run": one.run, "title": one.experiment.title, "status": one.status, "seconds": one.cost.seconds})
        rows[-1] |= {"estimated": one.estimated, "took": one.took, **cost, **one.cost.cheaper}
    return pd.DataFrame(rows)


def _teachers_first(experiments: Sequence[Experiment]) -> list[Experiment]:
    """The experiments, and before them those of their teachers that are trained here."""
    first: dict[Experiment, None] = {}
    for experiment in experiments:
        if experiment.needs_teacher_run and experiment.teacher_recipe is not None:
            teacher = experiment.teacher_experiment()
            if teacher.converts and teacher.ordinary_weights is None:
                first[teacher.ordinary_experiment()] = None
            first[teacher] = None
    return list(first | dict.fromkeys(experiments))


def _planned(experiment: Experiment, cost: Cost, folder: Path) -> Planned:
    if cost.is_drawn:
        return Planned(experiment, None, "new", cost, None, None)
    here = Run(folder / experiment.run_name())
    status = here.status
    if status == "new":
        kept = {"seconds": round(cost.seconds, 1), "device": cost.device, "memory": cost.memory}
        write_json(here.folder / ESTIMATE, kept)
    return Planned(experiment, here.folder.name, status, cost, estimated_seconds(here), here.seconds)


def estimated_seconds(run: Run) -> float | None:
    """What was estimated before a run began; None if nothing was, or the file is damaged."""
    try:
        return float(read_json(run.folder / ESTIMATE, RunError, missing="an estimate")["seconds"])
    except (RunError, KeyError, TypeError, ValueError):
        return None
