"""Both terms of the e2KD loss (Eq. 2) on a batch, and their gradients with respect to the student."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from e2kd_lab.explanations import Explanation, explain
from e2kd_lab.losses import e2kd_loss, explanation_loss, kd_loss, multilabel_kd_loss
from e2kd_lab.metrics import explanation_cosine
from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.errors import ExperimentError


@dataclass(frozen=True)
class TermsAtTau:
    r"""Values and gradient norms of both terms of Eq. 2 at one temperature, for any weight lambda.

    .. math:: \mathcal{L} = \mathcal{L}_{KD} + \lambda \mathcal{L}_{exp}, \qquad
              g = g_{KD} + \lambda g_{exp}, \quad g_i = \partial \mathcal{L}_i / \partial \theta

    Attributes
    ----------
    tau : float
        The temperature, > 0.
    kd_loss, explanation_loss : float
        Eq. 1 (or Eq. C.1), >= 0; Eq. 3, in [0, 2].
    kd_gradient, explanation_gradient : float
        L2 norms of both gradients with respect to the student's parameters, >= 0.
    angle : float
        Angle between both gradients in degrees, in [0, 180]; nan if one of them is zero.
    """

    tau: float
    kd_loss: float
    explanation_loss: float
    kd_gradient: float
    explanation_gradient: float
    angle: float

    def loss(self, lam: float) -> float:
        """Eq. 2 with weight ``lam`` >= 0."""
        return e2kd_loss(self.kd_loss, self.explanation_loss, lam)

    def gradient(self, lam: float) -> float:
        """L2 norm of the gradient of Eq. 2 with weight ``lam`` >= 0."""
        return math.hypot(*self.in_plane(lam)[2])

    def in_plane(self, lam: float) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
        """The KD gradient, ``lam`` times the explanation gradient, and their sum, as vectors in the plane they span.

        The KD gradient lies along the first axis. Lengths and angles are preserved.
        """
        turn = 0.0 if math.isnan(self.angle) else math.radians(self.angle)
        size = lam * self.explanation_gradient
        x, y = size * math.cos(turn), size * math.sin(turn)
        return (self.kd_gradient, 0.0), (x, y), (self.kd_gradient + x, y)


@dataclass(frozen=True)
class LossTerms:
    """Logits and explanations of teacher and student on N images, and their e2KD loss at any temperature.

    Attributes
    ----------
    target, student : Explanation
        The teacher's and the student's logits (N, K) and maps (N, C, H, W), detached. Both explain the class that the
        teacher predicts.
    cosines : Tensor
        Cosine similarity of both maps of each image, (N,), in [-1, 1].
    multilabel : bool
        Whether images have several labels.
    at : callable
        Maps a temperature to `TermsAtTau`; cached. A new temperature costs one backward pass through the logits: maps
        and the gradient of the explanation loss do not depend on it.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> network, images = lab.build_model("bcos_resnet_mini", 3), torch.rand(2, 3, 32, 32)
    >>> terms = loss_terms(network, images, explain(network.eval(), images))
    >>> len(terms), terms.probabilities(tau=1.0)[0].shape
    (2, torch.Size([2, 3]))
    """

    target: Explanation
    student: Explanation
    cosines: Tensor
    multilabel: bool
    at: Callable[[float], TermsAtTau]

    def __len__(self) -> int:
        return len(self.cosines)

    def probabilities(self, tau: float) -> tuple[Tensor, Tensor]:
        """The softened probabilities that the KD loss compares, the teacher's and the student's, (N, K) each.

        Softmax of z / tau as in Eq. 1; with ``multilabel`` the sigmoid as in Eq. C.1.
        """
        teacher, student = (said.logits / tau for said in (self.target, self.student))
        if self.multilabel:
            return teacher.sigmoid(), student.sigmoid()
        return teacher.softmax(1), student.softmax(1)


def loss_terms(
    student: ExplainableModel, images: Tensor, target: Explanation, *, multilabel: bool = False
) -> LossTerms:
    """Both terms of the e2KD loss on a batch, with the gradients that `e2kd_lab.methods.E2KD` would follow.

    The student runs in evaluation mode: batch norm uses running statistics, so that an image's numbers do not depend
    on the rest of the batch. A training step uses batch statistics instead.

    Parameters
    ----------
    student : ExplainableModel
        The network to differentiate, with respect to its parameters that require a gradient. The graph of its logits is
        kept: do not change its parameters while the result is in use.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    target : Explanation
        ``explain(teacher, images)``, the teacher in evaluation mode.
    multilabel : bool
        Images have several labels: the logit loss is Eq. C.1 instead of Eq. 1.

    Returns
    -------
    LossTerms
        With losses averaged over the batch, as in training.

    Raises
    ------
    ExperimentError
        If no parameter of the student requires a gradient.
    ValueError
        If logits or maps of student and teacher differ in shape.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> network, images = lab.build_model("bcos_resnet_mini", 2), torch.rand(2, 3, 32, 32)
    >>> terms = loss_terms(network, images, explain(network.eval(), images))
    >>> round(abs(terms.at(1.0).loss(lam=5.0)), 4)  # a network teaches itself nothing
    0.0
    """
    parameters = [parameter for parameter in student.parameters() if parameter.requires_grad]
    if not parameters:
        raise ExperimentError(
            f"All parameters of this {type(student).__name__} are frozen, so that its losses have no gradients; "
            "expected a student that can be trained."
        )
    logit_loss = multilabel_kd_loss if multilabel else kd_loss
    mode = student.training
    student.eval()
    try:
        with torch.enable_grad():
            own = explain(student, images, target.classes, create_graph=True)
            explanation = explanation_loss(own.maps, target.maps)
            explanation_gradient = _gradient(explanation, parameters)
    finally:
        student.train(mode)
    # Keep the graph of the logits only, not the larger one of the maps.
    logits, explanation_value = own.logits, explanation.item()
    said = Explanation(logits.detach(), own.classes, own.maps.detach())
    cosines = explanation_cosine(said.maps, target.maps)

    @functools.cache
    def at(tau: float) -> TermsAtTau:
        with torch.enable_grad():
            kd = logit_loss(logits, target.logits, tau)
            kd_gradient = _gradient(kd, parameters)
        return TermsAtTau(
            tau,
            kd.item(),
            explanation_value,
            kd_gradient.norm().item(),
            explanation_gradient.norm().item(),
            angle_between(kd_gradient, explanation_gradient),
        )

    return LossTerms(target, said, cosines, multilabel, at)


def angle_between(first: Tensor, second: Tensor) -> float:
    """Angle between two vectors (P,) in degrees, in [0, 180]; nan if one of them is zero.

    Accurate even for nearly parallel vectors, unlike the arc cosine (Kahan, "How futile are mindless assessments
    of roundoff in floating-point computation?", 2006, "Mangled angles").
    """
    sizes = first.norm(), second.norm()
    if not all(sizes):
        return math.nan
    one, other = first / sizes[0], second / sizes[1]
    return 2 * math.degrees(math.atan2((one - other).norm().item(), (one + other).norm().item()))


def _gradient(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Gradient with respect to all parameters as one float64 vector (P,); keeps the graph."""
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts]).double()
