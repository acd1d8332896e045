"""Knowledge distillation from the logits of multi-label classifiers (MLD, Eq. C.1)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.logit_pair import require_logit_pair
from e2kd_lab.losses.precision import at_least_float32


def multilabel_kd_loss(
    student_logits: Tensor, teacher_logits: Tensor, tau: float = 1.0, *, tau_power: int = 1
) -> Tensor:
    r"""Multi-label logit distillation with a temperature (MLD, Eq. C.1; Yang et al., ICCV 2023).

    .. math:: \mathcal{L}_{MLD} = \tau \, \frac1N \sum_n \sum_k D_{KL}\big([p_T^{(k)}, 1 - p_T^{(k)}] \,\Vert\,
              [p_S^{(k)}, 1 - p_S^{(k)}]\big), \qquad p_M = \sigma(z_M / \tau)

    Each class is a binary decision of its own. The divergence is written with log-sigmoids, so that it stays finite
    where a probability rounds to 0 or 1.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        Logits, shape (N, K), N >= 1. The teacher's are treated as constants.
    tau : float
        Temperature, > 0.
    tau_power : int
        Power of tau in front of the sum: 1 as in Eq. C.1; 2 as in the authors' code and in Eq. 1, which keeps the
        size of the gradient independent of tau.

    Returns
    -------
    Tensor
        Scalar >= 0, zero where student and teacher agree, in at least float32 also under autocast.

    Raises
    ------
    ValueError
        If the shapes differ, tau is not positive or tau_power is neither 1 nor 2.

    Examples
    --------
    >>> import torch
    >>> student, teacher = torch.tensor([[0.0]]), torch.tensor([[0.75]]).logit()
    >>> multilabel_kd_loss(student, teacher)  # 0.75 log(0.75 / 0.5) + 0.25 log(0.25 / 0.5)
    tensor(0.1308)
    """
    require_logit_pair("multilabel_kd_loss", student_logits, teacher_logits, tau)
    if tau_power not in (1, 2):
        raise ValueError(f"multilabel_kd_loss needs tau_power 1 or 2, got {tau_power}.")
    student = at_least_float32(student_logits) / tau
    teacher = at_least_float32(teacher_logits.detach()) / tau
    present, absent = (  # p_T (log p_T - log p_S), and the same for 1 - p: sigmoid(-z) = 1 - sigmoid(z)
        F.kl_div(F.logsigmoid(sign * student), F.logsigmoid(sign * teacher), reduction="batchmean", log_target=True)
        for sign in (1, -1)
    )
    return tau**tau_power * (present + absent)
