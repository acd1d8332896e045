"""Sweeps: several experiments, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs import Run
from e2kd_lab.runs.run import run
from e2kd_lab.runs.run_folder import ELSEWHERE
from e2kd_lab.system.errors import LabError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware, ProgressBar, Watcher, Watchers
from e2kd_lab.training.own_measures import MeasureFunction

if TYPE_CHECKING:
    from e2kd_lab.runs.cluster import Cluster
    from e2kd_lab.runs.submitted_sweep import SubmittedSweep


def run_all(
    experiments: Iterable[Experiment],
    *,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
) -> list[Run]:
    """Train or load several experiments, one after the other; the first error ends it (see `sweep`).

    One progress bar counts the runs. Several processes may be given the same experiments: each takes runs that no other
    is working on, waits for those at the end, and has all results.

    Parameters
    ----------
    experiments : iterable of Experiment
        The experiments, in this order, but those that another process is working on come last.
    folder, progress, hardware, watchers, metrics
        See `run`.

    Returns
    -------
    list of Run
        One run an experiment, in the order given.

    Raises
    ------
    LabError
        See `run`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke")
    >>> lab.run_all([experiment.replace(seed=seed) for seed in range(3)])  # doctest: +SKIP
    """
    listed, folder = list(experiments), runs_folder() if folder is None else Path(folder)
    bar, told = _followed(listed, progress, watchers)
    runs: dict[int, Run] = {}
    for number, one in _free_first(listed, folder):
        bar.next_run(one.title)
        runs[number] = run(
            one, folder=folder, progress=False, hardware=hardware, watchers=[told], metrics=metrics, wait=True
        )
    return [runs[number] for number in sorted(runs)]


def _followed(
    experiments: Sequence[Experiment], progress: bool, watchers: Iterable[Watcher]
) -> tuple[ProgressBar, Watchers]:
    """A progress bar for all experiments, and it, if it is wanted, with the other watchers."""
    bar = ProgressBar(len(experiments))
    return bar, Watchers([*([bar] if progress else []), Watchers(watchers)])


@dataclass(frozen=True)
class Sweep:
    """Outcome of several experiments.

    Attributes
    ----------
    runs : list of Run
        Finished runs, and at most one that was stopped.
    failures : list of (Experiment, str)
        Failed experiments and their errors.
    """

    runs: list[Run]
    failures: list[tuple[Experiment, str]]


@overload
def sweep(
    experiments: Sequence[Experiment],
    *,
    on: None = None,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
    say: Callable[[str], None] = print,
) -> Sweep: ...
@overload
def sweep(
    experiments: Sequence[Experiment],
    *,
    on: Cluster | Literal["slurm", "local"],
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
    say: Callable[[str], None] = print,
) -> SubmittedSweep: ...
def sweep(
    experiments: Sequence[Experiment],
    *,
    on: Cluster | Literal["slurm", "local"] | None = None,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
    say: Callable[[str], None] = print,
) -> Sweep | SubmittedSweep:
    """Train or load several experiments; one that fails does not keep the others from running.

    An interrupted sweep is continued by the next call: finished runs are loaded, the stopped one is resumed. Several
    processes may work at the same sweep: each takes runs that no other is working on, and waits for those at the end.

    Parameters
    ----------
    experiments : sequence of Experiment
        The experiments, in this order, but those that another process is working on come last.
    on : Cluster or str, optional
        Give them to jobs, and return at once: ``slurm`` or ``local``, or a `Cluster` with its options. Teachers are
        trained first; students wait for theirs.
    folder, progress, hardware, watchers, metrics
        See `run`; a watcher that asks to stop ends the sweep. Jobs have copies of the watchers.
    say : callable
        Receives a line for each experiment; not used with ``on``.

    Returns
    -------
    Sweep or SubmittedSweep
        Runs and failures; with ``on``, what shows where the runs stand, waits for them and ends them.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> swept = lab.sweep(lab.experiments.get("waterbirds", "smoke").grid("e2kd"))  # doctest: +SKIP
    >>> [str(error) for _, error in swept.failures]  # doctest: +SKIP
    """
    folder = runs_folder() if folder is None else Path(folder)
    if on is not None:
        from e2kd_lab.runs.cluster import Cluster
        from e2kd_lab.runs.submit import submit

        where = Cluster(on) if isinstance(on, str) else on
        told = list(watchers)
        return submit(experiments, where, folder=folder, hardware=hardware, watchers=told, metrics=metrics)
    bar, shared = _followed(experiments, progress, watchers)
    result = Sweep([], [])
    for number, experiment in _free_first(experiments, folder):
        place = f"{number}/{len(experiments)}  {experiment.title}"
        bar.next_run(experiment.title)
        try:
            known = Run(folder / experiment.run_name()).status == "done"
            finished = run(
                experiment,
                folder=folder,
                progress=False,
                hardware=hardware,
                watchers=[shared],
                metrics=metrics,
                wait=True,
            )
        except LabError as error:
            result.failures.append((experiment, str(error)))
            say(f"{place}: failed: {error}")
            continue
        result.runs.append(finished)
        say(f"{place}: {'done before' if known else finished.status}")
        if finished.status != "done":  # it was stopped, or its teacher was
            break
    return result


def _free_first(experiments: Sequence[Experiment], folder: Path) -> Iterator[tuple[int, Experiment]]:
    """The experiments with their numbers; those that another process trains, or may train, come last."""
    later = []
    for number, experiment in enumerate(experiments, start=1):
        with suppress(LabError):  # such as missing data, which `run` reports in its turn
            if Run(folder / experiment.run_name()).status in ELSEWHERE:
                later.append((number, experiment))
                continue
        yield number, experiment
    yield from later
