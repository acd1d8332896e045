"""What one training step computes: supervised training, KD, e2KD, and the prior methods of the paper's comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.errors import ExperimentError
from e2kd_lab.explanations import Explanation, explain, explain_in_parts
from e2kd_lab.losses import (
    attention_transfer_loss,
    class_attention_loss,
    explanation_loss,
    kd_loss,
    multilabel_kd_loss,
    review_kd_loss,
)
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.metrics import dead_maps
from e2kd_lab.models import ExplainableModel
from e2kd_lab.models.probing import probe
from e2kd_lab.models.review import ReviewFusion
from e2kd_lab.training.guidance import Guidance
from e2kd_lab.training.running_statistics import running_statistics_kept

MethodName = Literal["teacher", "baseline", "kd", "e2kd", "kd_labels", "at", "reviewkd", "catkd"]
METHODS: tuple[MethodName, ...] = ("teacher", "baseline", "kd", "e2kd", "kd_labels", "at", "reviewkd", "catkd")

# Side in pixels of the empty image that tells numbers of channels; every network takes it.
_PROBED = 64


def needs_teacher(name: str) -> bool:
    """Whether a method distils from a teacher; the others learn from labels only."""
    return name not in ("teacher", "baseline")


def uses_lam(name: str) -> bool:
    """Whether a method has a weight lambda, of the explanation or of the feature loss."""
    return name in ("e2kd", "at", "reviewkd", "catkd")


def uses_tau(name: str) -> bool:
    """Whether a method has a temperature."""
    return name in ("kd", "e2kd", "kd_labels")


def check_share(explain_every: int, explain_part: float) -> None:
    """Refuse options of the explanation loss that make no sense.

    Raises
    ------
    ExperimentError
        If there are no steps or images left.
    """
    if explain_every < 1:
        raise ExperimentError(f"'explain_every' is {explain_every}; expected at least 1.")
    if not 0 < explain_part <= 1:
        raise ExperimentError(f"'explain_part' is {explain_part}; expected a share in (0, 1].")


class Method(nn.Module):
    """A student and the losses that train it; ``forward`` is one training step up to the loss.

    The whole step is one module, so that data-parallel training, mixed precision and compilation see a single forward.
    The teacher is kept outside the module tree, because it is neither trained nor saved; it is always in evaluation
    mode. Teacher and student see the same augmented images ("consistent teaching").

    Parameters
    ----------
    name : str
        ``teacher`` and ``baseline`` (labels only: cross-entropy, for B-cos networks binary cross-entropy with uniform
        off labels), ``kd`` (Eq. 1), ``e2kd`` (Eq. 2), ``kd_labels`` (label loss + Eq. 1, Table B1), and ``at``,
        ``reviewkd``, ``catkd`` (label loss + lam times the feature loss, Sec. C.2).
    student : ExplainableModel
        The network to train.
    teacher : ExplainableModel, optional
        For all methods but the first two; its parameters are frozen.
    lam, tau : float
        Weight of the explanation or feature loss, and temperature.
    multilabel : bool
        An image may show several classes: labels are (N, K) with 0 and 1, the label loss is binary cross-entropy, the
        logit loss that of Eq. C.1.
    guidance : Guidance, optional
        For ``teacher`` and ``baseline``: guide the network's own explanations to the objects.
    explain_every : int
        For ``e2kd``, compute the explanation loss on every so many steps only, beginning with the first; the others are
        steps of KD. It then counts as many times, so that gradients are the same on average.
    explain_part : float
        For ``e2kd``, compute the explanation loss on this share of each batch, in (0, 1], at least one image; with
        several processes, of what each of them sees of it. A B-cos student sees these images in a forward pass of their
        own, with batch statistics of their own that do not count among the running ones; GradCAM needs none.

    Raises
    ------
    ExperimentError
        If the method is not known or does not apply to the networks, a value is out of range, or a teacher is missing.
    """

    def __init__(
        self,
        name: MethodName,
        student: ExplainableModel,
        teacher: ExplainableModel | None = None,
        *,
        lam: float = 0.0,
        tau: float = 1.0,
        multilabel: bool = False,
        guidance: Guidance | None = None,
        explain_every: int = 1,
        explain_part: float = 1.0,
    ) -> None:
        super().__init__()
        if name not in METHODS:
            raise ExperimentError(f"There is no method '{name}'; expected one of {', '.join(METHODS)}.")
        if not lam >= 0 or not tau > 0:
            raise ExperimentError(f"Method '{name}' has lam = {lam}, tau = {tau}; expected lam >= 0 and tau > 0.")
        if needs_teacher(name) and teacher is None:
            raise ExperimentError(f"Method '{name}' distils from a teacher, but none was given.")
        if guidance is not None and needs_teacher(name):
            raise ExperimentError(f"Method '{name}' takes no guidance; expected method teacher or baseline.")
        check_share(explain_every, explain_part)
        self.name, self.lam, self.tau = name, lam, tau
        self.multilabel, self.guidance = multilabel, guidance
        self.explain_every, self.explain_part = explain_every, explain_part
        self._logit_loss = multilabel_kd_loss if multilabel else kd_loss
        self.student = student
        self._outside_the_module_tree = (teacher.eval().requires_grad_(False) if teacher else None,)
        if name == "catkd":
            for model in (student, self.frozen_teacher):
                model.class_maps(probe(model, _PROBED, model.forward_features))  # refuses networks that have none
        if name in ("at", "reviewkd"):
            own, other = _levels_of(student), _levels_of(self.frozen_teacher)
            if name == "reviewkd":
                count = min(len(own), len(other))
                self.fusion = ReviewFusion(
                    [level.shape[1] for level in own[-count:]], [level.shape[1] for level in other[-count:]]
                )

    @property
    def teacher(self) -> ExplainableModel | None:
        """The frozen teacher, if the method has one."""
        return self._outside_the_module_tree[0]

    @property
    def frozen_teacher(self) -> ExplainableModel:
        """The teacher of a method that has one."""
        assert self.teacher is not None
        return self.teacher

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        frozen: tuple[Tensor, Tensor] | None = None,
        masks: Tensor | None = None,
        step: int = 0,
    ) -> dict[str, Tensor]:
        """The losses of one batch.

        Parameters
        ----------
        images : Tensor
            RGB images in [0, 1], (N, 3, H, W).
        labels : Tensor
            Class indices (N,), or class probabilities (N, K) after mixup or of several classes; not used by ``kd`` and
            ``e2kd``.
        frozen : pair of Tensor, optional
            The teacher's logits (N, K) and maps (N, C, H, W) of these images, computed before (Sec. 3.3); for ``kd``
            and ``e2kd``.
        masks : Tensor, optional
            Where the objects are, for guidance: of each class (N, K, H, W), or of the only object (N, 1, H, W).
        step : int
            Steps before this one, for ``explain_every``.

        Returns
        -------
        dict
            ``loss`` (to be minimised) and, as scalars, its parts, of those that the method has: ``label_loss``,
            ``kd_loss``, ``explanation_loss``, ``feature_loss``, ``guidance_loss``, and the ``dead_map_rate``
            (percentage of the student's maps that are zero everywhere). With ``explain_every`` the last two count
            as many times on the steps that have them, so that their means over all steps are right.
        """
        steps: dict[str, Callable[[Tensor, Tensor], dict[str, Tensor]]] = {
            "kd": self._kd,
            "e2kd": self._e2kd,
            "kd_labels": self._kd_labels,
            "at": self._attention_transfer,
            "reviewkd": self._review,
            "catkd": self._class_attention,
        }
        explains = self.name == "e2kd" and step % self.explain_every == 0
        if frozen is not None and self.name in ("kd", "e2kd"):
            return self._frozen(images, *frozen, explains=explains)
        if self.name == "e2kd" and not explains:
            return self._kd(images, labels)
        if self.guidance is not None:
            return self._guided(images, labels, masks, self.guidance)
        return steps.get(self.name, self._supervised)(images, labels)

    def _supervised(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": self._label_loss(self.student(self.student.preprocess(images)), labels)}

    def _guided(self, images: Tensor, labels: Tensor, masks: Tensor | None, guidance: Guidance) -> dict[str, Tensor]:
        if masks is None:
            raise ExperimentError(
                "Guidance needs to know where the objects are, but the training images have no masks."
            )
        logits, guided = guidance(self.student, images, labels, masks)
        label_loss = self._label_loss(logits, labels)
        return {
            "loss": label_loss + guidance.weight * guided,
            "label_loss": label_loss.detach(),
            "guidance_loss": guided.detach(),
        }

    def _kd(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        kd = self._logit_loss(self.student(self.student.preprocess(images)), self._teacher_logits(images), self.tau)
        return {"loss": kd, "kd_loss": kd.detach()}

    def _e2kd(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        count = self._explained(images)
        if count == len(images):
            return self._match(images, explain_in_parts(self.frozen_teacher, images))
        # The teacher is in evaluation mode, where images do not see each other: none needs to pass twice.
        some = explain_in_parts(self.frozen_teacher, images[:count])
        logits = torch.cat([some.logits, self._teacher_logits(images[count:])])
        return self._match(images, Explanation(logits, some.classes, some.maps))

    def _explained(self, images: Tensor) -> int:
        """How many images of a batch are explained: the first ones, which come in random order."""
        return max(1, round(self.explain_part * len(images)))

    def _match(self, images: Tensor, target: Explanation) -> dict[str, Tensor]:
        """The e2KD loss; ``target`` has the logits of all images, and classes and maps of those to be explained."""
        count = len(target.maps)
        if self.student.explanation == "bcos" and count < len(images):
            # The second backward pass would otherwise go through all images.
            logits = self.student(self.student.preprocess(images))
            with running_statistics_kept(self.student):  # the images of the part have been counted
                maps = explain(self.student, images[:count], target.classes, create_graph=True).maps
        else:
            classes = target.classes if count == len(images) else target.logits.argmax(1)
            logits, _, maps = explain(self.student, images, classes, create_graph=True)
            if count < len(images):  # the gradient of a slice is a copy
                maps = maps[:count]
        kd = self._logit_loss(logits, target.logits, self.tau)
        explanation = explanation_loss(maps, target.maps)
        dead = 100 * dead_maps(maps.detach()).double().mean()
        return {
            "loss": kd + self.explain_every * self.lam * explanation,
            "kd_loss": kd.detach(),
            "explanation_loss": self.explain_every * explanation.detach(),
            "dead_map_rate": self.explain_every * dead,
        }

    def _frozen(self, images: Tensor, logits: Tensor, maps: Tensor, *, explains: bool) -> dict[str, Tensor]:
        if not explains:
            kd = self._logit_loss(self.student(self.student.preprocess(images)), logits, self.tau)
            return {"loss": kd, "kd_loss": kd.detach()}
        count = self._explained(images)
        return self._match(images, Explanation(logits, logits[:count].argmax(1), maps[:count]))

    def _kd_labels(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.student(self.student.preprocess(images))
        kd = self._logit_loss(logits, self._teacher_logits(images), self.tau)
        label_loss = self._label_loss(logits, labels)
        return {"loss": label_loss + kd, "label_loss": label_loss.detach(), "kd_loss": kd.detach()}

    def _attention_transfer(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        own, other = self._stages(images)
        count = min(len(own), len(other))
        features = attention_transfer_loss(
            [self.student.activate(stage) for stage in own[-count:]],
            [self.frozen_teacher.activate(stage) for stage in other[-count:]],
        )
        return self._with_labels(own, features, labels)

    def _review(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        own, other = self._stages(images)
        levels = [_with_pooled(self.student, own), _with_pooled(self.frozen_teacher, other)]
        count = min(map(len, levels))
        student, teacher = (part[-count:] for part in levels)
        fused = self.fusion(student, [(level.shape[2], level.shape[3]) for level in teacher])
        return self._with_labels(own, review_kd_loss(fused, teacher), labels)

    def _class_attention(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        features = self.student.forward_features(self.student.preprocess(images))
        with torch.no_grad():
            target = self.frozen_teacher.forward_features(self.frozen_teacher.preprocess(images))
            target_maps = self.frozen_teacher.class_maps(target)
        attention = class_attention_loss(self.student.class_maps(features), target_maps)
        return self._sum(self._label_loss(self.student.forward_head(features), labels), attention)

    def _with_labels(self, own: list[Tensor], features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.student.forward_head(self.student.activate(own[-1]))
        return self._sum(self._label_loss(logits, labels), features)

    def _sum(self, label_loss: Tensor, features: Tensor) -> dict[str, Tensor]:
        loss = label_loss + self.lam * features
        return {"loss": loss, "label_loss": label_loss.detach(), "feature_loss": features.detach()}

    def _label_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.multilabel:
            return F.binary_cross_entropy_with_logits(at_least_float32(logits), labels.to(at_least_float32(logits)))
        return self.student.classification_loss(logits, labels)

    def _stages(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        own = self.student.forward_stages(self.student.preprocess(images))
        with torch.no_grad():
            other = self.frozen_teacher.forward_stages(self.frozen_teacher.preprocess(images))
        return own, other

    @torch.no_grad()
    def _teacher_logits(self, images: Tensor) -> Tensor:
        return self.frozen_teacher(self.frozen_teacher.preprocess(images))


def _with_pooled(model: ExplainableModel, stages: list[Tensor]) -> list[Tensor]:
    """ReviewKD's levels: the stages before their activation, and the pooled last feature map."""
    return [*stages, model.activate(stages[-1]).mean((2, 3), keepdim=True)]


def _levels_of(model: ExplainableModel) -> list[Tensor]:
    """ReviewKD's levels of an empty image, for their numbers of channels."""
    return _with_pooled(model, probe(model, _PROBED, model.forward_stages))
