"""The explanation term of e2KD: cosine similarity of explanations (Eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.precision import at_least_float32


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

    Examples
    --------
    >>> student, teacher = torch.ones(1, 1, 2, 2), torch.eye(2)[None, None]
    >>> explanation_loss(student, teacher)  # 1 - 1 / sqrt(2)
    tensor(0.2929)
    """
    if student_maps.shape != teacher_maps.shape:
        raise ValueError(
            f"explanation_loss needs student and teacher maps of one shape, "
            f"got {tuple(student_maps.shape)} and {tuple(teacher_maps.shape)}."
        )
    # Flattened in the student's memory order, which avoids a copy.
    is_channels_last = student_maps.is_contiguous(memory_format=torch.channels_last)
    order = (0, 2, 3, 1) if is_channels_last else (0, 1, 2, 3)
    student = at_least_float32(student_maps).permute(order).flatten(1)
    teacher = at_least_float32(teacher_maps.detach()).permute(order).flatten(1)
    return (1 - F.cosine_similarity(student, teacher, dim=1)).mean()
