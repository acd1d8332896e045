"""Logits of a whole data set, collected during evaluation for own measures."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from e2kd_lab.metrics import Predictions


class LogitCollector:
    """Collects logits of student and teacher batch by batch, in float32 on the CPU.

    Examples
    --------
    >>> collector = LogitCollector()
    >>> collector.add(torch.tensor([1, 0]), torch.tensor([3, 2]), torch.zeros(2, 4))
    >>> collector.predictions(pd.DataFrame({"index": [0, 1]})).labels
    tensor([2, 3])
    """

    def __init__(self) -> None:
        self._batches: list[dict[str, Tensor]] = []

    def add(self, index: Tensor, labels: Tensor, logits: Tensor, teacher_logits: Tensor | None = None) -> None:
        """Add a batch.

        Parameters
        ----------
        index, labels : Tensor
            Index in the data set, (N,), and labels, (N,) or (N, K).
        logits, teacher_logits : Tensor
            (N, K), on any device; None without a teacher.
        """
        batch = {"index": index.cpu(), "labels": labels.cpu(), "logits": logits.to("cpu", torch.float32)}
        if teacher_logits is not None:
            batch["teacher_logits"] = teacher_logits.to("cpu", torch.float32)
        self._batches.append(batch)

    def gather(self, world_size: int) -> None:
        """Gather the batches of all processes on rank 0."""
        if world_size > 1:
            gathered: list[Any] | None = [None] * world_size if torch.distributed.get_rank() == 0 else None
            torch.distributed.gather_object(self._batches, gathered, dst=0)
            self._batches = [batch for batches in gathered or [] for batch in batches]

    def predictions(self, table: pd.DataFrame) -> Predictions:
        """All logits in the order of the data set, as own measures receive them.

        Parameters
        ----------
        table : DataFrame
            Outcomes of the images, sorted by index.
        """
        order = torch.cat([batch["index"] for batch in self._batches]).argsort()
        joined = {name: torch.cat([batch[name] for batch in self._batches])[order] for name in self._batches[0]}
        grouped = "group" in table and (table["group"] >= 0).all()
        groups = torch.tensor(table["group"].to_numpy()) if grouped else None
        return Predictions(joined["logits"], joined["labels"], joined.get("teacher_logits"), groups, table)
