"""Evaluation of images with several labels: decisions for each class, and where the evidence for it lies."""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from e2kd_lab.data.loading import eval_loader
from e2kd_lab.explanations import Explanation, evidence_maps, explain_in_parts
from e2kd_lab.metrics import (
    dead_maps,
    energy_pointing_game,
    explanation_cosine,
    explanation_iou,
    multilabel_f1,
)
from e2kd_lab.models import ExplainableModel
from e2kd_lab.training.evaluation import Outputs, tabulated
from e2kd_lab.training.logit_collector import LogitCollector

IOU_THRESHOLD = 0.05  # of the paper's Table 4


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
    collector: LogitCollector | None = None,
) -> pd.DataFrame:
    """Decisions for each class of each image, localisation of the classes present, and explanation similarity.

    Evidence is the contribution of each pixel to the class's logit for B-cos networks, GradCAM for standard ones.
    Student and teacher explain the class with the teacher's highest logit (Eq. 3); with ``every_class`` they are also
    compared on every class present, which costs a teacher's explanation of each.

    Parameters
    ----------
    student, teacher, device, batch_size, workers, rank, world_size, collector
        See `outcomes`.
    dataset : Dataset
        Samples with ``image``, ``label`` (C,), ``box_mask`` (C, H, W) and ``index``.
    every_class : bool
        Compare explanations of every class present, too.

    Returns
    -------
    DataFrame
        One row per image and class, in order: ``index``, ``class``, ``label``, ``prediction`` (logit >= 0), ``top``
        (the class with the highest logit), ``epg`` and ``iou`` (in [0, 1], of present classes only); with a teacher
        ``teacher_prediction``, ``teacher_top``, and on the latter's row ``explanation_cosine`` and ``dead_map``; with
        ``every_class`` and a teacher ``class_cosine``, in [-1, 1], of present classes only.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> sample = {"image": torch.rand(3, 32, 32), "label": torch.tensor([1.0, 0.0]), "index": 0}
    >>> sample["box_mask"] = torch.ones(2, 32, 32, dtype=torch.bool)
    >>> table = multilabel_outcomes(lab.build_model("bcos_resnet_mini", 2, logit_bias=0.0), None, [sample])
    >>> table[["index", "class", "label", "epg"]]
       index  class  label  epg
    0      0      0   True  1.0
    1      0      1  False  NaN
    """

    def columns(batch: dict[str, Tensor], outputs: Outputs) -> dict[str, Tensor]:
        present = batch["label"] > 0  # (N, K), as all columns
        found = {"index": batch["index"][:, None].expand_as(present)}
        found["class"] = torch.arange(present.shape[1]).expand_as(present)
        found["label"] = present
        if outputs.teacher is not None:
            found |= _comparison(outputs.maps, outputs.teacher)
        found["prediction"] = outputs.logits >= 0
        found["top"] = _one_hot(outputs.logits.argmax(1), present.shape[1])
        return found | _localisation(
            student, teacher if every_class else None, outputs.images, present, batch["box_mask"]
        )

    batches = eval_loader(dataset, batch_size, rank=rank, world_size=world_size, workers=workers)
    table = tabulated(student, teacher, batches, columns, device=device, world_size=world_size, collector=collector)
    return table.sort_values(["index", "class"], ignore_index=True)


def multilabel_measures(table: pd.DataFrame) -> pd.DataFrame:
    """Averages of `multilabel_outcomes`.

    Returns
    -------
    DataFrame
        Columns ``group`` (always ``all``), ``metric``, ``value``: micro ``f1``, ``epg`` and ``iou`` (means over the
        classes present in each image), ``agreement`` (images whose highest logit is the teacher's class) and
        ``dead_map_rate`` in percent, ``explanation_cosine`` in [-1, 1].

    Examples
    --------
    >>> table = pd.DataFrame({"label": [True, False], "prediction": [True, True], "epg": 0.5, "iou": [0.25, None]})
    >>> multilabel_measures(table).round(1)
      group metric  value
    0   all     f1   66.7
    1   all    epg   50.0
    2   all    iou   25.0
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


def _comparison(maps: Tensor, teacher: Explanation) -> dict[str, Tensor]:
    """The teacher's decisions, and the student's explanation of its top class against its own, (N, K) each."""
    top = _one_hot(teacher.classes, teacher.logits.shape[1])
    return {
        "teacher_prediction": teacher.logits >= 0,
        "teacher_top": top,
        "explanation_cosine": _filled(top, explanation_cosine(maps, teacher.maps)),
        "dead_map": top & dead_maps(maps)[:, None],
    }


def _localisation(
    student: ExplainableModel,
    teacher: ExplainableModel | None,
    images: Tensor,
    present: Tensor,
    masks: Tensor,
) -> dict[str, Tensor]:
    """EPG and IoU of the M classes present and, with a teacher, the cosine of both networks' maps, (N, K) each."""
    rows, classes = present.to(images.device).nonzero(as_tuple=True)  # (M,) each
    images, boxes = images[rows], masks.to(images.device)[rows, classes]
    maps = explain_in_parts(student, images, classes).maps
    evidence = evidence_maps(student, images, maps)
    found = {
        "epg": _filled(present, energy_pointing_game(evidence, boxes)),
        "iou": _filled(present, explanation_iou(evidence, boxes, IOU_THRESHOLD)),
    }
    if teacher is not None:
        found["class_cosine"] = _filled(
            present, explanation_cosine(maps, explain_in_parts(teacher, images, classes).maps)
        )
    return found


def _one_hot(classes: Tensor, count: int) -> Tensor:
    return F.one_hot(classes, count).bool()


def _filled(where: Tensor, values: Tensor) -> Tensor:
    """A float64 tensor (N, K) with the values in the True places, row by row, and nan elsewhere."""
    nowhere = torch.full(where.shape, torch.nan, dtype=torch.float64)
    return nowhere.masked_scatter(where.cpu(), values.cpu().double())
