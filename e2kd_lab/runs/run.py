"""Running an experiment: lock the folder, get the teacher, build, train, evaluate, write."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from e2kd_lab.data.splits import SPLITS
from e2kd_lab.experiments import Experiment
from e2kd_lab.methods import Distiller
from e2kd_lab.models import BcosifiedModel
from e2kd_lab.models.bcosified_names import load_ordinary
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.runs import Run, Status
from e2kd_lab.runs.evaluate import load_teacher, measure
from e2kd_lab.runs.own_measures import add_own_measures, missing_measures
from e2kd_lab.runs.progress_file import ProgressFile
from e2kd_lab.system.errors import ExperimentError, LabError, RunError, TrainingError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware, OwnMeasures, ProgressBar, Trainer, Watcher, Watchers
from e2kd_lab.training.hardware import lost_another_process, ran_out_of_memory
from e2kd_lab.training.malloc import keep_freed_memory
from e2kd_lab.training.metrics_file import MetricsFile
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.trainer import LAST, METRICS

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
    wait: bool | None = None,
) -> Run:
    """Train an experiment, or load it if this exact run is done; its teacher likewise.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    folder : Path or str, optional
        Folder of runs; the workspace's ``runs`` by default.
    progress : bool
        Show a progress bar.
    hardware : Hardware, optional
        Device and processes; it does not change which run this is.
    watchers : iterable of Watcher
        Told of progress beside the progress bar, and asked whether to stop. One that raises does not end training.
    metrics : mapping of str to callable, optional
        Own measures by their names: functions of `e2kd_lab.metrics.Predictions` that return a number. They are computed
        on validation and test images, on all of them and on each group, and stand beside the lab's in ``metrics.csv``,
        `load_runs`, tables and panels. They do not change which run this is; a finished run that lacks them is
        evaluated again, and they are added.
    wait : bool, optional
        Wait while another process trains this run or its teacher, and go on from what it leaves; by default, for the
        teacher only. A run in use that is not waited for is an error.

    Returns
    -------
    Run
        Its status is ``done``, or ``stopped`` if a watcher stopped it; call again to resume.

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
    folder = runs_folder() if folder is None else Path(folder)
    hardware = hardware or Hardware()
    told, own_measures = all_watchers(progress, watchers), OwnMeasures(metrics)
    here = Run(folder / experiment.run_name())
    if here.status == "done" and not missing_measures(experiment, here, own_measures):
        return here
    fabric = hardware.fabric(experiment.precision)
    launch = _Launch(folder, hardware, fabric, told, own_measures, wait)
    with arithmetic_for_training(fabric.device):
        return _run(experiment, launch)


def all_watchers(progress: bool, watchers: Iterable[Watcher]) -> Watchers:
    """The progress bar, if it is wanted, and the others."""
    return Watchers([*([ProgressBar()] if progress else []), Watchers(watchers)])


@dataclass(frozen=True)
class _Launch:
    """What the runs of a student and its teacher share."""

    folder: Path
    hardware: Hardware
    fabric: Fabric
    watchers: Watchers
    own_measures: OwnMeasures
    wait: bool | None


@contextmanager
def arithmetic_for_training(device: torch.device) -> Iterator[None]:
    """Within the block, this process computes as runs do."""
    # Converged losses produce denormal numbers, which are many times slower on a CPU.
    torch.set_flush_denormal(True)
    if device.type == "cpu":
        keep_freed_memory()
    try:
        yield
    finally:
        torch.set_flush_denormal(False)  # the rest of the program expects ordinary arithmetic


def _run(experiment: Experiment, launch: _Launch) -> Run:
    here, fabric = Run(launch.folder / experiment.run_name()), launch.fabric
    # Rank 0 decides for all processes, so that none waits for one that has returned.
    if fabric.broadcast(here.status == "done"):
        if fabric.is_global_zero:
            add_own_measures(experiment, here, launch.own_measures, folder=launch.folder, device=fabric.device)
        fabric.barrier("own measures added")
        return here
    if experiment.needs_teacher_run:
        for_teacher = replace(launch, wait=launch.wait is not False)
        teacher_run = _run(experiment.teacher_experiment(), for_teacher)
        if fabric.broadcast(teacher_run.status != "done"):
            return here
    if experiment.converts and experiment.ordinary_weights is None:
        ordinary_run = _run(experiment.ordinary_experiment(), replace(launch, wait=launch.wait is not False))
        if fabric.broadcast(ordinary_run.status != "done"):
            return here
    with _begun(here, experiment, launch) as to_do:
        if to_do:
            _train_and_write_status(experiment, here, launch)
    return here


@contextmanager
def _begun(here: Run, experiment: Experiment, launch: _Launch) -> Iterator[bool]:
    """Lock the folder and begin; False if another process has finished the run meanwhile, or a watcher stops waiting.

    Rank 0 locks the folder and broadcasts the outcome; while it waits, it tells the others to do so, too.
    """
    fabric, stopped = launch.fabric, False
    to_do, refusal = False, None

    def waits() -> bool:
        nonlocal stopped
        stopped = launch.watchers.should_stop()
        return not stopped and fabric.broadcast("wait") == "wait"

    with ExitStack() as lock:
        if fabric.is_global_zero:
            try:
                lock.enter_context(here.locked(wait=waits if launch.wait else None))
                if here.status != "done":
                    here.begin(experiment, str(fabric.device))
                    to_do = True
            except RunError as error:
                refusal = None if stopped else str(error)
        outcome: Any = "wait"
        while outcome == "wait":
            outcome = fabric.broadcast((to_do, refusal))
        to_do, refusal = outcome
        if refusal is not None:
            raise RunError(refusal)
        yield to_do


def _train_and_write_status(experiment: Experiment, here: Run, launch: _Launch) -> None:
    fabric, start = launch.fabric, time.monotonic()
    resumed = (here.folder / LAST).is_file()
    try:
        finished = _train_and_evaluate(experiment, here, launch)
    except (KeyboardInterrupt, SystemExit):
        _write_status(here, fabric, "stopped")
        raise
    except BaseException as cause:
        error = _as_lab_error(cause, here, experiment, fabric)
        message = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        _write_status(here, fabric, "failed", message)
        if error is cause:
            raise
        raise error from cause
    took: dict[str, Any] = {"seconds": round(time.monotonic() - start, 1)} | ({"resumed": True} if resumed else {})
    _write_status(here, fabric, "done" if finished else "stopped", **took)
    fabric.barrier("status written")


def _train_and_evaluate(experiment: Experiment, here: Run, launch: _Launch) -> bool:
    """Train to the end and evaluate the selected checkpoint; False if a watcher stopped it before."""
    fabric, hardware = launch.fabric, launch.hardware
    watchers = Watchers([ProgressFile(here.folder), launch.watchers])
    if fabric.is_global_zero:
        watchers.on_run(here.folder, experiment)
    _check_batch_size(experiment, fabric.world_size)
    sets = {split: experiment.dataset(split) for split in SPLITS}
    method = _build_method(experiment, launch)
    measures = partial(
        measure,
        experiment,
        method.student,
        method.teacher,
        own=launch.own_measures,
        device=fabric.device,
        workers=hardware.workers,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
    )
    trainer = Trainer(
        method,
        experiment.recipe,
        sets["train"],
        num_classes=experiment.num_classes,
        validate=lambda: measures(sets["val"], split="val"),
        folder=here.folder,
        fabric=fabric,
        hardware=hardware,
        watcher=watchers,
    )
    if not trainer.fit(experiment.title):
        return False
    step = trainer.total_steps
    if experiment.select == "best":
        fabric.barrier("best checkpoint written")
        step = trainer.load_best()
    rows = measures(sets["test"], split="test")
    if fabric.is_global_zero:
        metrics = MetricsFile(here.folder / METRICS, trainer.total_steps)
        watchers.on_rows(metrics.add(step, step // trainer.steps_per_epoch, "test", rows))
    return True


def _build_method(experiment: Experiment, launch: _Launch) -> Distiller:
    """The method of student and teacher, which are arranged for training; all random weights come from the seed."""
    torch.manual_seed(experiment.seed)
    student, teacher = experiment.build(experiment.network), None
    experiment.prepare_student(student)
    if experiment.initial_weights is not None:
        load_weights(student, experiment.network, experiment.initial_weights, any_classifier=True)
    elif experiment.converts and isinstance(student, BcosifiedModel):
        load_ordinary(student, experiment.network, _ordinary_weights(experiment, launch.folder))
    if experiment.method != "teacher":
        teacher = load_teacher(experiment, folder=launch.folder).to(launch.fabric.device)
    method = experiment.training_step(student, teacher)
    prepare_networks(student, teacher, experiment.image_size, launch.fabric.device)
    return method


def _ordinary_weights(experiment: Experiment, folder: Path) -> str:
    """Weights of the ordinary network that the teacher is converted from; those of its run by default."""
    if experiment.ordinary_weights is not None:
        return experiment.ordinary_weights
    return str(Run(folder / experiment.ordinary_experiment().run_name()).checkpoint())


def _check_batch_size(experiment: Experiment, processes: int) -> None:
    if experiment.batch_size % processes:
        raise ExperimentError(
            f"A batch of {experiment.batch_size} images cannot be shared evenly by {processes} processes; expected a "
            "multiple of their number as batch_size."
        )


def _as_lab_error(error: BaseException, here: Run, experiment: Experiment, fabric: Fabric) -> BaseException:
    """A `TrainingError` for a lost process or exhausted memory; any other error as it is."""
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


def _write_status(here: Run, fabric: Fabric, status: Status, error: str | None = None, **details: Any) -> None:
    if not fabric.is_global_zero:
        return
    try:
        here.set_status(status, error, **details)
    except RunError:
        # The error that ended training matters more than a status that cannot be written; the run counts as stopped.
        if status not in ("failed", "stopped"):
            raise
