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
    experiment: Experiment, runs: Sequence[Run], *, count: int = 8, folder: Path | str | None = None
) -> Comparison:
    """Images from all over the test split, of each group or of several classes, explained by teacher and students.

    Parameters
    ----------
    experiment : Experiment
        Gives the images and the teacher.
    runs : sequence of Run
        Finished runs of students, one a method, in the order of the columns.
    count : int
        Number of images: as many of each Waterbirds group, or each of another class.
    folder : Path or str, optional
        Where runs lie.
    """
    dataset = experiment.dataset("test")
    grouped = hasattr(dataset, "groups")
    parts = np.asarray(dataset.groups if grouped else dataset.labels)  # type: ignore[attr-defined]
    titles = [GROUP_TITLES[group] for group in GROUPS] if grouped else list(experiment.classes())
    samples = [dataset[index] for index in _spread(parts, count)]
    models = {"teacher": load_teacher(experiment, folder=folder)}
    models |= {run.config["method"]: run.load_model() for run in runs}
    return compare(
        models,
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([sample["label"] for sample in samples]),
        tuple(titles[sample["group" if grouped else "label"]] for sample in samples),
    )


def _spread(parts: np.ndarray, count: int) -> list[int]:
    """Indices of ``count`` images, as evenly as can be over the parts and within each of them."""
    present = np.unique(parts)
    chosen = [present[number * len(present) // count] for number in range(count)]
    indices = []
    for part, wanted in zip(*np.unique(chosen, return_counts=True), strict=True):
        members = np.flatnonzero(parts == part)
        indices += [int(members[len(members) * place // (wanted + 1)]) for place in range(1, wanted + 1)]
    return indices
