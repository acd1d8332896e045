"""The explanation term of e2KD."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.precision import at_least_float32

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


def explanation_loss(student_maps: Tensor, teacher_maps: Tensor) -> Tensor:
    r"""One minus the cosine similarity of the two models' explanations, averaged over the batch (Eq. 3).

    .. math:: \mathcal{L}_{exp} = \frac1N \sum_n 1 - \cos(\mathrm{vec}\,E_T, \mathrm{vec}\,E_S)

    Both maps explain the class that the teacher predicts. An all-zero map has cosine 0 with everything.

    Parameters
    ----------
    student_maps, teacher_maps : Tensor
        Explanations, shape (N, C, H, W). The teacher's are treated as constants.

    Returns
    -------
    Tensor
        Scalar in [0, 2], in at least float32 also under autocast.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if student_maps.shape != teacher_maps.shape:
        raise ValueError(
            f"explanation_loss needs student and teacher maps of one shape, "
            f"got {tuple(student_maps.shape)} and {tuple(teacher_maps.shape)}."
        )
    # In the order in which the student's lie in memory, so that nothing is copied.
    is_channels_last = student_maps.is_contiguous(memory_format=torch.channels_last)
    order = (0, 2, 3, 1) if is_channels_last else (0, 1, 2, 3)
    student = at_least_float32(student_maps).permute(order).flatten(1)
    teacher = at_least_float32(teacher_maps.detach()).permute(order).flatten(1)
    return (1 - F.cosine_similarity(student, teacher, dim=1)).mean()
