"""Attention transfer (AT; Zagoruyko and Komodakis, ICLR 2017)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from e2kd_lab.losses import attention_transfer_loss
from e2kd_lab.methods.distiller import Batch
from e2kd_lab.methods.feature_distiller import FeatureDistiller
from e2kd_lab.methods.registry import register_method


@register_method("at", title="AT", colour="#009E73", grid={"lam": (10.0, 100.0, 1000.0)}, order=1)
class AttentionTransfer(FeatureDistiller):
    """The label loss plus ``lam`` times the distance of the stages' attention maps (Sec. C.2).

    Attributes
    ----------
    lam : float
        Weight of the feature loss, >= 0.
    """

    lam: float = 1000.0

    def setup(self) -> None:
        """See `Distiller.setup`: refuses networks without stages."""
        self.levels_of(self.student)
        self.levels_of(self.frozen_teacher)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``label_loss`` and ``feature_loss``."""
        own, other = self.stages(batch)
        count = min(len(own), len(other))
        features = attention_transfer_loss(
            [self.student.activate(stage) for stage in own[-count:]],
            [self.frozen_teacher.activate(stage) for stage in other[-count:]],
        )
        return self.with_labels(self.logits_of(own), batch.labels, features)
