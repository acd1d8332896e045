"""A few test images explained by the teacher and the students of an experiment, for figures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.execute import load_teacher
from e2kd_lab.experiments import Experiment, VocExperiment
from e2kd_lab.explain import Comparison, compare, compare_class
from e2kd_lab.metrics.groups import GROUP_TITLES, GROUPS
from e2kd_lab.models import ExplainableModel
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
    return compare(
        networks_of(experiment, runs, folder),
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([sample["label"] for sample in samples]),
        tuple(titles[sample["group" if grouped else "label"]] for sample in samples),
    )


def focused_examples(
    experiment: VocExperiment,
    networks: Mapping[str, ExplainableModel],
    *,
    classes: Sequence[int] | None = None,
    count: int = 8,
    skip: int = 0,
) -> Comparison:
    """Test images that show given classes, each explained for one of them, with the boxes of its objects.

    Parameters
    ----------
    experiment : Experiment
        Gives the images, where an image may show several classes.
    networks : mapping
        Teacher and students by name, see `networks_of`.
    classes : sequence of int, optional
        The classes to walk through; all by default.
    count, skip : int
        Number of examples, and how many to leave out before them; fewer are returned where there are no more.
    """
    dataset, names = experiment.located("test"), experiment.classes()
    chosen = range(len(names)) if classes is None else classes
    showing = {number: dataset.labels[:, number].nonzero()[:, 0].tolist() for number in chosen}
    # One of each class, then a second one of each, and so on.
    turns = itertools.zip_longest(*([(number, index) for index in showing[number]] for number in chosen))
    pairs = [pair for turn in turns for pair in turn if pair is not None][skip : skip + count]
    if not pairs:
        return Comparison(torch.zeros(0, 3, 1, 1), {}, {})
    samples = [dataset[index] for _, index in pairs]
    return compare_class(
        networks,
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([number for number, _ in pairs]),
        tuple(names[number] for number, _ in pairs),
        tuple(
            sample["boxes"][sample["box_labels"] == number] for (number, _), sample in zip(pairs, samples, strict=True)
        ),
    )


def networks_of(
    experiment: Experiment, runs: Sequence[Run], folder: Path | str | None = None
) -> dict[str, ExplainableModel]:
    """The experiment's teacher by the name ``teacher``, then the students of finished runs by their methods."""
    students = {run.config["method"]: run.load_model() for run in runs}
    return {"teacher": load_teacher(experiment, folder=folder), **students}


def _spread(parts: np.ndarray, count: int) -> list[int]:
    """Indices of ``count`` images, as evenly as can be over the parts and within each of them."""
    present = np.unique(parts)
    chosen = [present[number * len(present) // count] for number in range(count)]
    indices = []
    for part, wanted in zip(*np.unique(chosen, return_counts=True), strict=True):
        members = np.flatnonzero(parts == part)
        indices += [int(members[len(members) * place // (wanted + 1)]) for place in range(1, wanted + 1)]
    return indices
