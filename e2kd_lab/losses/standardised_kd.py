"""KD on standardised logits (Sun et al., CVPR 2024)."""

from __future__ import annotations

from torch import Tensor

from e2kd_lab.losses.kd import kd_loss
from e2kd_lab.losses.logit_pair import require_logit_pair
from e2kd_lab.losses.precision import at_least_float32

_LEAST_DEVIATION = 1e-7  # as in the authors' program


def standardised_kd_loss(student_logits: Tensor, teacher_logits: Tensor, tau: float = 2.0) -> Tensor:
    r"""KD (Eq. 1) on logits of mean 0 and standard deviation 1 over the classes.

    .. math:: \mathcal{L} = \mathcal{L}_{KD}(\mathcal{Z}(z_S), \mathcal{Z}(z_T)), \qquad
              \mathcal{Z}(z) = \frac{z - \mathrm{mean}_k\, z}{\mathrm{std}_k\, z}

    (Algorithm 1 of the paper). The student need not match the size of the teacher's logits. The standard deviation is
    that of a sample, as in the authors' program. With two classes standardised logits are constants.

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        Logits, shape (N, K), K >= 2. The teacher's are treated as constants.
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
    >>> teacher = torch.tensor([[1.0, 2.0, 4.0]])
    >>> abs(standardised_kd_loss(3 * teacher + 1, teacher).item()) < 1e-6
    True
    """
    require_logit_pair("standardised_kd_loss", student_logits, teacher_logits, tau)
    student, teacher = _standardised(student_logits), _standardised(teacher_logits)
    return kd_loss(student, teacher, tau)


def _standardised(logits: Tensor) -> Tensor:
    logits = at_least_float32(logits)
    return (logits - logits.mean(1, keepdim=True)) / (logits.std(1, keepdim=True) + _LEAST_DEVIATION)
