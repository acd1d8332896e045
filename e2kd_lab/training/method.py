"""What one training step computes: supervised training, KD and e2KD."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.errors import ExperimentError
from e2kd_lab.explain import explain
from e2kd_lab.losses import explanation_loss, kd_loss, uniform_off_label_bce
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.metrics import dead_maps
from e2kd_lab.models import ExplainableModel

MethodName = Literal["teacher", "baseline", "kd", "e2kd"]
METHODS: tuple[MethodName, ...] = ("teacher", "baseline", "kd", "e2kd")


def needs_teacher(name: str) -> bool:
    """Whether a method distils from a teacher; the others learn from labels."""
    return name not in ("teacher", "baseline")


class Method(nn.Module):
    """A student and the losses that train it; ``forward`` is one training step up to the loss.

    The whole step is one module, so that data-parallel training, mixed precision and compilation see a single forward.
    The teacher is kept outside the module tree, because it is neither trained nor saved; it is always in evaluation
    mode. Teacher and student see the same augmented images ("consistent teaching").

    Parameters
    ----------
    name : str
        ``teacher`` and ``baseline`` (labels only: cross-entropy, for B-cos networks binary cross-entropy with uniform
        off labels), ``kd`` (Eq. 1), ``e2kd`` (Eq. 2).
    student : ExplainableModel
        The network to train.
    teacher : ExplainableModel, optional
        For ``kd`` and ``e2kd``; its parameters are frozen.
    lam, tau : float
        Weight of the explanation loss, and temperature.

    Raises
    ------
    ExperimentError
        If the method is not known, a value is out of range, or a teacher is missing.
    """

    def __init__(
        self,
        name: MethodName,
        student: ExplainableModel,
        teacher: ExplainableModel | None = None,
        *,
        lam: float = 0.0,
        tau: float = 1.0,
    ) -> None:
        super().__init__()
        if name not in METHODS:
            raise ExperimentError(f"There is no method '{name}'; expected one of {', '.join(METHODS)}.")
        if not lam >= 0 or not tau > 0:
            raise ExperimentError(f"Method '{name}' has lam = {lam}, tau = {tau}; expected lam >= 0 and tau > 0.")
        if needs_teacher(name) and teacher is None:
            raise ExperimentError(f"Method '{name}' distils from a teacher, but none was given.")
        self.name, self.lam, self.tau = name, lam, tau
        self.student = student
        self._outside_the_module_tree = (teacher.eval().requires_grad_(False) if teacher else None,)

    @property
    def teacher(self) -> ExplainableModel | None:
        """The frozen teacher, if the method has one."""
        return self._outside_the_module_tree[0]

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The losses of one batch.

        Parameters
        ----------
        images : Tensor
            RGB images in [0, 1], (N, 3, H, W).
        labels : Tensor
            Class indices (N,), or class probabilities (N, K) after mixup; used by ``teacher`` and ``baseline`` only.

        Returns
        -------
        dict
            ``loss`` (to be minimised) and, as scalars, its parts ``kd_loss`` and ``explanation_loss`` and the
            ``dead_map_rate`` (percentage of the student's maps that are zero everywhere).
        """
        if self.name == "kd":
            kd = self._kd(self.student(self.student.preprocess(images)), self._teacher_logits(images))
            return {"loss": kd, "kd_loss": kd.detach()}
        if self.name == "e2kd":
            return self._e2kd(images)
        logits = self.student(self.student.preprocess(images))
        return {"loss": self._label_loss(logits, labels)}

    def _label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.student.explanation == "bcos":
            return uniform_off_label_bce(logits, labels)
        return F.cross_entropy(at_least_float32(logits), labels)

    def _e2kd(self, images: Tensor) -> dict[str, Tensor]:
        assert self.teacher is not None
        target = explain(self.teacher, images)
        student = explain(self.student, images, target.classes, create_graph=True)
        kd = self._kd(student.logits, target.logits)
        explanation = explanation_loss(student.maps, target.maps)
        return {
            "loss": kd + self.lam * explanation,
            "kd_loss": kd.detach(),
            "explanation_loss": explanation.detach(),
            "dead_map_rate": 100 * dead_maps(student.maps.detach()).double().mean(),
        }

    def _kd(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return kd_loss(student_logits, teacher_logits, self.tau)

    @torch.no_grad()
    def _teacher_logits(self, images: Tensor) -> Tensor:
        assert self.teacher is not None
        return self.teacher(self.teacher.preprocess(images))
