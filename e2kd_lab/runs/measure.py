"""The lab's measures of a network together with a researcher's own, also of runs that were finished without them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch.utils.data import Dataset

from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.metrics.groups import WATERBIRDS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import how_to_evaluate, load_teacher
from e2kd_lab.system.errors import LabError, note
from e2kd_lab.training import OwnMeasures
from e2kd_lab.training.memory_format import prepare_networks
from e2kd_lab.training.metrics_file import MetricsFile
from e2kd_lab.training.trainer import METRICS


def measured(
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
        Says whether an image may show several classes, and what groups are.
    student, teacher, dataset, device, workers, rank, world_size
        See `e2kd_lab.training.outcomes`.
    split : str
        What the data set is, for what own measures say.
    own : OwnMeasures
        Computed on the first process only.

    Returns
    -------
    DataFrame
        ``group``, ``metric``, ``value``.
    """
    look, average = how_to_evaluate(experiment)
    collector = own.collector()
    table = look(
        student, teacher, dataset, device=device, workers=workers, rank=rank, world_size=world_size, collector=collector
    )
    rows = average(table)
    if collector is None or rank != 0:
        return rows
    extra = own.rows(collector.predictions(table), split, experiment.grouping() or WATERBIRDS)
    return pd.concat([rows, extra], ignore_index=True) if len(extra) else rows


def lacking(experiment: Experiment, here: Run, own: OwnMeasures) -> list[str]:
    """Own measures that a finished run, or that of its teacher, has no test result of."""
    return [name for name in own.names for run in _with_teacher(experiment, here) if name not in _known(run)]


def add_own_measures(
    experiment: Experiment, here: Run, own: OwnMeasures, *, folder: Path, device: torch.device
) -> None:
    """Add own measures that a finished run and its teacher lack to their ``metrics.csv``, from their checkpoints.

    A run that cannot be evaluated or written to any more stays as it is, which is said.

    Parameters
    ----------
    experiment, here : Experiment, Run
        What was run, and where it lies.
    own : OwnMeasures
        The measures.
    folder, device
        Where runs lie, and the device to compute on.
    """
    for run in _with_teacher(experiment, here) if own.names else []:
        missing = own.without(_known(run))
        if not missing.names:
            continue
        wanted = experiment if run is here else experiment.teacher_experiment()
        try:
            with run.locked():
                _add(wanted, run, missing, folder, device)
        except LabError as error:
            note(f"{run.folder} stays without {', '.join(missing.names)}: {error}")


def _with_teacher(experiment: Experiment, here: Run) -> list[Run]:
    """A finished run and, if it was trained here and is finished, that of its teacher."""
    if experiment.method == "teacher" or experiment.teacher_weights is not None:
        return [here]
    teacher = Run(here.folder.parent / experiment.teacher_experiment().run_name())
    return [teacher, here] if teacher.status == "done" else [here]


def _known(run: Run) -> set[str]:
    rows = run.results()
    return set(rows.loc[rows["split"] == "test", "metric"])


def _add(experiment: Experiment, run: Run, own: OwnMeasures, folder: Path, device: torch.device) -> None:
    rows = run.results()
    step, epoch = (int(rows[name].iloc[0]) for name in ("step", "epoch"))
    student = run.load_model(device)
    teacher = None if experiment.method == "teacher" else load_teacher(experiment, folder=folder).to(device)
    prepare_networks(student, teacher, experiment.image_size, device)  # as in training, to the same digits
    added = {}
    for split in SPLITS[1:]:
        dataset = experiment.dataset(split)
        table = measured(experiment, student, teacher, dataset, split=split, own=own, device=device)
        added[split] = table[table["metric"].isin(own.names)]
    metrics = MetricsFile(run.folder / METRICS, int(run.metrics()["step"].max()))
    for split, table in added.items():
        if len(table):
            metrics.add(step, epoch, split, table)
