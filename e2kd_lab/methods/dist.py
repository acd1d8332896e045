"""DIST (Huang et al., NeurIPS 2022)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from e2kd_lab.losses import dist_loss
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.logit_distiller import LogitDistiller
from e2kd_lab.methods.registry import register_method


@register_method("dist", title="DIST", colour="#CC6677", grid={"tau": (1.0, 4.0)}, order=9)
class DIST(LogitDistiller):
    """The label loss plus one minus the correlations of probabilities, within images and within classes; uses labels.

    Attributes
    ----------
    tau : float
        Temperature, > 0.
    beta, gamma : float
        Weights of both correlations, >= 0 (see `e2kd_lab.losses.dist_loss`).
    lam, explain_every, explain_part
        See `LogitDistiller`.
    """

    one_class: ClassVar[bool] = True
    not_negative: ClassVar[tuple[str, ...]] = ("beta", "gamma")
    beta: float = 2.0
    gamma: float = 2.0

    def logit_terms(self, logits: Tensor, teacher_logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See `LogitDistiller.logit_terms`: ``label_loss`` and ``kd_loss``."""
        kd = dist_loss(logits, teacher_logits, self.beta, self.gamma, self.tau)
        label_loss = self.label_loss(logits, batch.labels)
        return {"loss": label_loss + kd, "label_loss": label_loss, "kd_loss": kd}
