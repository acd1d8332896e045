"""Knowledge distillation from logits (Eq. 1, Eq. C.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.distiller import Distiller
from e2kd_lab.methods.registry import register_method


@register_method("kd", title="KD", colour="#E69F00", frozen_colour="#F5CF7A", grid={"tau": (1.0, 5.0)}, order=6)
class KD(Distiller):
    """KD: temperature-scaled KL divergence of the teacher's and the student's class distributions (Eq. 1).

    Attributes
    ----------
    tau : float
        Temperature, > 0.
    """

    uses_labels: ClassVar[bool] = False
    can_be_frozen: ClassVar[bool] = True
    tau: float = 1.0

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``kd_loss``."""
        kd = self.logit_loss(self.student_logits(batch), self.teacher_logits(batch), self.tau)
        return {"loss": kd, "kd_loss": kd}
