"""Evaluating students beside the teachers of their experiments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from e2kd_lab.data.waterbirds import Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.metrics import Grouping
from e2kd_lab.metrics.groups import WATERBIRDS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import measures, multilabel_measures, multilabel_outcomes, outcomes
from e2kd_lab.training.hardware import on_device
from e2kd_lab.training.outcomes_file import read_outcomes


def load_teacher(experiment: Experiment, *, folder: Path | str | None = None) -> ExplainableModel:
    """The teacher of an experiment, trained before or given as weights, in evaluation mode on the CPU.

    Raises
    ------
    RunError
        If the teacher's run is not done.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> teacher = lab.load_teacher(lab.experiments.get("waterbirds").replace(method="kd"))  # doctest: +SKIP
    """
    if experiment.teacher_weights is not None:
        return experiment.build(experiment.teacher, weights=experiment.teacher_weights).eval()
    folder = runs_folder() if folder is None else Path(folder)
    teacher_run = Run(folder / experiment.teacher_experiment().run_name())
    if teacher_run.status != "done":
        raise RunError(f"{teacher_run.folder} is {teacher_run.status}; expected the finished run of the teacher.")
    return experiment.explained(teacher_run.load_model())


def evaluate(
    experiment: Experiment,
    student: ExplainableModel,
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    device: torch.device | str = "auto",
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
        Where runs lie, and the device to compute on: ``auto`` is a GPU if there is one. The student comes back from it.

    Returns
    -------
    DataFrame
        See `e2kd_lab.training.outcomes`, which `e2kd_lab.training.measures` averages; where an image may show several
        classes, `e2kd_lab.training.multilabel_outcomes` with ``every_class``, and `multilabel_measures`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds").replace(method="kd")
    >>> table = lab.evaluate(experiment, lab.run(experiment).load_model(), split="test")  # doctest: +SKIP
    """
    teacher = None if experiment.method == "teacher" else load_teacher(experiment, folder=folder)
    look, _ = how_to_evaluate(experiment)
    if experiment.multilabel:
        look = functools.partial(look, every_class=True)
    with on_device(device, *(network for network in (student, teacher) if network is not None)) as where:
        return look(student, teacher, experiment.dataset(split), device=where)


def outcomes_of(
    run: Run,
    experiment: Experiment,
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    device: torch.device | str = "auto",
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
    return how_to_evaluate(experiment)[1](table)


def how_to_evaluate(
    experiment: Experiment,
) -> tuple[Callable[..., pd.DataFrame], Callable[[pd.DataFrame], pd.DataFrame]]:
    """What looks at each image, and what averages it."""
    if experiment.multilabel:
        return multilabel_outcomes, multilabel_measures
    classes = Grouping(experiment.classes()) if experiment.measures_classes else None
    return outcomes, functools.partial(measures, grouping=experiment.grouping() or WATERBIRDS, classes=classes)
