"""Learning from labels alone: the baseline, and the training of teachers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from e2kd_lab.methods.batch import Batch
from e2kd_lab.methods.distiller import Distiller
from e2kd_lab.methods.guidance import Guidance
from e2kd_lab.methods.registry import register_method
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, note


@register_method("baseline", title="Baseline", colour="#7F7F7F", order=4)
class Baseline(Distiller):
    """The label loss: cross-entropy, for B-cos networks binary cross-entropy with uniform off labels.

    Parameters
    ----------
    guidance : Guidance, optional
        Also guides the network's explanations to the objects.
    """

    needs_teacher: ClassVar[bool] = False

    def __init__(
        self,
        student: ExplainableModel,
        teacher: ExplainableModel | None = None,
        *,
        guidance: Guidance | None = None,
        **options: Any,
    ) -> None:
        super().__init__(student, teacher, **options)
        self.guidance = guidance
        self._has_seen_objects = False

    def step(self, batch: Batch) -> Mapping[str, Tensor] | Tensor:
        """See `Distiller.step`: the label loss, with ``guidance_loss`` if there is guidance."""
        if self.guidance is None:
            return self.label_loss(self.student_logits(batch), batch.labels)
        if batch.masks is None:
            raise ExperimentError(
                "Guidance needs object masks, but the training images have none; expected data with boxes or masks."
            )
        if batch.masks.is_cpu and not self._has_seen_objects:  # elsewhere, reading values synchronises the device
            self._has_seen_objects = bool(batch.masks.any())
            if not self._has_seen_objects:
                note("Guidance: all masks of a batch are empty, which has no effect; expected masks of the objects.")
        logits, guided = self.guidance(self.student, batch.images, batch.labels, batch.masks)
        label_loss = self.label_loss(logits, batch.labels)
        return {
            "loss": label_loss + self.guidance.weight * guided,
            "label_loss": label_loss,
            "guidance_loss": guided,
        }


@register_method("teacher", title="Teacher", colour="#AA4499", order=0)
class Teacher(Baseline):
    """Trains the experiment's teacher network as `Baseline` trains the student."""
