"""What the methods share that match intermediate features (Sec. C.2)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from e2kd_lab.methods.distiller import Batch, Distiller
from e2kd_lab.models.dummy_forward import dummy_forward
from e2kd_lab.models.interface import ExplainableModel

# Side in pixels of the empty image that tells numbers of channels; every network of the lab takes it.
PROBED = 64


class FeatureDistiller(Distiller):
    """Base of methods whose loss is the label loss plus ``lam`` times a loss on features."""

    lam: float = 1.0

    def stages(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Both networks' stages before their activation, the student's with a graph."""
        own = self.student.forward_stages(self.student.preprocess(batch.images))
        with torch.no_grad():
            other = self.frozen_teacher.forward_stages(self.frozen_teacher.preprocess(batch.images))
        return own, other

    def logits_of(self, stages: list[Tensor]) -> Tensor:
        """The student's logits (N, K) from its stages."""
        return self.student.forward_head(self.student.activate(stages[-1]))

    def with_labels(self, logits: Tensor, labels: Tensor, features: Tensor) -> Mapping[str, Tensor]:
        """The method's losses from the student's logits and the feature loss."""
        label_loss = self.label_loss(logits, labels)
        return {"loss": label_loss + self.lam * features, "label_loss": label_loss, "feature_loss": features}

    @staticmethod
    def with_pooled(model: ExplainableModel, stages: list[Tensor]) -> list[Tensor]:
        """ReviewKD's levels: the stages before their activation, and the pooled last feature map."""
        return [*stages, model.activate(stages[-1]).mean((2, 3), keepdim=True)]

    @classmethod
    def levels_of(cls, model: ExplainableModel) -> list[Tensor]:
        """ReviewKD's levels of an empty image, for their numbers of channels."""
        return cls.with_pooled(model, dummy_forward(model, PROBED, model.forward_stages))
