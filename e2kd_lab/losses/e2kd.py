"""The loss of explanation-enhanced knowledge distillation (Eq. 2)."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

Value = TypeVar("Value", Tensor, float)


def e2kd_loss(kd: Value, explanation: Value, lam: float) -> Value:
    r"""The loss of explanation-enhanced knowledge distillation (Eq. 2).

    .. math:: \mathcal{L} = \mathcal{L}_{KD} + \lambda \, \mathcal{L}_{exp}

    Parameters
    ----------
    kd : Tensor or float
        The logit loss, for instance `kd_loss` (Eq. 1), a scalar >= 0.
    explanation : Tensor or float
        `explanation_loss` (Eq. 3), a scalar in [0, 2].
    lam : float
        Weight, >= 0.

    Returns
    -------
    Tensor or float
        Scalar >= 0.

    Examples
    --------
    >>> e2kd_loss(0.5, 0.1, lam=5.0)
    1.0
    """
    return kd + lam * explanation
