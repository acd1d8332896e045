"""Example images for figures, explained by an experiment's teacher and students."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import Comparison, compare, compare_class
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import load_teacher


@dataclass(frozen=True)
class Examples:
    """A few test images, each with a class that it shows.

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    classes : Tensor
        (N,).
    titles : tuple of str
        Group or class of each image.
    boxes : tuple of Tensor
        Where an image may show several classes, boxes of the class in each image, (n, 4) in pixels; else empty.
    multilabel : bool
        Whether an image may show several classes.
    """

    images: Tensor
    classes: Tensor
    titles: tuple[str, ...]
    boxes: tuple[Tensor, ...] = ()
    multilabel: bool = False

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, places: slice) -> Examples:
        """Some of the examples, in this order."""
        return Examples(
            self.images[places], self.classes[places], self.titles[places], self.boxes[places], self.multilabel
        )

    def explained_by(self, networks: Mapping[str, ExplainableModel]) -> Comparison:
        """Explanations by several networks (see `networks_of`) of the teacher's prediction.

        Where an image may show several classes, of the class that stands here.
        """
        if self.multilabel:
            return compare_class(networks, self.images, self.classes, self.titles, self.boxes)
        return compare(networks, self.images, self.classes, self.titles)


def examples_of(experiment: Experiment, count: int = 8) -> Examples:
    """Images spread over the test split.

    Parameters
    ----------
    experiment : Experiment
        Gives the images.
    count : int
        Number of images: equally many of each group, or each of another class where there are no groups.
    """
    if experiment.multilabel:
        return examples_of_classes(experiment, count=count)
    dataset = experiment.dataset("test")
    grouping = experiment.grouping()
    parts = np.asarray(dataset.labels if grouping is None else dataset.groups)  # type: ignore[attr-defined]
    classes = [name.replace("_", " ") for name in experiment.classes()]
    titles = classes if grouping is None else [grouping.title(number) for number in range(len(grouping.names))]
    samples = [dataset[index] for index in _spread(parts, count)]
    return Examples(
        as_unit_range(torch.stack([sample["image"] for sample in samples])),
        torch.tensor([sample["label"] for sample in samples]),
        tuple(titles[sample["label" if grouping is None else "group"]] for sample in samples),
    )


def examples_of_classes(experiment: Experiment, *, classes: Sequence[int] | None = None, count: int = 8) -> Examples:
    """Test images that show given classes, with boxes of their objects.

    Parameters
    ----------
    experiment : Experiment
        Gives the images.
    classes : sequence of int, optional
        The classes to walk through; all by default.
    count : int
        Largest number of examples.
    """
    dataset, names = experiment.dataset_with_objects("test"), experiment.classes()
    chosen = range(len(names)) if classes is None else classes
    showing = {number: dataset.labels[:, number].nonzero()[:, 0].tolist() for number in chosen}
    # One of each class, then a second one of each, and so on.
    turns = itertools.zip_longest(*([(number, index) for index in showing[number]] for number in chosen))
    pairs = [pair for turn in turns for pair in turn if pair is not None][:count]
    samples = [dataset[index] for _, index in pairs]
    size = experiment.image_size
    return Examples(
        as_unit_range(torch.stack([sample["image"] for sample in samples])) if pairs else torch.zeros(0, 3, size, size),
        torch.tensor([number for number, _ in pairs], dtype=torch.int64),
        tuple(names[number] for number, _ in pairs),
        tuple(
            sample["boxes"][sample["box_labels"] == number] for (number, _), sample in zip(pairs, samples, strict=True)
        ),
        multilabel=True,
    )


def explained_examples(
    experiment: Experiment, runs: Sequence[Run], *, count: int = 8, folder: Path | str | None = None
) -> Comparison:
    """Images spread over the test split (see `examples_of`), explained by teacher and students.

    Parameters
    ----------
    experiment : Experiment
        Gives the images and the teacher.
    runs : sequence of Run
        Finished runs of students, one a method, in the order of the columns.
    count : int
        Number of images.
    folder : Path or str, optional
        Folder of runs; the workspace's by default.
    """
    return examples_of(experiment, count).explained_by(networks_of(experiment, runs, folder))


def networks_of(
    experiment: Experiment, runs: Sequence[Run], folder: Path | str | None = None
) -> dict[str, ExplainableModel]:
    """The experiment's ``teacher``, then students of finished runs, named after their methods.

    All are explained as the experiment says, where it does.
    """
    students = {run.config["method"]: experiment.with_explanation(run.load_model()) for run in runs}
    return {"teacher": load_teacher(experiment, folder=folder), **students}


def _spread(parts: np.ndarray, count: int) -> list[int]:
    """Indices of ``count`` images, spread evenly over the parts and within each part."""
    present = np.unique(parts)
    chosen = [present[number * len(present) // count] for number in range(count)]
    indices = []
    for part, wanted in zip(*np.unique(chosen, return_counts=True), strict=True):
        members = np.flatnonzero(parts == part)
        indices += [int(members[len(members) * place // (wanted + 1)]) for place in range(1, wanted + 1)]
    return indices
