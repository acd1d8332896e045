"""The input of custom metrics: logits, labels, groups, and a table with a row per image."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from torch import Tensor


@dataclass(frozen=True)
class Predictions:
    """Predictions of a student and its teacher on a split, in the order of the data set.

    Attributes
    ----------
    logits : Tensor
        The student's, float32 on the CPU, (N, K).
    labels : Tensor
        Class indices, (N,); 0 and 1, (N, K), for multi-label data.
    teacher_logits : Tensor or None
        The teacher's, (N, K); None for a teacher itself.
    groups : Tensor or None
        Group of each image, integers, (N,); None for data without groups.
    table : DataFrame
        A row per image, see `e2kd_lab.training.outcomes`; for multi-label data a row per image and class, see
        `e2kd_lab.training.multilabel_outcomes`.

    Examples
    --------
    >>> import torch
    >>> predictions = Predictions(torch.eye(3), torch.arange(3), None, None, pd.DataFrame({"index": range(3)}))
    >>> predictions.of(torch.tensor([True, False, True])).labels
    tensor([0, 2])
    """

    logits: Tensor
    labels: Tensor
    teacher_logits: Tensor | None
    groups: Tensor | None
    table: pd.DataFrame

    def of(self, chosen: Tensor) -> Predictions:
        """The predictions on some of the images; ``chosen`` is boolean, (N,)."""
        rows_per_image = len(self.table) // max(1, len(self.logits))
        rows = chosen.repeat_interleave(rows_per_image).numpy()
        return Predictions(
            self.logits[chosen],
            self.labels[chosen],
            None if self.teacher_logits is None else self.teacher_logits[chosen],
            None if self.groups is None else self.groups[chosen],
            self.table[rows].reset_index(drop=True),
        )
