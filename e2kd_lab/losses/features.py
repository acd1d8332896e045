"""Losses on intermediate features: AT, ReviewKD and CAT-KD (Sec. C.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from e2kd_lab.losses.precision import at_least_float32

# Pooled sizes of the hierarchical context loss, each with half the weight of the one before.
_CONTEXT_SIZES = (4, 2, 1)
_CAM_SIZE = 2


def attention_transfer_loss(student_stages: Sequence[Tensor], teacher_stages: Sequence[Tensor]) -> Tensor:
    r"""Mean squared difference of the stages' attention maps (AT; Zagoruyko and Komodakis, ICLR 2017).

    .. math:: \mathcal{L}_{AT} = \sum_l \mathrm{mse}\big(a(F^l_S), a(F^l_T)\big), \qquad
              a(F) = \frac{\mathrm{vec}(\mathrm{mean}_c F_c^2)}{\lVert \mathrm{vec}(\mathrm{mean}_c F_c^2) \rVert}

    Parameters
    ----------
    student_stages, teacher_stages : sequence of Tensor
        Outputs of the stages, (N, C_l, H_l, W_l); after the ReLU for standard networks, unchanged for B-cos ones.
        Channels may differ. If sizes differ, the larger map is average-pooled to the smaller size. The teacher's are
        treated as constants.

    Returns
    -------
    Tensor
        Scalar in [0, 2 L / (H W)] for L stages, in at least float32.

    Raises
    ------
    ValueError
        If the numbers of stages differ or there are none.

    Examples
    --------
    >>> student, teacher = torch.ones(1, 2, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    >>> attention_transfer_loss([student], [teacher])
    tensor(0.2500)
    """
    _same_number("attention_transfer_loss", student_stages, teacher_stages)
    total = torch.zeros((), device=student_stages[0].device)
    for student, teacher in zip(student_stages, teacher_stages, strict=True):
        pair = [at_least_float32(stage).square().mean(dim=1) for stage in (student, teacher.detach())]  # (N, H, W)
        rows, columns = (min(sizes) for sizes in zip(*(p.shape[1:] for p in pair), strict=True))
        a_student, a_teacher = (F.normalize(F.adaptive_avg_pool2d(p, (rows, columns)).flatten(1)) for p in pair)
        total = total + F.mse_loss(a_student, a_teacher)
    return total


def review_kd_loss(student_levels: Sequence[Tensor], teacher_levels: Sequence[Tensor]) -> Tensor:
    r"""Hierarchical context loss over all levels (ReviewKD; Chen et al., CVPR 2021).

    Each level contributes the mean squared difference at its own resolution and average-pooled to 4x4, 2x2 and 1x1,
    with weights 1, 1/2, 1/4, 1/8 divided by their sum. Pooled sizes that are not smaller than the map are skipped.

    Parameters
    ----------
    student_levels, teacher_levels : sequence of Tensor
        Features (N, C_l, H_l, W_l), the same shapes for both; the student's come from
        `e2kd_lab.models.reviewkd_fusion.ReviewFusion`. The teacher's are treated as constants.

    Returns
    -------
    Tensor
        Scalar >= 0, in at least float32.

    Raises
    ------
    ValueError
        If the numbers of levels or two shapes differ.

    Examples
    --------
    >>> review_kd_loss([torch.ones(1, 3, 4, 4)], [torch.zeros(1, 3, 4, 4)])
    tensor(1.)
    """
    _same_number("review_kd_loss", student_levels, teacher_levels)
    total = torch.zeros((), device=student_levels[0].device)
    for student, teacher in zip(student_levels, teacher_levels, strict=True):
        if student.shape != teacher.shape:
            raise ValueError(
                f"review_kd_loss needs levels of equal shapes, got {tuple(student.shape)} and {tuple(teacher.shape)}."
            )
        own, other = at_least_float32(student), at_least_float32(teacher.detach())
        level, weight, weights = F.mse_loss(own, other), 1.0, 1.0
        for size in _CONTEXT_SIZES:
            if size < own.shape[2]:
                weight /= 2
                weights += weight
                pooled = [F.adaptive_avg_pool2d(features, size) for features in (own, other)]
                level = level + weight * F.mse_loss(pooled[0], pooled[1])
        total = total + level / weights
    return total


def class_attention_loss(student_maps: Tensor, teacher_maps: Tensor) -> Tensor:
    r"""Mean squared difference of normalised class activation maps (CAT-KD; Guo et al., CVPR 2023).

    The maps are average-pooled to 2x2 and divided, per image and class, by their L2 norm over space.

    Parameters
    ----------
    student_maps, teacher_maps : Tensor
        The classifier applied at every position of the last feature map, (N, K, H, W); sizes may differ. The
        teacher's are treated as constants.

    Returns
    -------
    Tensor
        Scalar in [0, 1], in at least float32.

    Raises
    ------
    ValueError
        If the numbers of images or classes differ.

    Examples
    --------
    >>> student, teacher = torch.ones(1, 1, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    >>> class_attention_loss(student, teacher)
    tensor(0.2500)
    """
    if student_maps.shape[:2] != teacher_maps.shape[:2]:
        raise ValueError(
            f"class_attention_loss needs maps (N, K, H, W) with the same N and K, "
            f"got {tuple(student_maps.shape)} and {tuple(teacher_maps.shape)}."
        )
    student, teacher = (
        F.normalize(F.adaptive_avg_pool2d(at_least_float32(maps), _CAM_SIZE).flatten(2), dim=2)  # (N, K, 4)
        for maps in (student_maps, teacher_maps.detach())
    )
    return F.mse_loss(student, teacher)


def _same_number(name: str, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> None:
    if len(student) != len(teacher) or not student:
        raise ValueError(f"{name} needs as many levels of the student as of the teacher, got {len(student)} and "
                         f"{len(teacher)}.")  # fmt: skip
