"""Carrying out an experiment: data, teacher and student, method, trainer, run folder."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from e2kd_lab.data.splits import Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.runs import Run, Status
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.runs.measure import add_own_measures, lacking, measured
from e2kd_lab.system.errors import ExperimentError, LabError, RunError, TrainingError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware, OwnMeasures, ProgressBar, Trainer, Watcher, Watchers
from e2kd_lab.training.hardware import lost_another_process, ran_out_of_memory
from e2kd_lab.training.malloc import keep_freed_memory
from e2kd_lab.training.memory_format import prepare_networks
from e2kd_lab.training.metrics_file import MetricsFile
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.trainer import METRICS

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def run(
    experiment: Experiment,
    *,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watchers: Iterable[Watcher] = (),
    metrics: Mapping[str, MeasureFunction] | None = None,
) -> Run:
    """Train an experiment, or load it if this exact run is done; its teacher likewise.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    folder : Path or str, optional
        Where runs lie; the workspace's ``runs`` by default.
    progress : bool
        Show a progress bar.
    hardware : Hardware, optional
        Device and processes; it does not change which run this is.
    watchers : iterable of Watcher
        Told of progress beside the progress bar, and asked whether to stop. One that raises does not end the training.
    metrics : mapping of str to callable, optional
        Own measures by their names: functions of `e2kd_lab.metrics.Predictions` that return a number. They are computed
        with the lab's on validation and test images, of all of them and of each group, and stand beside them in
        ``metrics.csv``, `load_runs`, tables and panels. They do not change which run this is; a finished run that lacks
        them is evaluated again, and they are added.

    Returns
    -------
    Run
        With status ``done``, or ``stopped`` if a watcher stopped it; run again to resume.

    Raises
    ------
    LabError
        If data, weights or the run's folder cannot be used, or training diverges; the run's status is then ``failed``.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd", lam=5.0)
    >>> def confidence(predictions):
    ...     return predictions.logits.softmax(1).amax(1).mean()  # of all images, then of each group
    >>> lab.run(experiment, metrics={"confidence": confidence}).metrics()  # doctest: +SKIP
    """
    job = _Job(
        runs_folder() if folder is None else Path(folder),
        hardware or Hardware(),
        all_watchers(progress, watchers),
        OwnMeasures(metrics),
    )
    here = Run(job.folder / experiment.run_name())
    if here.status == "done" and not lacking(experiment, here, job.own):
        return here
    fabric = job.hardware.fabric(experiment.precision)
    # Converged losses produce denormal numbers, which are many times slower on a CPU.
    torch.set_flush_denormal(True)
    if fabric.device.type == "cpu":
        keep_freed_memory()
    try:
        return _run(experiment, job, fabric)
    finally:
        torch.set_flush_denormal(False)  # the rest of the program expects ordinary arithmetic


def all_watchers(progress: bool, watchers: Iterable[Watcher]) -> Watchers:
    return Watchers([*([ProgressBar()] if progress else []), Watchers(watchers)])


@dataclass(frozen=True)
class _Job:
    """What a run and that of its teacher share."""

    folder: Path
    hardware: Hardware
    watchers: Watchers
    own: OwnMeasures


def _run(experiment: Experiment, job: _Job, fabric: Fabric) -> Run:
    here = Run(job.folder / experiment.run_name())
    # The first process decides for all of them, so that none waits for one that has gone home.
    if fabric.broadcast(here.status == "done"):
        if fabric.is_global_zero:
            add_own_measures(experiment, here, job.own, folder=job.folder, device=fabric.device)
        fabric.barrier("own measures added")
        return here
    if experiment.method != "teacher" and experiment.teacher_weights is None:
        teacher_run = _run(experiment.teacher_experiment(), job, fabric)
        if fabric.broadcast(teacher_run.status != "done"):
            return here
    with ExitStack() as held:
        if not _take(here, experiment, fabric, held):  # finished by somebody else while this one trained the teacher
            return here
        start = time.monotonic()
        try:
            finished = _train(experiment, here, job, fabric)
        except KeyboardInterrupt:
            _set_status(here, fabric, "stopped")
            raise
        except BaseException as error:
            explained = _explained(error, here, experiment, fabric)
            message = str(explained) if isinstance(explained, LabError) else f"{type(error).__name__}: {error}"
            _set_status(here, fabric, "failed", message)
            if explained is error:
                raise
            raise explained from error
        _set_status(here, fabric, "done" if finished else "stopped", seconds=round(time.monotonic() - start, 1))
        fabric.barrier("status written")
    return here


def _explained(error: BaseException, here: Run, experiment: Experiment, fabric: Fabric) -> BaseException:
    """What ended a training, as a sentence where the error itself is none."""
    if fabric.world_size > 1 and lost_another_process(error):
        return TrainingError(
            f"{here.folder}: another process of this run ended early; its own message says why. Start all of "
            "them again to go on from the last checkpoint."
        )
    if ran_out_of_memory(error):
        count, size = experiment.batch_size // fabric.world_size, experiment.image_size
        side = size if isinstance(size, int) else "x".join(map(str, size))
        return TrainingError(
            f"{here.folder}: {count} images of {side} px at once do not fit into the memory of "
            f"{fabric.device}; expected a smaller batch_size, more devices, precision bf16-mixed or, for e2kd, a "
            "smaller explain_part."
        )
    return error


def _take(here: Run, experiment: Experiment, fabric: Fabric, held: ExitStack) -> bool:
    """Take the folder and begin, or say that there is nothing to do; all processes hear what the first one met with."""
    to_do, refusal = False, None
    if fabric.is_global_zero:
        try:
            held.enter_context(here.locked())
            if here.status != "done":
                here.begin(experiment, str(fabric.device))
                to_do = True
        except RunError as error:
            refusal = str(error)
    to_do, refusal = fabric.broadcast((to_do, refusal))
    if refusal is not None:
        raise RunError(refusal)
    return to_do


def _set_status(here: Run, fabric: Fabric, status: Status, error: str | None = None, **details: Any) -> None:
    if not fabric.is_global_zero:
        return
    try:
        here.set_status(status, error, **details)
    except RunError:
        # Why training ended matters more than that this cannot be written down either; the run counts as stopped.
        if status not in ("failed", "stopped"):
            raise


def _train(experiment: Experiment, here: Run, job: _Job, fabric: Fabric) -> bool:
    if experiment.batch_size % fabric.world_size:
        raise ExperimentError(
            f"A batch of {experiment.batch_size} images cannot be shared evenly by {fabric.world_size} processes; "
            "expected a multiple of their number as batch_size."
        )
    if len(experiment.classes()) != experiment.num_classes:
        raise ExperimentError(
            f"'num_classes' of {experiment.name} is {experiment.num_classes}, but its data have "
            f"{len(experiment.classes())} classes; expected that number as num_classes, or other data."
        )
    torch.manual_seed(experiment.seed)
    student = experiment.build(experiment.network)
    experiment.prepare_student(student)
    if experiment.initial_weights is not None:
        load_weights(student, experiment.network, experiment.initial_weights, any_classifier=True)
    teacher = None
    if experiment.method != "teacher":
        teacher = load_teacher(experiment, folder=job.folder).to(fabric.device)
    method = experiment.training_step(student, teacher)
    prepare_networks(student, teacher, experiment.image_size, fabric.device)
    sets = {split: experiment.dataset(split) for split in ("train", "val", "test")}

    def measure(split: Split) -> pd.DataFrame:
        return measured(
            experiment,
            student,
            teacher,
            sets[split],
            split=split,
            own=job.own,
            device=fabric.device,
            workers=job.hardware.workers,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
        )

    trainer = Trainer(
        method,
        experiment,
        sets["train"],
        num_classes=experiment.num_classes,
        validate=lambda: measure("val"),
        folder=here.folder,
        fabric=fabric,
        hardware=job.hardware,
        watcher=job.watchers,
    )
    if not trainer.fit(experiment.title):
        return False
    step = trainer.total_steps
    if experiment.select == "best":
        fabric.barrier("best checkpoint written")
        step = trainer.load_best()
    rows = measure("test")
    if fabric.is_global_zero:
        metrics = MetricsFile(here.folder / METRICS, trainer.total_steps)
        job.watchers.on_rows(metrics.add(step, step // trainer.steps_per_epoch, "test", rows))
    return True
