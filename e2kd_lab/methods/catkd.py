"""CAT-KD (Guo et al., CVPR 2023)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from e2kd_lab.losses import class_attention_loss
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.feature_distiller import DUMMY_SIZE, FeatureDistiller
from e2kd_lab.methods.registry import register_method
from e2kd_lab.models.dummy_forward import dummy_forward


@register_method("catkd", title="CAT-KD", colour="#D55E00", grid={"lam": (1.0, 5.0, 10.0)}, order=3)
class ClassAttentionTransfer(FeatureDistiller):
    """The label loss plus ``lam`` times the distance of class activation maps (Sec. C.2).

    Attributes
    ----------
    lam : float
        Weight of the feature loss, >= 0.
    """

    lam: float = 5.0

    def setup(self) -> None:
        """See `Distiller.setup`: refuses networks without class activation maps."""
        for model in (self.student, self.teacher):
            model.class_maps(dummy_forward(model, DUMMY_SIZE, model.forward_features))

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``label_loss`` and ``feature_loss``."""
        features = self.student.forward_features(self.student.preprocess(batch.images))
        with torch.no_grad():
            teacher_features = self.teacher.forward_features(self.teacher.preprocess(batch.images))
            teacher_maps = self.teacher.class_maps(teacher_features)
        feature_loss = class_attention_loss(self.student.class_maps(features), teacher_maps)
        return self.losses(self.student.forward_head(features), batch.labels, feature_loss)
