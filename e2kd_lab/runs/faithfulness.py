"""Faithfulness of a student's explanations on images of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from e2kd_lab.data.splits import Split
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.experiments import Experiment
from e2kd_lab.explanations import faithfulness, grid_pointing, randomisation_cascade
from e2kd_lab.metrics import group_means
from e2kd_lab.metrics.groups import WATERBIRDS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.own_measures import add_to_metrics
from e2kd_lab.system.errors import ExperimentError, LabError, note
from e2kd_lab.training.hardware import on_device


@dataclass(frozen=True)
class Measured:
    """Measures of faithfulness.

    Attributes
    ----------
    values : dict
        A value per image, or per cell of GridPG, by measure.
    groups : Tensor or None
        Group of each image, where the data have groups.
    count : int
        Number of images.
    """

    values: dict[str, Tensor]
    groups: Tensor | None
    count: int


def measure_faithfulness(
    experiment: Experiment, student: ExplainableModel, *, split: Split = "test", count: int = 128, device: str = "auto"
) -> Measured:
    """Measure whether a student's explanations are faithful, on evenly spaced images of a split.

    Parameters
    ----------
    experiment : Experiment
        Gives the images.
    student : ExplainableModel
        The network; in evaluation mode afterwards.
    split : str
        ``train``, ``val`` or ``test``.
    count : int
        Number of images.
    device : str
        Where to compute.

    Returns
    -------
    Measured
        The measures of `e2kd_lab.explanations.faithfulness`, both similarities after randomisation of all layers, and
        GridPG. GridPG that cannot be measured is left out, with a note.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> experiment = lab.experiments.get("waterbirds", "lab")
    >>> measure_faithfulness(experiment, lab.Run("runs/RUN").load_model()).values  # doctest: +SKIP
    """
    dataset: Any = experiment.dataset(split)
    chosen = torch.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().long().tolist()
    samples = [dataset[place] for place in chosen]
    with on_device(device, student) as where:
        student.eval()
        images = as_unit_range(torch.stack([sample["image"] for sample in samples]).to(where))
        values = faithfulness(student, images)
        cascade = randomisation_cascade(student, images)
        last = cascade[cascade["layer"] == cascade["layer"].iloc[-1]]
        for column in ("cosine", "rank_correlation"):
            values[f"randomised_{column}"] = torch.tensor(last[column].to_numpy())
        if not experiment.multilabel:
            values |= _grid_pointing(student, images, torch.tensor([int(sample["label"]) for sample in samples]))
    groups = [int(sample.get("group", -1)) for sample in samples]
    return Measured(values, torch.tensor(groups) if min(groups) >= 0 else None, len(samples))


def keep_faithfulness(run: Run, experiment: Experiment, measured: Measured, *, split: Split = "test") -> None:
    """Add means over images and over their groups to a run's ``metrics.csv``, so that tables have their columns.

    The number of images is added, too, as ``faithfulness_images``.

    A run that cannot be written to stays as it is, with a note.

    Parameters
    ----------
    run, experiment : Run, Experiment
        A finished run and its experiment.
    measured, split
        What was measured, and the split of the images.

    Examples
    --------
    >>> keep_faithfulness(run, experiment, measured)  # doctest: +SKIP
    """
    try:
        with run.locked():
            add_to_metrics(run, {split: _means(experiment, measured)})
    except LabError as error:
        note(f"{run.folder} stays without its measures of faithfulness: {error}")


def _grid_pointing(student: ExplainableModel, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    measured = {}
    for side in (2, 3):
        try:
            values = grid_pointing(student, images, labels, side=side)
        except ExperimentError as error:
            note(f"GridPG is left out: {error}")
            break
        if len(values):
            measured[f"gridpg_{side}x{side}"] = values
        else:
            note(f"GridPG {side}x{side} is left out: too few classes with images that are classified confidently.")
    return measured


def _means(experiment: Experiment, measured: Measured) -> pd.DataFrame:
    """Means over images and, where each image has a value, over their groups: ``group``, ``metric``, ``value``."""
    rows, groups = [], measured.groups
    for metric, values in measured.values.items():
        defined = ~values.isnan().cpu()
        if not defined.any():
            continue
        of_images = groups[defined] if groups is not None and len(groups) == len(values) else None
        means = group_means(values.cpu()[defined], of_images, experiment.grouping() or WATERBIRDS)
        # The worst group of the lab is that of the lowest value, which is not the worst of each measure.
        rows += [{"group": k, "metric": metric, "value": value} for k, value in means.items() if k != "worst"]
    rows.append({"group": "all", "metric": "faithfulness_images", "value": measured.count})
    return pd.DataFrame(rows, columns=["group", "metric", "value"])
