"""Own measures of runs that were finished without them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from e2kd_lab.data.splits import Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import load_teacher, measure
from e2kd_lab.system.errors import LabError, note
from e2kd_lab.training import OwnMeasures
from e2kd_lab.training.metrics_file import MetricsFile
from e2kd_lab.training.trainer import METRICS


def missing_measures(experiment: Experiment, here: Run, own: OwnMeasures) -> list[str]:
    """Own measures without a test result in a finished run or in its teacher's run."""
    return [name for name in own.names for run in _with_teacher(experiment, here) if name not in _test_metrics(run)]


def add_own_measures(
    experiment: Experiment, here: Run, own: OwnMeasures, *, folder: Path, device: torch.device
) -> None:
    """Add missing own measures to ``metrics.csv`` of a finished run and its teacher's run, from their checkpoints.

    A run that cannot be evaluated or written to any more stays as it is, with a note.

    Parameters
    ----------
    experiment, here : Experiment, Run
        The experiment and its run.
    own : OwnMeasures
        The measures.
    folder, device
        Folder of runs, and the device to compute on.
    """
    for run in _with_teacher(experiment, here) if own.names else []:
        missing = own.without(_test_metrics(run))
        if not missing.names:
            continue
        wanted = experiment if run is here else experiment.teacher_experiment()
        try:
            with run.locked():
                _evaluate_and_add(wanted, run, missing, folder, device)
        except LabError as error:
            note(f"{run.folder} stays without {', '.join(missing.names)}: {error}")


def _with_teacher(experiment: Experiment, here: Run) -> list[Run]:
    """A finished run, after its teacher's run if the teacher was trained here and is done."""
    if not experiment.needs_teacher_run:
        return [here]
    teacher = Run(here.folder.parent / experiment.teacher_experiment().run_name())
    return [teacher, here] if teacher.status == "done" else [here]


def _test_metrics(run: Run) -> set[str]:
    rows = run.results()
    return set(rows.loc[rows["split"] == "test", "metric"])


def _evaluate_and_add(experiment: Experiment, run: Run, own: OwnMeasures, folder: Path, device: torch.device) -> None:
    student = run.load_model(device)
    teacher = None if experiment.method == "teacher" else load_teacher(experiment, folder=folder).to(device)
    prepare_networks(student, teacher, experiment.image_size, device)  # as in training, to the same digits
    splits: tuple[Split, ...] = ("val", "test")
    added = {}
    for split in splits:
        dataset = experiment.dataset(split)
        table = measure(experiment, student, teacher, dataset, split=split, own=own, device=device)
        added[split] = table[table["metric"].isin(own.names)]
    add_to_metrics(run, added)


def add_to_metrics(run: Run, added: Mapping[Split, pd.DataFrame]) -> None:
    """Add measures of the selected checkpoint to ``metrics.csv`` of a finished run, which must be locked.

    Parameters
    ----------
    run : Run
        The run.
    added : mapping
        Rows ``group``, ``metric`` and ``value`` by split; they replace those of the same group and metric.
    """
    known = run.results()
    step, epoch = (int(known[name].iloc[0]) for name in ("step", "epoch"))
    metrics = MetricsFile(run.folder / METRICS, int(run.metrics()["step"].max()))
    for split, table in added.items():
        if len(table):
            metrics.add(step, epoch, split, table)
