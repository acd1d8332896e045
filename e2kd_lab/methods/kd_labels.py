"""KD plus the label loss, the first row of Table B1."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.logit_distiller import LogitDistiller
from e2kd_lab.methods.registry import register_method


@register_method("kd_labels", title="KD + labels", colour="#8C6D1F", grid={"tau": (1.0, 5.0)}, order=5)
class KDWithLabels(LogitDistiller):
    """The label loss plus Eq. 1.

    Attributes
    ----------
    tau : float
        Temperature, > 0.
    lam, explain_every, explain_part
        See `LogitDistiller`.
    """

    can_be_frozen: ClassVar[bool] = False

    def logit_terms(self, logits: Tensor, teacher_logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See `LogitDistiller.logit_terms`: ``label_loss`` and ``kd_loss``."""
        kd = self.logit_loss(logits, teacher_logits, self.tau)
        label_loss = self.label_loss(logits, batch.labels)
        return {"loss": label_loss + kd, "label_loss": label_loss, "kd_loss": kd}
