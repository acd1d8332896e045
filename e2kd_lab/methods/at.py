"""Attention transfer (AT; Zagoruyko and Komodakis, ICLR 2017)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from e2kd_lab.losses import attention_transfer_loss
from e2kd_lab.methods.batch import Batch
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
        for model in (self.student, self.teacher):
            self.dummy_stages(model)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``label_loss`` and ``feature_loss``."""
        student, teacher = self.stages(batch)
        count = min(len(student), len(teacher))
        feature_loss = attention_transfer_loss(
            [self.student.activate(stage) for stage in student[-count:]],
            [self.teacher.activate(stage) for stage in teacher[-count:]],
        )
        return self.losses(self.logits_of(student), batch.labels, feature_loss)
