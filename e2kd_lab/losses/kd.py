"""Knowledge distillation from logits (KD, Eq. 1)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.logit_pair import require_logit_pair
from e2kd_lab.losses.precision import at_least_float32


def kd_loss(student_logits: Tensor, teacher_logits: Tensor, tau: float = 1.0) -> Tensor:
    r"""Temperature-scaled divergence KL(p_T || p_S) of the class distributions (KD, Eq. 1).

    .. math:: \mathcal{L}_{KD} = \tau^2 \, \frac1N \sum_n \sum_k p_T^{(k)} (\log p_T^{(k)} - \log p_S^{(k)}),
              \qquad p_M = \mathrm{softmax}(z_M / \tau)

    Unlike the paper's Eq. 1 this keeps the teacher's entropy, a constant: the gradient is the same, and the loss is
    zero when student and teacher agree.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        Logits, shape (N, K). The teacher's are treated as constants.
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
    >>> import torch
    >>> student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.75, 0.25]]).log()
    >>> kd_loss(student, teacher)  # 0.75 log(0.75 / 0.5) + 0.25 log(0.25 / 0.5)
    tensor(0.1308)
    """
    require_logit_pair("kd_loss", student_logits, teacher_logits, tau)
    log_p_student = F.log_softmax(at_least_float32(student_logits) / tau, dim=1)
    log_p_teacher = F.log_softmax(at_least_float32(teacher_logits.detach()) / tau, dim=1)
    return tau**2 * F.kl_div(log_p_student, log_p_teacher, reduction="batchmean", log_target=True)
