"""The losses, as pure functions of logits and explanation maps."""

from e2kd_lab.losses.classification import uniform_off_label_bce
from e2kd_lab.losses.distillation import kd_loss
from e2kd_lab.losses.explanation import explanation_loss

__all__ = ["explanation_loss", "kd_loss", "uniform_off_label_bce"]
