"""ReviewKD (Chen et al., CVPR 2021)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from e2kd_lab.losses import review_kd_loss
from e2kd_lab.methods.distiller import Batch
from e2kd_lab.methods.feature_distiller import FeatureDistiller
from e2kd_lab.methods.registry import register_method
from e2kd_lab.models.reviewkd_fusion import ReviewFusion


@register_method("reviewkd", title="ReviewKD", colour="#56B4E9", grid={"lam": (1.0, 5.0)}, order=2)
class ReviewKD(FeatureDistiller):
    """The label loss plus ``lam`` times the distance of fused levels (Sec. C.2); the fusion is trained, then dropped.

    Attributes
    ----------
    lam : float
        Weight of the feature loss, >= 0.
    """

    lam: float = 1.0

    def setup(self) -> None:
        """See `Distiller.setup`: makes the fusion, and refuses networks without stages."""
        own, other = self.levels_of(self.student), self.levels_of(self.frozen_teacher)
        count = min(len(own), len(other))
        self.fusion = ReviewFusion(
            [level.shape[1] for level in own[-count:]], [level.shape[1] for level in other[-count:]]
        )

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``label_loss`` and ``feature_loss``."""
        own, other = self.stages(batch)
        levels = [self.with_pooled(self.student, own), self.with_pooled(self.frozen_teacher, other)]
        count = min(map(len, levels))
        student, teacher = (part[-count:] for part in levels)
        fused = self.fusion(student, [(level.shape[2], level.shape[3]) for level in teacher])
        return self.with_labels(self.logits_of(own), batch.labels, review_kd_loss(fused, teacher))
