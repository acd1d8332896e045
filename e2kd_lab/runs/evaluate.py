"""Evaluating students beside their teachers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch.utils.data import Dataset

from e2kd_lab.data.splits import Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.metrics import Grouping
from e2kd_lab.metrics.groups import WATERBIRDS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import OwnMeasures, measures, multilabel_measures, multilabel_outcomes, outcomes
from e2kd_lab.training.hardware import on_device
from e2kd_lab.training.outcomes_file import read_outcomes


def load_teacher(experiment: Experiment, *, folder: Path | str | None = None) -> ExplainableModel:
    """The teacher of an experiment, from its weights or its finished run, in evaluation mode on the CPU.

    Parameters
    ----------
    experiment : Experiment
        Gives the teacher; any method.
    folder : Path or str, optional
        Folder of runs; the workspace's by default.

    Raises
    ------
    RunError
        If the teacher's run is not done.
    CheckpointError
        If its weights cannot be used.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.load_teacher(lab.experiments.get("waterbirds", "smoke"))  # doctest: +SKIP
    """
    if experiment.teacher_weights is not None:
        return experiment.build(experiment.teacher, weights=experiment.teacher_weights).eval()
    folder = runs_folder() if folder is None else Path(folder)
    teacher_run = Run(folder / experiment.teacher_experiment().run_name())
    if teacher_run.status != "done":
        raise RunError(f"{teacher_run.folder} is {teacher_run.whereabouts}; expected the finished run of the teacher.")
    return experiment.with_explanation(teacher_run.load_model())


def evaluate(
    experiment: Experiment,
    student: ExplainableModel,
    *,
    split: Split = "test",
    folder: Path | str | None = None,
    device: torch.device | str = "auto",
) -> pd.DataFrame:
    """Predictions of a student and the experiment's teacher, and how similar their explanations are, image by image.

    Parameters
    ----------
    experiment : Experiment
        Gives data and teacher; with method ``teacher`` the student is evaluated alone.
    student : ExplainableModel
        The network to evaluate.
    split : str
        ``train``, ``val`` or ``test``.
    folder, device
        Folder of runs, and the device to compute on: ``auto`` is a GPU if there is one. The student returns from it.

    Returns
    -------
    DataFrame
        One row an image (see `e2kd_lab.training.outcomes`); where an image may show several classes, one row an image
        and class (see `e2kd_lab.training.multilabel_outcomes`, with ``every_class``). `averaged` gives the measures.

    Raises
    ------
    LabError
        If data or teacher cannot be used.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "smoke").replace(method="e2kd")
    >>> lab.evaluate(experiment, lab.run(experiment).load_model())  # doctest: +SKIP
    """
    teacher = None if experiment.method == "teacher" else load_teacher(experiment, folder=folder)
    look, _ = _evaluation_of(experiment)
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
    """`evaluate` for a finished run, computed once and then kept in its folder as ``outcomes-<split>.csv``.

    A file of an earlier version that lacks a column is computed again.

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
        # With several classes an image, earlier versions did not compare explanations of every class.
        if "teacher_top" not in known or "class_cosine" in known:
            return known
    table = evaluate(experiment, run.load_model(), split=split, folder=folder, device=device)
    try:
        write_text(path, table.to_csv(index=False, lineterminator="\n"))
    except RunError:  # a read-only folder is fine
        return table
    return read_outcomes(path)


def averaged(experiment: Experiment, table: pd.DataFrame) -> pd.DataFrame:
    """Measures of a table of `evaluate`: ``group``, ``metric``, ``value``."""
    return _evaluation_of(experiment)[1](table)


def measure(
    experiment: Experiment,
    student: ExplainableModel,
    teacher: ExplainableModel | None,
    dataset: Dataset,
    *,
    split: Split,
    own: OwnMeasures,
    device: torch.device,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> pd.DataFrame:
    """All measures of a student on a split: the lab's, then one's own.

    Parameters
    ----------
    experiment : Experiment
        Gives the groups, and whether an image may show several classes.
    student, teacher, dataset, device, workers, rank, world_size
        See `e2kd_lab.training.outcomes`.
    split : str
        Name of the data set, for notes of own measures.
    own : OwnMeasures
        Own measures; only rank 0 computes them.

    Returns
    -------
    DataFrame
        ``group``, ``metric``, ``value``.
    """
    look, average = _evaluation_of(experiment)
    collector = own.collector()
    table = look(
        student, teacher, dataset, device=device, workers=workers, rank=rank, world_size=world_size, collector=collector
    )
    rows = average(table)
    if collector is None or rank != 0:
        return rows
    extra = own.rows(collector.predictions(table), split, experiment.grouping() or WATERBIRDS)
    return pd.concat([rows, extra], ignore_index=True) if len(extra) else rows


def _evaluation_of(
    experiment: Experiment,
) -> tuple[Callable[..., pd.DataFrame], Callable[[pd.DataFrame], pd.DataFrame]]:
    """A function that evaluates images one by one, and one that averages its table."""
    if experiment.multilabel:
        return multilabel_outcomes, multilabel_measures
    classes = Grouping(experiment.classes()) if experiment.measures_classes else None
    return outcomes, functools.partial(measures, grouping=experiment.grouping() or WATERBIRDS, classes=classes)
