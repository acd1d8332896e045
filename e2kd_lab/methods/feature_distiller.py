"""The base of methods that match intermediate features (Sec. C.2)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.distiller import Distiller
from e2kd_lab.models.dummy_forward import dummy_forward
from e2kd_lab.models.interface import ExplainableModel

# Side in pixels of the image that shows a network's stages; every network of the lab takes it.
DUMMY_SIZE = 64


class FeatureDistiller(Distiller):
    """Base of methods whose loss is the label loss plus ``lam`` times a loss on features."""

    lam: float = 1.0

    def stages(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Stages of the student, with their graph, and of the teacher, both before their activation."""
        student = self.student.forward_stages(self.student.preprocess(batch.images))
        with torch.no_grad():
            teacher = self.teacher.forward_stages(self.teacher.preprocess(batch.images))
        return student, teacher

    def logits_of(self, stages: list[Tensor]) -> Tensor:
        """The student's logits (N, K) from its stages."""
        return self.student.forward_head(self.student.activate(stages[-1]))

    def losses(self, logits: Tensor, labels: Tensor, feature_loss: Tensor) -> Mapping[str, Tensor]:
        """``loss``, ``label_loss`` and ``feature_loss`` from the student's logits (N, K) and the feature loss."""
        label_loss = self.label_loss(logits, labels)
        return {"loss": label_loss + self.lam * feature_loss, "label_loss": label_loss, "feature_loss": feature_loss}

    @staticmethod
    def dummy_stages(model: ExplainableModel) -> list[Tensor]:
        """A network's stages for a black image, which show their numbers of channels.

        Raises
        ------
        ExperimentError
            If the network has no stages of feature maps.
        """
        return dummy_forward(model, DUMMY_SIZE, model.forward_stages)
