"""Carrying out an experiment: data, teacher and student, method, trainer, run folder."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from e2kd_lab.atomic import write_text
from e2kd_lab.data.waterbirds import Split
from e2kd_lab.errors import ExperimentError, LabError, RunError, TrainingError
from e2kd_lab.experiments import Experiment
from e2kd_lab.models import ExplainableModel, build_model
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.runs import Run, Status
from e2kd_lab.training import (
    Hardware,
    ProgressBar,
    Trainer,
    Watcher,
    measures,
    multilabel_measures,
    multilabel_outcomes,
    outcomes,
)
from e2kd_lab.training.hardware import lost_another_process
from e2kd_lab.training.layout import arrange
from e2kd_lab.training.memory import keep_freed_memory
from e2kd_lab.training.metrics_file import MetricsFile
from e2kd_lab.training.outcomes_file import read_outcomes
from e2kd_lab.training.trainer import METRICS
from e2kd_lab.workspace import runs_folder

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def run(
    experiment: Experiment,
    *,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
    watcher: Watcher | None = None,
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
    watcher : Watcher, optional
        Told of progress in place of the progress bar, and asked whether to stop.

    Returns
    -------
    Run
        With status ``done``, or ``stopped`` if the watcher stopped it; run again to resume.

    Raises
    ------
    LabError
        If data, weights or the run's folder cannot be used, or training diverges; the run's status is then ``failed``.
    """
    folder = runs_folder() if folder is None else Path(folder)
    hardware = hardware or Hardware()
    here = Run(folder / experiment.run_name())
    if here.status == "done":
        return here
    fabric = hardware.fabric(experiment.precision)
    watcher = watcher or (ProgressBar() if progress else Watcher())
    # Converged losses produce denormal numbers, which are many times slower on a CPU.
    torch.set_flush_denormal(True)
    if fabric.device.type == "cpu":
        keep_freed_memory()
    try:
        return _run(experiment, folder, hardware, watcher, fabric)
    finally:
        torch.set_flush_denormal(False)  # the rest of the program expects ordinary arithmetic


def run_all(
    experiments: Iterable[Experiment],
    *,
    folder: Path | str | None = None,
    progress: bool = True,
    hardware: Hardware | None = None,
) -> list[Run]:
    """Train or load several experiments, one after the other (see `run`)."""
    return [run(experiment, folder=folder, progress=progress, hardware=hardware) for experiment in experiments]


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
    hardware: Hardware | None = None,
    watcher: Watcher | None = None,
    say: Callable[[str], None] = print,
) -> Sweep:
    """Train or load several experiments; one that fails does not keep the others from running.

    A sweep that was interrupted goes on where it was: finished runs are loaded, the stopped one is resumed.

    Parameters
    ----------
    experiments : sequence of Experiment
        What to run, in this order.
    folder, hardware, watcher
        See `run`; a watcher that asks to stop ends the sweep.
    say : callable
        Receives a line for each experiment.
    """
    folder = runs_folder() if folder is None else Path(folder)
    result = Sweep([], [])
    for number, experiment in enumerate(experiments, start=1):
        place = f"{number}/{len(experiments)}  {experiment.title}"
        try:
            known = Run(folder / experiment.run_name()).status == "done"
            finished = run(experiment, folder=folder, hardware=hardware, watcher=watcher)
        except LabError as error:
            result.failures.append((experiment, str(error)))
            say(f"{place}: failed: {error}")
            continue
        result.runs.append(finished)
        say(f"{place}: {'done before' if known else finished.status}")
        if finished.status == "stopped":
            break
    return result


def load_teacher(experiment: Experiment, *, folder: Path | str | None = None) -> ExplainableModel:
    """The teacher of an experiment, trained before or given as weights, in evaluation mode on the CPU.

    Raises
    ------
    RunError
        If the teacher's run is not done.
    """
    if experiment.teacher_weights is not None:
        model = build_model(experiment.teacher, experiment.num_classes, weights=experiment.teacher_weights)
        return model.eval()
    folder = runs_folder() if folder is None else Path(folder)
    teacher_run = Run(folder / experiment.teacher_experiment().run_name())
    if teacher_run.status != "done":
        raise RunError(f"{teacher_run.folder} is {teacher_run.status}; expected the finished run of the teacher.")
    return teacher_run.load_model()


def evaluate(
    experiment: Experiment,
    student: ExplainableModel,
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """What a student and the experiment's teacher say about each image of a split.

    Parameters
    ----------
    experiment : Experiment
        Gives data and teacher; with method ``teacher`` the student is looked at alone.
    student : ExplainableModel
        The network to evaluate.
    split : str
        ``train``, ``val`` or ``test``.
    folder, device
        Where runs lie, and the device to compute on.

    Returns
    -------
    DataFrame
        See `e2kd_lab.training.outcomes`, which `e2kd_lab.training.measures` averages; where an image may show several
        classes, `e2kd_lab.training.multilabel_outcomes` with ``every_class``, and `multilabel_measures`.
    """
    teacher = None if experiment.method == "teacher" else load_teacher(experiment, folder=folder).to(device)
    look, _ = _evaluation(experiment)
    if experiment.multilabel:
        look = functools.partial(look, every_class=True)
    return look(student.to(device), teacher, experiment.dataset(split), device=device)


def outcomes_of(
    run: Run,
    experiment: Experiment,
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """What the student of a finished run and its teacher say about each image of a split.

    Computed once, then kept in the run's folder as ``outcomes-<split>.csv``; a file of an earlier version that lacks a
    column is computed anew.

    Parameters
    ----------
    run : Run
        A finished run of a student.
    experiment : Experiment
        Gives data and teacher; any method of the run's experiment.
    split, folder, device
        See `evaluate`.
    """
    path = run.folder / f"outcomes-{split}.csv"
    if path.is_file():
        known = read_outcomes(path)
        # Tables of several classes an image that were written by earlier versions do not compare every class.
        if "teacher_top" not in known or "class_cosine" in known:
            return known
    table = evaluate(experiment, run.load_model(), split=split, folder=folder, device=device)
    try:
        write_text(path, table.to_csv(index=False, lineterminator="\n"))
    except RunError:  # a folder that cannot be written to is still good to read
        return table
    return read_outcomes(path)


def averaged(experiment: Experiment, table: pd.DataFrame) -> pd.DataFrame:
    """The measures of what `evaluate` returned: ``group``, ``metric``, ``value``."""
    return _evaluation(experiment)[1](table)


def _evaluation(experiment: Experiment) -> tuple[Callable[..., pd.DataFrame], Callable[[pd.DataFrame], pd.DataFrame]]:
    """What looks at each image, and what averages it."""
    return (multilabel_outcomes, multilabel_measures) if experiment.multilabel else (outcomes, measures)


def _run(experiment: Experiment, folder: Path, hardware: Hardware, watcher: Watcher, fabric: Fabric) -> Run:
    here = Run(folder / experiment.run_name())
    # The first process decides for all of them, so that none waits for one that has gone home.
    if fabric.broadcast(here.status == "done"):
        return here
    if experiment.method != "teacher" and experiment.teacher_weights is None:
        teacher_run = _run(experiment.teacher_experiment(), folder, hardware, watcher, fabric)
        if fabric.broadcast(teacher_run.status != "done"):
            return here
    with ExitStack() as held:
        if not _take(here, experiment, fabric, held):  # finished by somebody else while this one trained the teacher
            return here
        start = time.monotonic()
        try:
            finished = _train(experiment, here, folder, hardware, watcher, fabric)
        except KeyboardInterrupt:
            _set_status(here, fabric, "stopped")
            raise
        except BaseException as error:
            if fabric.world_size > 1 and lost_another_process(error):
                lost = TrainingError(
                    f"{here.folder}: another process of this run ended early; its own message says why. Start all of "
                    "them again to go on from the last checkpoint."
                )
                _set_status(here, fabric, "failed", str(lost))
                raise lost from error
            message = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
            _set_status(here, fabric, "failed", message)
            raise
        _set_status(here, fabric, "done" if finished else "stopped", seconds=round(time.monotonic() - start, 1))
        fabric.barrier("status written")
    return here


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


def _train(
    experiment: Experiment, here: Run, folder: Path, hardware: Hardware, watcher: Watcher, fabric: Fabric
) -> bool:
    if experiment.batch_size % fabric.world_size:
        raise ExperimentError(
            f"A batch of {experiment.batch_size} images cannot be shared evenly by {fabric.world_size} processes; "
            "expected a multiple of their number as batch_size."
        )
    torch.manual_seed(experiment.seed)
    student = build_model(experiment.network, experiment.num_classes)
    if experiment.initial_weights is not None:
        load_weights(student, experiment.network, experiment.initial_weights, any_classifier=True)
    teacher = None
    if experiment.method != "teacher":
        teacher = load_teacher(experiment, folder=folder).to(fabric.device)
    method = experiment.training_step(student, teacher)
    arrange(student, teacher, experiment.image_size, fabric.device)

    def measure(split: Split) -> pd.DataFrame:
        look, average = _evaluation(experiment)
        table = look(
            student,
            teacher,
            sets[split],
            device=fabric.device,
            workers=hardware.workers,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
        )
        return average(table)

    sets = {split: experiment.dataset(split) for split in ("train", "val", "test")}
    trainer = Trainer(
        method,
        experiment,
        sets["train"],
        num_classes=experiment.num_classes,
        validate=lambda: measure("val"),
        folder=here.folder,
        fabric=fabric,
        hardware=hardware,
        watcher=watcher,
    )
    if not trainer.fit(experiment.title):
        return False
    step = trainer.total_steps
    if experiment.select == "best":
        fabric.barrier("best checkpoint written")
        step = trainer.load_best()
    rows = measure("test")
    if fabric.is_global_zero:
        watcher.on_rows(
            MetricsFile(here.folder / METRICS, trainer.total_steps).add(
                step, step // trainer.steps_per_epoch, "test", rows
            )
        )
    return True
