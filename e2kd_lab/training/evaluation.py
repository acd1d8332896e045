"""Evaluation of a student beside its teacher: image by image first, then as measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from e2kd_lab.data.loading import eval_loader
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import explain_in_parts
from e2kd_lab.metrics import Grouping, dead_maps, explanation_cosine, group_accuracy, group_means
from e2kd_lab.metrics.groups import AVERAGES, WATERBIRDS
from e2kd_lab.models import ExplainableModel
from e2kd_lab.training.kept_logits import KeptLogits


@torch.no_grad()
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
    kept: KeptLogits | None = None,
) -> pd.DataFrame:
    """What student and teacher say about each image of a data set.

    Both explain the class that the teacher predicts, as in Eq. 3.

    Parameters
    ----------
    student, teacher : ExplainableModel
        The networks, on ``device``; evaluated in evaluation mode, their mode is restored. Without a teacher the columns
        about it are missing.
    dataset : Dataset
        Samples with ``image``, ``label``, ``index`` and optionally ``group``.
    device, batch_size, workers
        How to compute; they do not change what is computed.
    rank, world_size : int
        Evaluate every ``world_size``-th image only; the processes' tables are put together.
    kept : KeptLogits, optional
        Receives the logits, those of all processes on the first one.

    Returns
    -------
    DataFrame
        One row an image, in order: ``index``, ``label``, ``group`` (-1 without groups), ``prediction``; with a teacher
        ``teacher_prediction``, ``explanation_cosine``, ``dead_map``.
    """

    def look(batch: dict[str, Tensor]) -> pd.DataFrame:
        images = as_unit_range(batch["image"].to(device, non_blocking=True))
        columns: dict[str, Any] = {
            "index": batch["index"],
            "label": batch["label"],
            "group": batch["group"] if "group" in batch else torch.full_like(batch["label"], -1),
        }
        target = None
        if teacher is None:
            logits = student(student.preprocess(images))
            columns["prediction"] = logits.argmax(1)
        else:
            target = explain_in_parts(teacher, images)
            own = explain_in_parts(student, images, target.classes)
            logits = own.logits
            columns["prediction"] = logits.argmax(1)
            columns["teacher_prediction"] = target.classes
            columns["explanation_cosine"] = explanation_cosine(own.maps, target.maps)
            columns["dead_map"] = dead_maps(own.maps)
        if kept is not None:
            kept.add(batch["index"], batch["label"], logits, None if target is None else target.logits)
        return pd.DataFrame({name: np.asarray(column.cpu()) for name, column in columns.items()})

    batches = eval_loader(dataset, batch_size, rank=rank, world_size=world_size, workers=workers)
    table = look_at(batches, [student, teacher], look, world_size=world_size)
    if kept is not None:
        kept.gather(world_size)
    return table.sort_values("index", ignore_index=True)


def look_at(
    batches: Iterable[dict[str, Tensor]],
    networks: Sequence[nn.Module | None],
    look: Callable[[dict[str, Tensor]], pd.DataFrame],
    *,
    world_size: int = 1,
) -> pd.DataFrame:
    """The rows that ``look`` gives for each batch, of all processes, with the networks in evaluation mode meanwhile."""
    present = [network for network in networks if network is not None]
    modes = [network.training for network in present]
    for network in present:
        network.eval()
    parts = [look(batch) for batch in batches]
    for network, mode in zip(present, modes, strict=True):
        network.train(mode)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if world_size > 1:
        gathered: list[Any] = [None] * world_size
        torch.distributed.all_gather_object(gathered, table)
        table = pd.concat(gathered)
    return table


def measures(table: pd.DataFrame, grouping: Grouping = WATERBIRDS, classes: Grouping | None = None) -> pd.DataFrame:
    """Averages of `outcomes` over all images and over groups.

    Parameters
    ----------
    table : DataFrame
        Of `outcomes`.
    grouping : Grouping
        What the numbers of groups mean; Waterbirds' by default.
    classes : Grouping, optional
        Names of the classes, to measure the accuracy on each of them, too.

    Returns
    -------
    DataFrame
        Columns ``group`` (see `e2kd_lab.metrics.group_means`), ``metric``, ``value``: ``accuracy``, ``agreement`` and
        ``dead_map_rate`` in percent, ``explanation_cosine`` in [-1, 1]. With ``classes`` also ``accuracy`` of each
        class that has images, under its name, and ``balanced_accuracy``, their mean, in percent.
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
        # The worst group is the one with the lowest value; of dead maps that would be the best one.
        if (metric, group) != ("dead_map_rate", "worst")
    ]
    return pd.DataFrame(rows + _of_classes(table, classes), columns=["group", "metric", "value"])


def _of_classes(table: pd.DataFrame, classes: Grouping | None) -> list[dict[str, Any]]:
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
