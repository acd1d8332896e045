"""Explanation-enhanced knowledge distillation (Eq. 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from e2kd_lab.explanations import Explanation, explain_in_parts, explanation_of
from e2kd_lab.explanations.registry import require_comparable
from e2kd_lab.losses import e2kd_loss, explanation_loss
from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.distiller import Distiller
from e2kd_lab.methods.registry import register_method
from e2kd_lab.metrics import dead_maps
from e2kd_lab.models.preserved_state import preserved_buffers
from e2kd_lab.system.errors import ExperimentError


@register_method(
    "e2kd",
    title="e²KD",
    colour="#0072B2",
    frozen_colour="#A50F15",
    grid={"tau": (1.0, 5.0), "lam": (1.0, 5.0, 10.0)},
    order=7,
)
class E2KD(Distiller):
    """KD plus ``lam`` times the cosine distance of the explanations of the teacher's prediction (Eq. 2, 3).

    Attributes
    ----------
    lam : float
        Weight of the explanation loss, >= 0.
    tau : float
        Temperature, > 0.
    explain_every : int
        Compute the explanation loss every ``explain_every`` steps, starting with the first; the others are KD steps.
        The loss is scaled by ``explain_every``, which keeps the expected gradient.
    explain_part : float
        Share of each batch (of each process) whose explanation loss is computed, in (0, 1]; at least one image. For
        explanations that backpropagate through the whole network, such as W(x), these images get a forward pass of
        their own, with their own batch statistics, which do not update the running statistics.
    """

    uses_labels: ClassVar[bool] = False
    can_be_frozen: ClassVar[bool] = True
    lam: float = 5.0
    tau: float = 1.0
    explain_every: int = 1
    explain_part: float = 1.0

    def setup(self) -> None:
        """See `Distiller.setup`: refuses networks with different kinds of explanations."""
        require_comparable(self.student, self.teacher)

    @classmethod
    def check(cls, hyperparameters: Mapping[str, Any]) -> None:
        """See `Distiller.check`."""
        super().check(hyperparameters)
        every, part = hyperparameters["explain_every"], hyperparameters["explain_part"]
        if every < 1:
            raise ExperimentError(f"'explain_every' is {every}; expected at least 1.")
        if not 0 < part <= 1:
            raise ExperimentError(f"'explain_part' is {part}; expected a share in (0, 1].")

    @classmethod
    def describe(cls, hyperparameters: Mapping[str, Any]) -> list[str]:
        """See `Distiller.describe`; ``explain_every`` and ``explain_part`` are shown only if they are not 1."""
        every, part = hyperparameters["explain_every"], hyperparameters["explain_part"]
        said = super().describe({name: hyperparameters[name] for name in ("lam", "tau")})
        said += [f"every {every} steps"] if every > 1 else []
        return said + ([f"{part:g} of a batch"] if part < 1 else [])

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``kd_loss``, ``explanation_loss`` and ``dead_map_rate``.

        The latter is the percentage of the student's maps that are zero everywhere. The last two are scaled by
        ``explain_every``, so that epoch means are unbiased.
        """
        if batch.step % self.explain_every:
            kd = self.logit_loss(self.student_logits(batch), self.teacher_logits(batch), self.tau)
            return {"loss": kd, "kd_loss": kd}
        teacher = self._explain_teacher(batch)
        logits, maps = self._explain_student(batch.images, teacher)
        kd = self.logit_loss(logits, teacher.logits, self.tau)
        explanation = self.explain_every * explanation_loss(maps, teacher.maps)
        dead = 100 * dead_maps(maps.detach()).double().mean()
        return {
            "loss": e2kd_loss(kd, explanation, self.lam),
            "kd_loss": kd,
            "explanation_loss": explanation,
            "dead_map_rate": self.explain_every * dead,
        }

    def _explain_teacher(self, batch: Batch) -> Explanation:
        """The teacher's logits of all N images; classes and maps of the first ``explain_part`` of them."""
        images = batch.images
        count = max(1, round(self.explain_part * len(images)))  # the first images: batches are shuffled
        if batch.teacher_logits is not None:  # a frozen teacher
            assert batch.teacher_maps is not None
            return Explanation(batch.teacher_logits, batch.teacher_logits[:count].argmax(1), batch.teacher_maps[:count])
        if count == len(images):
            return explain_in_parts(self.teacher, images)
        # In evaluation mode images are independent, so that each passes the teacher once, explained or not.
        part = explain_in_parts(self.teacher, images[:count])
        rest = self.live_teacher_logits(images[count:])
        return Explanation(torch.cat([part.logits, rest]), part.classes, part.maps)

    def _explain_student(self, images: Tensor, teacher: Explanation) -> tuple[Tensor, Tensor]:
        """The student's logits of all N images, and its maps of the n <= N images that the teacher explains."""
        explanation, count = explanation_of(self.student), len(teacher.maps)
        if count == len(images):
            logits, _, maps = explanation(self.student, images, teacher.classes, create_graph=True)
        elif explanation.passes_whole_network:
            # A second pass of the part is cheaper than a double backward pass of all images.
            logits = self.student(self.student.preprocess(images))
            with preserved_buffers(self.student):  # running statistics have seen these images
                maps = explanation(self.student, images[:count], teacher.classes, create_graph=True).maps
        else:  # maps cost next to nothing: explain all images in the one pass
            logits, _, maps = explanation(self.student, images, teacher.logits.argmax(1), create_graph=True)
            maps = maps[:count]
        return logits, maps
