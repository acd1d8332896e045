"""The input of one training step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """The input of `Distiller.step`.

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    labels : Tensor
        Class indices (N,), or class probabilities (N, K) after mixup or for multi-label data.
    teacher_logits, teacher_maps : Tensor or None
        Stored logits (N, K) and maps (N, C, H, W) of a frozen teacher (Sec. 3.3); None with a live teacher.
    masks : Tensor or None
        Object masks for guidance: per class (N, K, H, W), or of the only object (N, 1, H, W).
    step : int
        Number of steps before this one.

    Examples
    --------
    >>> import torch
    >>> Batch(torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])).teacher_maps is None
    True
    """

    images: Tensor
    labels: Tensor
    teacher_logits: Tensor | None = None
    teacher_maps: Tensor | None = None
    masks: Tensor | None = None
    step: int = 0
