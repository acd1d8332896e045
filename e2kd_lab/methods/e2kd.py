"""Explanation-enhanced knowledge distillation (Eq. 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from e2kd_lab.explanations import Explanation, explain_in_parts, explanation_of
from e2kd_lab.explanations.registry import require_comparable
from e2kd_lab.losses import e2kd_loss, explanation_loss
from e2kd_lab.methods.distiller import Batch, Distiller
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
    """KD plus the cosine distance of both networks' explanations of the teacher's prediction (Eq. 2, 3).

    Attributes
    ----------
    lam : float
        Weight of the explanation loss, >= 0.
    tau : float
        Temperature, > 0.
    explain_every : int
        Compute the explanation loss on every so many steps only, beginning with the first; the others are steps of KD.
        It is scaled by ``explain_every`` there, so that gradients are the same on average.
    explain_part : float
        Compute the explanation loss on this share of each batch, in (0, 1], at least one image; with several processes,
        of what each of them sees of it. An explanation that passes through the whole network, such as W(x), sees these
        images in a forward pass of their own, with batch statistics of their own that do not count among the running
        ones; GradCAM needs none.
    """

    uses_labels: ClassVar[bool] = False
    can_be_frozen: ClassVar[bool] = True
    lam: float = 5.0
    tau: float = 1.0
    explain_every: int = 1
    explain_part: float = 1.0

    def setup(self) -> None:
        """See `Distiller.setup`: refuses networks whose explanations do not compare."""
        require_comparable(self.student, self.frozen_teacher)

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
        """See `Distiller.describe`; explanations of all images on all steps go without saying."""
        every, part = hyperparameters["explain_every"], hyperparameters["explain_part"]
        said = super().describe({name: hyperparameters[name] for name in ("lam", "tau")})
        said += [f"every {every} steps"] if every > 1 else []
        return said + ([f"{part:g} of a batch"] if part < 1 else [])

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: ``kd_loss``, ``explanation_loss`` and ``dead_map_rate``.

        The latter is the percentage of the student's maps that are zero everywhere. On steps that explain, the last two
        are scaled by ``explain_every``, so that epoch means are unbiased.
        """
        if batch.step % self.explain_every:
            kd = self.logit_loss(self.student_logits(batch), self.teacher_logits(batch), self.tau)
            return {"loss": kd, "kd_loss": kd}
        target = self._target(batch)
        logits, maps = self._student(batch.images, target)
        kd = self.logit_loss(logits, target.logits, self.tau)
        explanation = self.explain_every * explanation_loss(maps, target.maps)
        dead = 100 * dead_maps(maps.detach()).double().mean()
        return {
            "loss": e2kd_loss(kd, explanation, self.lam),
            "kd_loss": kd,
            "explanation_loss": explanation,
            "dead_map_rate": self.explain_every * dead,
        }

    def _target(self, batch: Batch) -> Explanation:
        """The teacher's logits of all images, and its classes and maps of those to be explained."""
        # The first images: they come in random order.
        count = max(1, round(self.explain_part * len(batch.images)))
        if batch.teacher_logits is not None:
            assert batch.teacher_maps is not None
            logits = batch.teacher_logits
            return Explanation(logits, logits[:count].argmax(1), batch.teacher_maps[:count])
        if count == len(batch.images):
            return explain_in_parts(self.frozen_teacher, batch.images)
        # The teacher is in evaluation mode, where images do not see each other: none needs to pass twice.
        some = explain_in_parts(self.frozen_teacher, batch.images[:count])
        logits = torch.cat([some.logits, self.logits_by_teacher(batch.images[count:])])
        return Explanation(logits, some.classes, some.maps)

    def _student(self, images: Tensor, target: Explanation) -> tuple[Tensor, Tensor]:
        """The student's logits of all images, and its maps of those that the teacher explains."""
        explanation, count = explanation_of(self.student), len(target.maps)
        if count == len(images):
            logits, _, maps = explanation(self.student, images, target.classes, create_graph=True)
            return logits, maps
        if explanation.passes_whole_network:  # the second backward pass would otherwise go through all images
            logits = self.student(self.student.preprocess(images))
            with preserved_buffers(self.student):  # the images of the part have been counted
                maps = explanation(self.student, images[:count], target.classes, create_graph=True).maps
            return logits, maps
        logits, _, maps = explanation(self.student, images, target.logits.argmax(1), create_graph=True)
        return logits, maps[:count]
