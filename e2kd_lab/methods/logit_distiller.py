"""The base of methods that compare logits, to which e2KD's explanation loss can be added."""

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
from e2kd_lab.metrics import dead_maps
from e2kd_lab.models.preserved_state import preserved_buffers
from e2kd_lab.system.errors import ExperimentError

_OF_EXPLANATIONS = ("lam", "tau", "explain_every", "explain_part")


class LogitDistiller(Distiller):
    """Base of methods whose loss is one of logits, plus ``lam`` times e2KD's explanation loss (Eq. 2, 3).

    A subclass defines `logit_terms`; with ``lam=0``, the default, nothing is explained.

    Attributes
    ----------
    lam : float
        Weight of the explanation loss, >= 0.
    tau : float
        Temperature, > 0.
    explain_every : int
        Compute the explanation loss every ``explain_every`` steps, starting with the first; the others are steps of the
        logit loss alone. The loss is scaled by ``explain_every``, which keeps the expected gradient.
    explain_part : float
        Share of each batch (of each process) whose explanation loss is computed, in (0, 1]; at least one image. For
        explanations that backpropagate through the whole network, such as W(x), these images get a forward pass of
        their own, with their own batch statistics, which do not update the running statistics.
    one_class : bool
        Whether the loss is one of softmax probabilities, and refuses images of several classes.
    not_negative : tuple of str
        Names of hyper-parameters that are at least 0, besides ``lam``.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> student, teacher = (lab.build_model("resnet_mini", num_classes=3) for _ in range(2))
    >>> dkd = lab.methods.build_method("dkd", student, teacher, lam=5.0)
    >>> sorted(dkd(torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])))
    ['dead_map_rate', 'explanation_loss', 'kd_loss', 'label_loss', 'loss']
    """

    can_be_frozen: ClassVar[bool] = True
    one_class: ClassVar[bool] = False
    not_negative: ClassVar[tuple[str, ...]] = ()
    lam: float = 0.0
    tau: float = 1.0
    explain_every: int = 1
    explain_part: float = 1.0

    def logit_terms(self, logits: Tensor, teacher_logits: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The loss without explanations as ``loss``, and scalars to log, from logits of both networks, (N, K)."""
        raise NotImplementedError

    @property
    def explains(self) -> bool:
        """Whether explanations are computed."""
        return self.lam > 0

    def setup(self) -> None:
        """See `Distiller.setup`: refuses networks with different kinds of explanations."""
        if self.one_class and self.multilabel:
            raise ExperimentError(
                f"Method '{self._called}' compares softmax probabilities, but images may show several classes; "
                "expected a method for these, such as kd or e2kd."
            )
        if self.explains:
            require_comparable(self.student, self.teacher)

    @classmethod
    def check(cls, hyperparameters: Mapping[str, Any]) -> None:
        """See `Distiller.check`."""
        super().check(hyperparameters)
        for name in cls.not_negative:
            if not hyperparameters[name] >= 0:
                raise ExperimentError(f"'{name}' is {hyperparameters[name]}; expected at least 0.")
        every, part = hyperparameters["explain_every"], hyperparameters["explain_part"]
        if every < 1:
            raise ExperimentError(f"'explain_every' is {every}; expected at least 1.")
        if not 0 < part <= 1:
            raise ExperimentError(f"'explain_part' is {part}; expected a share in (0, 1].")

    @classmethod
    def describe(cls, hyperparameters: Mapping[str, Any]) -> list[str]:
        """See `Distiller.describe`; what concerns explanations is shown only if it is not the default of no effect."""
        every, part = hyperparameters["explain_every"], hyperparameters["explain_part"]
        shown = {name: hyperparameters[name] for name in ("lam", "tau")}
        if not cls.lam and not shown["lam"]:
            del shown["lam"]
        shown |= {name: value for name, value in hyperparameters.items() if name not in _OF_EXPLANATIONS}
        said = super().describe(shown)
        said += [f"every {every} steps"] if every > 1 else []
        return said + ([f"{part:g} of a batch"] if part < 1 else [])

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """See `Distiller.step`: the terms of `logit_terms`, ``explanation_loss`` and ``dead_map_rate``.

        The latter is the percentage of the student's maps that are zero everywhere. The last two are scaled by
        ``explain_every``, so that epoch means are unbiased.
        """
        if not self.explains or batch.step % self.explain_every:
            return self.logit_terms(self.student_logits(batch), self.teacher_logits(batch), batch)
        teacher = self._explain_teacher(batch)
        logits, maps = self._explain_student(batch.images, teacher)
        terms = self.logit_terms(logits, teacher.logits, batch)
        explanation = self.explain_every * explanation_loss(maps, teacher.maps)
        dead = 100 * dead_maps(maps.detach()).double().mean()
        return {
            **terms,
            "loss": e2kd_loss(terms["loss"], explanation, self.lam),
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
