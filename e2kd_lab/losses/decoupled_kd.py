"""Decoupled knowledge distillation (DKD; Zhao et al., CVPR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.logit_pair import require_logit_pair
from e2kd_lab.losses.precision import at_least_float32


def dkd_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    alpha: float = 1.0,
    beta: float = 8.0,
    tau: float = 4.0,
) -> Tensor:
    r"""KD of the target class against the rest (TCKD), and of the other classes among each other (NCKD).

    .. math:: \mathcal{L}_{DKD} = \tau^2 \, \frac1N \sum_n \alpha \, KL(b_T \| b_S) + \beta \, KL(\hat p_T \| \hat p_S)

    (eq. 7 of the paper). With :math:`p = \mathrm{softmax}(z / \tau)` and target class t, :math:`b = (p_t, 1 - p_t)` and
    :math:`\hat p` is the softmax over the classes other than t. KD (Eq. 1) is :math:`\alpha = 1` with
    :math:`\beta = 1 - p_{T,t}` for each image. With two classes NCKD is zero.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        Logits, shape (N, K), K >= 2. The teacher's are treated as constants.
    labels : Tensor
        Target class of each image, integers (N,).
    alpha, beta : float
        Weights of TCKD and NCKD, >= 0.
    tau : float
        Temperature, > 0.

    Returns
    -------
    Tensor
        Scalar >= 0, in at least float32 also under autocast; zero when student and teacher agree.

    Raises
    ------
    ValueError
        If the shapes differ, tau is not positive, or labels are no class indices (N,).

    Examples
    --------
    >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.75, 0.25]]).log()
    >>> dkd_loss(student, teacher, torch.tensor([0]), tau=1.0)  # two classes: TCKD alone, which then is KD
    tensor(0.1308)
    """
    require_logit_pair("dkd_loss", student_logits, teacher_logits, tau)
    if labels.shape != student_logits.shape[:1] or labels.is_floating_point():
        raise ValueError(
            f"dkd_loss needs one class index an image (N,), got labels of shape {tuple(labels.shape)} and type "
            f"{labels.dtype}, such as those of mixup or of several classes an image."
        )
    target, rest = _decoupled(at_least_float32(student_logits) / tau, labels)
    teacher_target, teacher_rest = _decoupled(at_least_float32(teacher_logits.detach()) / tau, labels)
    tckd = F.kl_div(target, teacher_target, reduction="batchmean", log_target=True)
    nckd = F.kl_div(rest, teacher_rest, reduction="batchmean", log_target=True)
    return tau**2 * (alpha * tckd + beta * nckd)


def _decoupled(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of target and rest, (N, 2), and of the other classes among each other, (N, K - 1)."""
    places = torch.arange(logits.shape[1] - 1, device=logits.device).expand(len(logits), -1)
    others = logits.gather(1, places + (places >= labels[:, None]))
    target = logits.gather(1, labels[:, None])
    binary = torch.cat([target, others.logsumexp(1, keepdim=True)], dim=1).log_softmax(1)
    return binary, others.log_softmax(1)
