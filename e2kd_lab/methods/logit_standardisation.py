"""Logit standardisation (Sun et al., CVPR 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from e2kd_lab.losses import standardised_kd_loss
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.logit_distiller import LogitDistiller
from e2kd_lab.methods.registry import register_method
from e2kd_lab.system.errors import ExperimentError


@register_method("logit_standardisation", title="Logit stand.", colour="#7FB800", grid={"tau": (2.0, 4.0)}, order=10)
class LogitStandardisation(LogitDistiller):
    """The label loss plus KD on standardised logits, of at least three classes; uses labels.

    Attributes
    ----------
    tau : float
        Temperature, > 0.
    kd_weight, label_weight : float
        Weights of `e2kd_lab.losses.standardised_kd_loss` and of the label loss, >= 0; defaults as in the authors'
        program.
    lam, explain_every, explain_part
        See `LogitDistiller`.
    """

    one_class: ClassVar[bool] = True
    tau: float = 2.0
    kd_weight: float = 9.0
    label_weight: float = 0.1

    @classmethod
    def check(cls, hyperparameters: Mapping[str, Any]) -> None:
        """See `Distiller.check`: weights are not negative."""
        super().check(hyperparameters)
        for name in ("kd_weight", "label_weight"):
            if not hyperparameters[name] >= 0:
                raise ExperimentError(f"'{name}' is {hyperparameters[name]}; expected at least 0.")

    def logit_terms(self, logits: Tensor, teacher_logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See `LogitDistiller.logit_terms`: ``label_loss`` and ``kd_loss``, both without their weights."""
        if logits.shape[1] == 2:
            raise ExperimentError(
                f"Method '{self._called}' has nothing to match: standardised logits of two classes are constants; "
                "expected at least three classes, or a method such as kd or dkd."
            )
        kd = standardised_kd_loss(logits, teacher_logits, self.tau)
        label_loss = self.label_loss(logits, batch.labels)
        return {
            "loss": self.label_weight * label_loss + self.kd_weight * kd,
            "label_loss": label_loss,
            "kd_loss": kd,
        }
