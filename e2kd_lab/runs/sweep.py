"""Several experiments, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs import Run
from e2kd_lab.runs.run import all_watchers, run
from e2kd_lab.system.errors import LabError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction


def run_all(
    experiments: Iterable[Experiment],
    *,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
) -> list[Run]:
    """Train or load several experiments, one after the other (see `run`).

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> kd = lab.experiments.get("waterbirds").replace(method="kd")
    >>> runs = lab.run_all(kd.replace(seed=seed) for seed in (0, 1, 2))  # doctest: +SKIP
    """
    told = all_watchers(progress, watchers)
    return [
        run(one, folder=folder, progress=False, hardware=hardware, watchers=[told], metrics=metrics)
        for one in experiments
    ]


@dataclass(frozen=True)
class Sweep:
    """What became of several experiments.

    Attributes
    ----------
    runs : list of Run
        Those that are done, and at most one that was stopped.
    failures : list of (Experiment, str)
        Those that failed, and why.
    """

    runs: list[Run]
    failures: list[tuple[Experiment, str]]


def sweep(
    experiments: Sequence[Experiment],
    *,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
    say: Callable[[str], None] = print,
) -> Sweep:
    """Train or load several experiments; one that fails does not keep the others from running.

    A sweep that was interrupted goes on where it was: finished runs are loaded, the stopped one is resumed.

    Parameters
    ----------
    experiments : sequence of Experiment
        What to run, in this order.
    folder, progress, hardware, watchers, metrics
        See `run`; a watcher that asks to stop ends the sweep.
    say : callable
        Receives a line for each experiment.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> students = lab.experiments.get("waterbirds").grid("e2kd")  # the paper's λ and τ
    >>> lab.sweep(students).failures  # doctest: +SKIP
    []
    """
    folder = runs_folder() if folder is None else Path(folder)
    told = all_watchers(progress, watchers)
    result = Sweep([], [])
    for number, experiment in enumerate(experiments, start=1):
        place = f"{number}/{len(experiments)}  {experiment.title}"
        try:
            known = Run(folder / experiment.run_name()).status == "done"
            finished = run(
                experiment, folder=folder, progress=False, hardware=hardware, watchers=[told], metrics=metrics
            )
        except LabError as error:
            result.failures.append((experiment, str(error)))
            say(f"{place}: failed: {error}")
            continue
        result.runs.append(finished)
        say(f"{place}: {'done before' if known else finished.status}")
        if finished.status == "stopped":
            break
    return result
