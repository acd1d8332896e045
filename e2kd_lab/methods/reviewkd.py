"""ReviewKD (Chen et al., CVPR 2021)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from e2kd_lab.losses import review_kd_loss
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.feature_distiller import FeatureDistiller
from e2kd_lab.methods.registry import register_method
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.reviewkd_fusion import ReviewFusion


@register_method("reviewkd", title="ReviewKD", colour="#56B4E9", grid={"lam": (1.0, 5.0)}, order=2)
class ReviewKD(FeatureDistiller):
    """The label loss plus ``lam`` times the distance of fused levels (Sec. C.2); only training uses the fusion.

    Attributes
    ----------
    lam : float
        Weight of the feature loss, >= 0.
    """

    lam: float = 1.0

    def setup(self) -> None:
        """See `Distiller.setup`: makes the fusion, and refuses networks without stages."""
        student, teacher = self._levels(self.dummy_stages(self.student), self.dummy_stages(self.teacher))
        self.fusion = ReviewFusion([level.shape[1] for level in student], [level.shape[1] for level in teacher])

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``label_loss`` and ``feature_loss``."""
        stages, teacher_stages = self.stages(batch)
        student, teacher = self._levels(stages, teacher_stages)
        fused = self.fusion(student, [(level.shape[2], level.shape[3]) for level in teacher])
        return self.losses(self.logits_of(stages), batch.labels, review_kd_loss(fused, teacher))

    def _levels(self, student: list[Tensor], teacher: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The deepest levels of both networks, equally many: their stages and the pooled last feature map."""
        levels = _with_pooled(self.student, student), _with_pooled(self.teacher, teacher)
        count = min(map(len, levels))
        return levels[0][-count:], levels[1][-count:]


def _with_pooled(model: ExplainableModel, stages: list[Tensor]) -> list[Tensor]:
    return [*stages, model.activate(stages[-1]).mean((2, 3), keepdim=True)]
