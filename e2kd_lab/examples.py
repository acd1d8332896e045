"""A few test images explained by the teacher and the students of an experiment, for figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.execute import load_teacher
from e2kd_lab.experiments import Experiment
from e2kd_lab.explain import Comparison, compare
from e2kd_lab.metrics.groups import GROUP_TITLES, GROUPS
from e2kd_lab.runs import Run


def explained_examples(
    experiment: Experiment, runs: Sequence[Run], *, per_group: int = 2, folder: Path | str | None = None
) -> Comparison:
    """Images of each Waterbirds group, from all over the test split, explained by teacher and students.

    Parameters
    ----------
    experiment : Experiment
        Gives the images and the teacher.
    runs : sequence of Run
        Finished runs of students, one a method, in the order of the columns.
    per_group : int
        Images of each group.
    folder : Path or str, optional
        Where runs lie.
    """
    dataset = experiment.dataset("test")
    groups = np.asarray(dataset.groups)  # type: ignore[attr-defined]
    members = [np.flatnonzero(groups == number) for number in range(len(GROUPS))]
    parts = range(1, per_group + 1)
    indices = [int(group[len(group) * part // (per_group + 1)]) for group in members for part in parts]
    samples = [dataset[index] for index in indices]
    models = {"teacher": load_teacher(experiment, folder=folder)}
    models |= {run.config["method"]: run.load_model() for run in runs}
    return compare(
        models,
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([sample["label"] for sample in samples]),
        tuple(GROUP_TITLES[GROUPS[sample["group"]]] for sample in samples),
    )
