"""Decoupled knowledge distillation (DKD; Zhao et al., CVPR 2022)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from e2kd_lab.losses import dkd_loss
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.logit_distiller import LogitDistiller
from e2kd_lab.methods.registry import register_method
from e2kd_lab.system.errors import ExperimentError


@register_method("dkd", title="DKD", colour="#6A3D9A", grid={"beta": (1.0, 2.0, 8.0)}, order=8)
class DKD(LogitDistiller):
    """The label loss plus KD, split into target and other classes; uses labels.

    Attributes
    ----------
    tau : float
        Temperature, > 0.
    alpha, beta : float
        Weights of the target class and of the others, >= 0 (see `e2kd_lab.losses.dkd_loss`).
    warmup_steps : int
        Both weights grow linearly over the first steps; >= 0. The authors' programs take about a tenth of training.
    lam, explain_every, explain_part
        See `LogitDistiller`.
    """

    one_class: ClassVar[bool] = True
    not_negative: ClassVar[tuple[str, ...]] = ("alpha", "beta", "warmup_steps")
    tau: float = 4.0
    alpha: float = 1.0
    beta: float = 8.0
    warmup_steps: int = 100

    def logit_terms(self, logits: Tensor, teacher_logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See `LogitDistiller.logit_terms`: ``label_loss`` and ``kd_loss``, the latter before the warm-up's weight."""
        if batch.labels.ndim != 1 or batch.labels.is_floating_point():
            raise ExperimentError(
                f"Method '{self._called}' needs one class an image, but the labels are mixed (N, K), as by mixup; "
                "expected training without mixup, or a method such as kd or e2kd."
            )
        kd = dkd_loss(logits, teacher_logits, batch.labels, self.alpha, self.beta, self.tau)
        label_loss = self.label_loss(logits, batch.labels)
        warm = min(1.0, (batch.step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        return {"loss": label_loss + warm * kd, "label_loss": label_loss, "kd_loss": kd}
