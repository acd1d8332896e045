"""Evaluation where an image may show several classes: what is decided, and where the evidence for each class lies."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.loading import eval_loader
from e2kd_lab.data.transforms import as_unit_range
from e2kd_lab.explanations import evidence_maps, explain_in_parts
from e2kd_lab.metrics import (
    dead_maps,
    energy_pointing_game,
    explanation_cosine,
    explanation_iou,
    multilabel_f1,
)
from e2kd_lab.models import ExplainableModel
from e2kd_lab.training.evaluation import look_at
from e2kd_lab.training.kept_logits import KeptLogits

IOU_THRESHOLD = 0.05  # of the paper's Table 4


@torch.no_grad()
def multilabel_outcomes(
    student: ExplainableModel,
    teacher: ExplainableModel | None,
    dataset: Dataset,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
    every_class: bool = False,
    kept: KeptLogits | None = None,
) -> pd.DataFrame:
    """What student and teacher decide about each class of each image, and where the student sees the classes present.

    Evidence is the contribution of each pixel to the class's logit for B-cos networks, GradCAM for standard ones.
    Teacher and student are compared on the class with the teacher's highest logit, as in Eq. 3; on request also on
    every class present, for which the teacher must explain each of them.

    Parameters
    ----------
    student, teacher : ExplainableModel
        The networks, on ``device``; evaluated in evaluation mode, their mode is restored. Without a teacher the columns
        about it are missing.
    dataset : Dataset
        Samples with ``image``, ``label`` (C,), ``box_mask`` (C, H, W) and ``index``.
    device, batch_size, workers
        How to compute; they do not change what is computed.
    rank, world_size : int
        Evaluate every ``world_size``-th image only; the processes' tables are put together.
    every_class : bool
        Compare explanations of every class present, too.
    kept : KeptLogits, optional
        Receives the logits, those of all processes on the first one.

    Returns
    -------
    DataFrame
        One row an image and class, in order: ``index``, ``class``, ``label``, ``prediction`` (logit >= 0), ``top`` (the
        class with the highest logit), ``epg`` and ``iou`` (in [0, 1], of present classes only); with a teacher
        ``teacher_prediction``, ``teacher_top``, and on the latter's row ``explanation_cosine`` and ``dead_map``; with
        ``every_class`` and a teacher ``class_cosine``, in [-1, 1], of present classes only.
    """

    def look(batch: dict[str, Tensor]) -> pd.DataFrame:
        images = as_unit_range(batch["image"].to(device, non_blocking=True))
        masks = batch["box_mask"].to(device)
        return _batch(student, teacher, images, batch["label"], masks, batch["index"], every_class, kept)

    batches = eval_loader(dataset, batch_size, rank=rank, world_size=world_size, workers=workers)
    table = look_at(batches, [student, teacher], look, world_size=world_size)
    if kept is not None:
        kept.gather(world_size)
    return table.sort_values(["index", "class"], ignore_index=True)


def multilabel_measures(table: pd.DataFrame) -> pd.DataFrame:
    """Averages of `multilabel_outcomes`.

    Returns
    -------
    DataFrame
        Columns ``group`` (always ``all``), ``metric``, ``value``: micro ``f1``, ``epg`` and ``iou`` (means over the
        classes present in each image), ``agreement`` (images whose highest logit is the teacher's class) and
        ``dead_map_rate`` in percent, ``explanation_cosine`` in [-1, 1].
    """
    decided, shown = (torch.tensor(table[[name]].to_numpy(dtype=float)) for name in ("prediction", "label"))
    values = {
        "f1": 100.0 * multilabel_f1(2 * decided - 1, shown),  # a decision as a logit: 1 or -1
        "epg": 100.0 * table["epg"].mean(),
        "iou": 100.0 * table["iou"].mean(),
    }
    if "teacher_top" in table:
        compared = table[table["teacher_top"]]
        values["agreement"] = 100.0 * compared["top"].mean()
        values["explanation_cosine"] = compared["explanation_cosine"].mean()
        values["dead_map_rate"] = 100.0 * compared["dead_map"].mean()
    return pd.DataFrame({"group": "all", "metric": list(values), "value": list(values.values())})


def _batch(
    student: ExplainableModel,
    teacher: ExplainableModel | None,
    images: Tensor,
    labels: Tensor,
    masks: Tensor,
    index: Tensor,
    every_class: bool,
    kept: KeptLogits | None,
) -> pd.DataFrame:
    count, classes = labels.shape
    columns = {"index": index[:, None].expand(count, classes), "class": torch.arange(classes).expand(count, classes)}
    columns["label"] = labels > 0
    target = None
    if teacher is None:
        logits = student(student.preprocess(images))
    else:
        target = explain_in_parts(teacher, images)
        own = explain_in_parts(student, images, target.classes)
        logits, compared = own.logits, (torch.arange(count), target.classes.cpu())
        columns["teacher_prediction"] = target.logits >= 0
        columns["teacher_top"] = _at(compared, True, columns["label"].new_zeros(count, classes))
        cosine = explanation_cosine(own.maps, target.maps).cpu().double()
        columns["explanation_cosine"] = _at(compared, cosine, torch.full((count, classes), torch.nan).double())
        columns["dead_map"] = _at(compared, dead_maps(own.maps).cpu(), columns["label"].new_zeros(count, classes))
    if kept is not None:
        kept.add(index, labels, logits, None if target is None else target.logits)
    columns["prediction"] = logits >= 0
    columns["top"] = _at(
        (torch.arange(count), logits.argmax(1).cpu()), True, columns["label"].new_zeros(count, classes)
    )
    rows, present = columns["label"].nonzero(as_tuple=True)
    where = (rows, present)
    shown, named = images[rows.to(images.device)], present.to(images.device)
    explained = explain_in_parts(student, shown, named).maps
    maps = evidence_maps(student, shown, explained)
    inside = masks[rows.to(masks.device), present.to(masks.device)]
    nowhere = torch.full((count, classes), torch.nan).double()
    columns["epg"] = _at(where, energy_pointing_game(maps, inside).cpu().double(), nowhere)
    columns["iou"] = _at(where, explanation_iou(maps, inside, IOU_THRESHOLD).cpu().double(), nowhere)
    if every_class and teacher is not None:
        cosine = explanation_cosine(explained, explain_in_parts(teacher, shown, named).maps)
        columns["class_cosine"] = _at(where, cosine.cpu().double(), nowhere)
    return pd.DataFrame({name: column.cpu().flatten().numpy() for name, column in columns.items()})


def _at(where: tuple[Tensor, Tensor], values: Tensor | bool, otherwise: Tensor) -> Tensor:
    filled = otherwise.clone()
    filled[where] = torch.as_tensor(values, dtype=filled.dtype)
    return filled
