"""Top-1 agreement of student and teacher (Eq. 4)."""

from __future__ import annotations

from torch import Tensor


def agreement(student_logits: Tensor, teacher_logits: Tensor) -> float:
    """Share of images for which student and teacher predict the same class (Eq. 4).

    Parameters
    ----------
    student_logits, teacher_logits : Tensor
        Logits, (N, K), N >= 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If the shapes differ or there is no image.

    Examples
    --------
    >>> import torch
    >>> student, teacher = torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> agreement(student, teacher)
    0.5
    """
    if student_logits.shape != teacher_logits.shape or student_logits.ndim != 2 or not len(student_logits):
        raise ValueError(
            f"agreement needs student and teacher logits of one shape (N, K) with N >= 1, "
            f"got {tuple(student_logits.shape)} and {tuple(teacher_logits.shape)}."
        )
    return (student_logits.argmax(1) == teacher_logits.argmax(1)).double().mean().item()
