"""Explanation-enhanced knowledge distillation (Eq. 2)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.logit_distiller import LogitDistiller
from e2kd_lab.methods.registry import register_method


@register_method(
    "e2kd",
    title="e²KD",
    colour="#0072B2",
    frozen_colour="#A50F15",
    grid={"tau": (1.0, 5.0), "lam": (1.0, 5.0, 10.0)},
    order=7,
)
class E2KD(LogitDistiller):
    """KD plus ``lam`` times the cosine distance of the explanations of the teacher's prediction (Eq. 2, 3).

    Attributes
    ----------
    lam : float
        Weight of the explanation loss, >= 0.
    tau, explain_every, explain_part
        See `LogitDistiller`.
    """

    uses_labels: ClassVar[bool] = False
    lam: float = 5.0

    @property
    def explains(self) -> bool:
        """See `LogitDistiller.explains`: with ``lam=0`` explanations are computed, too, and their loss is logged."""
        return True

    def logit_terms(self, logits: Tensor, teacher_logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See `LogitDistiller.logit_terms`: ``kd_loss`` (Eq. 1)."""
        kd = self.logit_loss(logits, teacher_logits, self.tau)
        return {"loss": kd, "kd_loss": kd}
