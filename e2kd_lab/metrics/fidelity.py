"""How faithfully a student follows its teacher, image by image."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


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
    """
    if student_logits.shape != teacher_logits.shape or student_logits.ndim != 2 or not len(student_logits):
        raise ValueError(
            f"agreement needs student and teacher logits of one shape (N, K) with N >= 1, "
            f"got {tuple(student_logits.shape)} and {tuple(teacher_logits.shape)}."
        )
    return (student_logits.argmax(1) == teacher_logits.argmax(1)).double().mean().item()


def explanation_cosine(student_maps: Tensor, teacher_maps: Tensor) -> Tensor:
    """Cosine similarity of two explanations of the same class, per image.

    Parameters
    ----------
    student_maps, teacher_maps : Tensor
        Maps, (N, C, H, W).

    Returns
    -------
    Tensor
        (N,), in [-1, 1]; 0 where a map is all zero.
    """
    return F.cosine_similarity(student_maps.flatten(1), teacher_maps.flatten(1), dim=1)


def dead_maps(maps: Tensor) -> Tensor:
    """Which explanation maps are zero everywhere, so that they explain nothing and their cosine is 0.

    Parameters
    ----------
    maps : Tensor
        Maps, (N, C, H, W).

    Returns
    -------
    Tensor
        Booleans (N,).
    """
    over = (1, 2, 3)
    return (maps.amax(over) == 0) & (maps.amin(over) == 0)  # many times as fast as counting
