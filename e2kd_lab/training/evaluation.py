"""Evaluation of a student against its teacher: a table with one row per image, and averages of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.loading import eval_loader
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import Explanation, explain_in_parts
from e2kd_lab.metrics import Grouping, dead_maps, explanation_cosine, group_accuracy, group_means
from e2kd_lab.metrics.groups import AVERAGES, WATERBIRDS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.training.logit_collector import LogitCollector
from e2kd_lab.training.preserved_state import modes_preserved


def outcomes(
    student: ExplainableModel,
    teacher: ExplainableModel | None,
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 256,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
    collector: LogitCollector | None = None,
) -> pd.DataFrame:
    """Predictions and explanation similarity of each image of a data set.

    Student and teacher explain the class that the teacher predicts (Eq. 3).

    Parameters
    ----------
    student, teacher : ExplainableModel
        The networks, on ``device``. They are evaluated in evaluation mode and keep their own. Without a teacher, its
        columns are missing.
    dataset : Dataset
        Samples with ``image``, ``label``, ``index`` and optionally ``group``.
    device, batch_size, workers
        How to compute; they do not change the result.
    rank, world_size : int
        This process and the number of processes: each evaluates every ``world_size``-th image, and all get the whole
        table.
    collector : LogitCollector, optional
        Receives the logits; with several processes, rank 0 gets all of them.

    Returns
    -------
    DataFrame
        One row per image, in order: ``index``, ``label``, ``group`` (-1 without groups), ``prediction``; with a teacher
        ``teacher_prediction``, ``explanation_cosine`` in [-1, 1], ``dead_map``.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> images = [{"image": torch.rand(3, 32, 32), "label": 0, "index": index} for index in range(2)]
    >>> outcomes(lab.build_model("resnet_mini", 2), None, images)["group"].tolist()
    [-1, -1]
    """

    def columns(batch: dict[str, Tensor], outputs: Outputs) -> dict[str, Tensor]:
        groups = batch["group"] if "group" in batch else torch.full_like(batch["label"], -1)
        found = {"index": batch["index"], "label": batch["label"], "group": groups}
        found["prediction"] = outputs.logits.argmax(1)
        if outputs.teacher is not None:
            found["teacher_prediction"] = outputs.teacher.classes
            found["explanation_cosine"] = explanation_cosine(outputs.maps, outputs.teacher.maps)
            found["dead_map"] = dead_maps(outputs.maps)
        return found

    batches = eval_loader(dataset, batch_size, rank=rank, world_size=world_size, workers=workers)
    table = tabulated(student, teacher, batches, columns, device=device, world_size=world_size, collector=collector)
    return table.sort_values("index", ignore_index=True)


class Outputs(NamedTuple):
    """What both networks return for a batch of N images.

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on the device.
    logits : Tensor
        The student's, (N, K).
    maps : Tensor
        The student's explanations of the classes that the teacher predicts, (N, C, H, W); empty without a teacher.
    teacher : Explanation or None
        The teacher's logits, predictions and explanations.
    """

    images: Tensor
    logits: Tensor
    maps: Tensor
    teacher: Explanation | None


@torch.no_grad()
def tabulated(
    student: ExplainableModel,
    teacher: ExplainableModel | None,
    batches: Any,
    columns: Callable[[dict[str, Tensor], Outputs], dict[str, Tensor]],
    *,
    device: torch.device | str,
    world_size: int,
    collector: LogitCollector | None,
) -> pd.DataFrame:
    """Run both networks over all batches and put the columns of each batch into one table, of all processes.

    Parameters
    ----------
    batches : iterable of dict
        This process's share of the data set.
    columns : callable
        From a batch and the networks' `Outputs`: columns of equal shape, on any device.
    """
    parts = []
    with modes_preserved(*(network for network in (student, teacher) if network is not None)):
        student.eval()
        if teacher is not None:
            teacher.eval()
        for batch in batches:
            outputs = _outputs(student, teacher, as_unit_range(batch["image"].to(device, non_blocking=True)))
            if collector is not None:
                teacher_logits = None if outputs.teacher is None else outputs.teacher.logits
                collector.add(batch["index"], batch["label"], outputs.logits, teacher_logits)
            found = columns(batch, outputs)
            parts.append(pd.DataFrame({name: column.cpu().flatten().numpy() for name, column in found.items()}))
    if collector is not None:
        collector.gather(world_size)
    if world_size > 1:
        everyone: list[Any] = [None] * world_size
        torch.distributed.all_gather_object(everyone, parts)
        parts = [part for share in everyone for part in share]
    return pd.concat(parts, ignore_index=True)


def _outputs(student: ExplainableModel, teacher: ExplainableModel | None, images: Tensor) -> Outputs:
    if teacher is None:
        return Outputs(images, student(student.preprocess(images)), images.new_empty(0), None)
    target = explain_in_parts(teacher, images)
    explained = explain_in_parts(student, images, target.classes)
    return Outputs(images, explained.logits, explained.maps, target)


def measures(table: pd.DataFrame, grouping: Grouping = WATERBIRDS, classes: Grouping | None = None) -> pd.DataFrame:
    """Averages of `outcomes` over all images and over groups.

    Parameters
    ----------
    table : DataFrame
        From `outcomes`.
    grouping : Grouping
        Names of the groups; those of Waterbirds by default.
    classes : Grouping, optional
        Names of the classes; adds the accuracy of each class.

    Returns
    -------
    DataFrame
        Columns ``group`` (see `e2kd_lab.metrics.group_means`), ``metric``, ``value``: ``accuracy``, ``agreement`` and
        ``dead_map_rate`` in percent, ``explanation_cosine`` in [-1, 1]. With ``classes`` also ``accuracy`` of each
        class that has images, under its name, and their mean, ``balanced_accuracy``, in percent.

    Examples
    --------
    >>> measures(pd.DataFrame({"label": [0, 1], "group": [-1, -1], "prediction": [0, 0]}))
      group    metric  value
    0   all  accuracy   50.0
    """
    groups = torch.tensor(table["group"].to_numpy()) if (table["group"] >= 0).all() else None
    columns = {"accuracy": 100.0 * (table["prediction"] == table["label"])}
    if "teacher_prediction" in table:
        columns["agreement"] = 100.0 * (table["prediction"] == table["teacher_prediction"])
        columns["explanation_cosine"] = table["explanation_cosine"]
        columns["dead_map_rate"] = 100.0 * table["dead_map"]
    rows = [
        {"group": group, "metric": metric, "value": value}
        for metric, column in columns.items()
        for group, value in group_means(torch.tensor(column.to_numpy(dtype=float)), groups, grouping).items()
        # "worst" is the group with the lowest value, which for dead maps would be the best one.
        if (metric, group) != ("dead_map_rate", "worst")
    ]
    return pd.DataFrame(rows + _class_accuracies(table, classes), columns=["group", "metric", "value"])


def _class_accuracies(table: pd.DataFrame, classes: Grouping | None) -> list[dict[str, Any]]:
    if classes is None:
        return []
    predictions, labels = (torch.tensor(table[name].to_numpy()) for name in ("prediction", "label"))
    shares = group_accuracy(predictions, labels, labels, classes)
    own = [
        {"group": name, "metric": "accuracy", "value": 100.0 * share}
        for name, share in shares.items()
        if name not in AVERAGES
    ]
    return [*own, {"group": "all", "metric": "balanced_accuracy", "value": 100.0 * shares["mean"]}]
