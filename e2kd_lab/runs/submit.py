"""Giving the runs of a sweep to jobs: teachers first, students when their teacher is done."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any

import torch

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs import Run
from e2kd_lab.runs.cluster import Cluster
from e2kd_lab.runs.job import Job
from e2kd_lab.runs.job_record import JOBS, JobRecord, in_queue, read_record, records_of
from e2kd_lab.runs.submitted_sweep import SubmittedSweep
from e2kd_lab.system.errors import ExperimentError, LabError, RunError, note
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction


def submit(
    experiments: Sequence[Experiment],
    cluster: Cluster,
    *,
    folder: Path,
    hardware: Hardware | None = None,
    watchers: Sequence[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
) -> SubmittedSweep:
    """Give experiments to jobs, and return at once.

    What is done, or has a job already, is left; so the same call gives again what a job has not finished.

    Parameters
    ----------
    experiments : sequence of Experiment
        What to train.
    cluster : Cluster
        Where.
    folder, hardware, watchers, metrics
        See `e2kd_lab.sweep`; each job has copies of its own.

    Raises
    ------
    ExperimentError
        If there is no such cluster here, or the jobs could not know what was registered in this notebook.
    RunError
        If the cluster refuses the jobs.
    """
    plan = _planned(experiments, folder.resolve())
    give = _Giver(cluster, plan.folder, cluster.hardware(hardware), tuple(watchers), dict(metrics or {}))
    (give.to_slurm if cluster.on == "slurm" else give.to_processes)(plan)
    every = plan.teachers | plan.students
    return SubmittedSweep(
        plan.folder, [Run(plan.folder / name) for name in every], [one.title for one in every.values()], plan.refused
    )


@dataclass(frozen=True)
class _Plan:
    """Runs by name; those of ``open`` are neither done nor given to a job."""

    folder: Path
    teachers: dict[str, Experiment]
    students: dict[str, Experiment]
    teacher_of: dict[str, str | None]
    refused: list[tuple[Experiment, str]]
    open: set[str]


def _planned(experiments: Sequence[Experiment], folder: Path) -> _Plan:
    plan = _Plan(folder, {}, {}, {}, [], set())
    for experiment in experiments:
        try:
            _require_files(experiment)
            name, teacher = experiment.run_name(), None
            if experiment.needs_teacher_run:
                needed = experiment.teacher_experiment()
                teacher = needed.run_name()
                if Run(folder / teacher).status == "done":
                    teacher = None
                else:
                    plan.teachers[teacher] = needed
        except LabError as error:
            plan.refused.append((experiment, str(error)))
            continue
        plan.students[name], plan.teacher_of[name] = experiment, teacher
    for name in plan.teachers:
        plan.students.pop(name, None)  # asked for by itself, too
    every = [*plan.teachers, *plan.students]
    given = {record.run for record in in_queue(records_of(folder, every))}
    plan.open.update(
        name for name in every if name not in given and Run(folder / name).status in ("new", "stopped", "failed")
    )
    return plan


def _require_files(experiment: Experiment) -> None:
    """Refuse what only this notebook knows: a job is another process."""
    from e2kd_lab.runs.plugin_record import places_of_plugins

    for entry, place in places_of_plugins(experiment.plugins()).get("plugins", {}).items():
        if not Path(place).exists():
            raise ExperimentError(
                f"The {entry} is registered in {place} itself, which jobs cannot import; expected it in a file that "
                "lab.use(FILE) imports."
            )


@dataclass(frozen=True)
class _Giver:
    """Gives runs to jobs of a cluster."""

    cluster: Cluster
    folder: Path
    hardware: Hardware
    watchers: tuple[Watcher, ...]
    metrics: dict[str, MeasureFunction]

    def to_slurm(self, plan: _Plan) -> None:
        """An array of students for each teacher that is not done, and one for those that need not wait."""
        chains: dict[str | None, list[str]] = {}
        for name in plan.students:
            if name in plan.open:
                chains.setdefault(plan.teacher_of[name], []).append(name)
        for name in plan.teachers:
            if name in plan.open:
                chains.setdefault(name, [])
        for (teacher, names), share in zip(
            chains.items(), _shares(self.cluster.max_parallel, len(chains)), strict=True
        ):
            if teacher is not None and teacher in plan.open:
                self._array({teacher: plan.teachers[teacher]}, None, share)
            self._array({name: plan.students[name] for name in names}, teacher, share)

    def _array(self, named: dict[str, Experiment], teacher: str | None, share: int | None) -> None:
        if not named:
            return
        more: dict[str, Any] = {} if share is None else {"array_parallelism": share}
        if teacher is not None:
            waited = read_record(self.folder, teacher)
            if waited is not None and waited.on == "slurm":
                more["dependency"] = f"afterok:{waited.jobs[0]}"
        began = int(time.time())
        try:
            executor = self.cluster.executor(self.folder / JOBS, _job_name(named), self.hardware, **more)
            given = executor.submit_array([self._job([one]) for one in named.values()])
        except LabError:
            raise
        except Exception as error:
            raise RunError(f"Slurm refused the jobs: {error}") from error
        for name, job in zip(named, given, strict=True):
            logs, title = str(job.paths.stderr), named[name].title
            JobRecord(name, title, "slurm", [job.job_id], gethostname(), logs, teacher, began).write(self.folder)

    def to_processes(self, plan: _Plan) -> None:
        """Processes that share the runs: each takes one that no other is working on, and a teacher before all."""
        named = {name: one for name, one in (plan.teachers | plan.students).items() if name in plan.open}
        gpus = torch.cuda.device_count() if self.hardware.device != "cpu" else 0
        count = min(self.cluster.max_parallel or max(1, gpus), len(named))
        began, given = int(time.time()), []
        with _left_by_terminals():
            for number in range(count):
                gpu = {"gpus_per_node": 1, "visible_gpus": (number % gpus,)} if gpus else {"gpus_per_node": 0}
                executor = self.cluster.executor(self.folder / JOBS, _job_name(named), self.hardware, **gpu)
                given.append(executor.submit(self._job(list(named.values()))))
        for name, one in named.items():
            logs, jobs = str(self.folder / JOBS), [job.job_id for job in given]
            teacher = plan.teacher_of.get(name)
            JobRecord(name, one.title, "local", jobs, gethostname(), logs, teacher, began).write(self.folder)

    def _job(self, experiments: list[Experiment]) -> Job:
        return Job(experiments, self.folder, self.hardware, self.watchers, self.metrics)


def _shares(limit: int | None, chains: int) -> list[int | None]:
    """Jobs at once for each array: Slurm limits arrays one by one."""
    if limit is None or not chains:
        return [None] * chains
    if limit < chains:
        note(f"'max_parallel' is {limit}, and {chains} teachers have students of their own: {chains} jobs run at once.")
    each, more = divmod(max(limit, chains), chains)
    return [each + (number < more) for number in range(chains)]


def _job_name(named: Mapping[str, Experiment]) -> str:
    return "e2kd-" + "-".join(sorted({experiment.name for experiment in named.values()}))


@contextmanager
def _left_by_terminals() -> Iterator[None]:
    """Processes that are started here hear neither Ctrl-C nor the end of the terminal, and do not write to it."""
    with ExitStack() as stack:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        for stream in (1, 2):  # a pipe would stay open as long as they run
            kept = os.dup(stream)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, stream)
            os.dup2(nowhere, stream)
        if threading.current_thread() is threading.main_thread():  # it alone may say what signals do
            for kind in (getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)):
                stack.callback(signal.signal, kind, signal.signal(kind, signal.SIG_IGN))
        yield
