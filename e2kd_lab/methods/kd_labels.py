"""KD plus the label loss, the first row of Table B1."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.distiller import Distiller
from e2kd_lab.methods.registry import register_method


@register_method("kd_labels", title="KD + labels", colour="#8C6D1F", grid={"tau": (1.0, 5.0)}, order=5)
class KDWithLabels(Distiller):
    """The label loss plus Eq. 1.

    Attributes
    ----------
    tau : float
        Temperature, > 0.
    """

    tau: float = 1.0

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``label_loss`` and ``kd_loss``."""
        logits = self.student_logits(batch)
        kd = self.logit_loss(logits, self.teacher_logits(batch), self.tau)
        label_loss = self.label_loss(logits, batch.labels)
        return {"loss": label_loss + kd, "label_loss": label_loss, "kd_loss": kd}
