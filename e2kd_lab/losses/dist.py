"""DIST: matching relations instead of probabilities (Huang et al., NeurIPS 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.losses.logit_pair import require_logit_pair
from e2kd_lab.losses.precision import at_least_float32

# As in the authors' program; it fades out classes that hardly any image of the batch has a probability of.
_LEAST_NORM = 1e-8


def dist_loss(
    student_logits: Tensor, teacher_logits: Tensor, beta: float = 2.0, gamma: float = 2.0, tau: float = 1.0
) -> Tensor:
    r"""One minus the Pearson correlations of the class probabilities of an image, and of the images of a class.

    .. math:: \mathcal{L}_{DIST} = \tau^2 \Big( \frac{\beta}{N} \sum_n 1 - \rho(p_S^{(n,:)}, p_T^{(n,:)})
              + \frac{\gamma}{K} \sum_k 1 - \rho(p_S^{(:,k)}, p_T^{(:,k)}) \Big), \qquad p = \mathrm{softmax}(z / \tau)

    (eq. 7 to 10 of the paper; the first is its inter-class, the second its intra-class relation). With two classes the
    first correlation is 1 or -1 and has no gradient; with one image the second is 0.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        Logits, shape (N, K). The teacher's are treated as constants.
    beta, gamma : float
        Weights of the inter-class and of the intra-class relation, >= 0.
    tau : float
        Temperature, > 0.

    Returns
    -------
    Tensor
        Scalar >= 0, in at least float32 also under autocast.

    Raises
    ------
    ValueError
        If the shapes differ or tau is not positive.

    Examples
    --------
    >>> student, teacher = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    >>> dist_loss(student, teacher, gamma=0.0)  # the correlation is -0.5
    tensor(3.)
    """
    require_logit_pair("dist_loss", student_logits, teacher_logits, tau)
    student = (at_least_float32(student_logits) / tau).softmax(1)
    teacher = (at_least_float32(teacher_logits.detach()) / tau).softmax(1)
    inter, intra = (1 - _correlation(student, teacher)).mean(), (1 - _correlation(student.T, teacher.T)).mean()
    return tau**2 * (beta * inter + gamma * intra)


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation of each row of two matrices (R, C), (R,)."""
    first, second = first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True)
    norms = torch.linalg.vector_norm(first, dim=1) * torch.linalg.vector_norm(second, dim=1)
    return (first * second).sum(1) / (norms + _LEAST_NORM)
