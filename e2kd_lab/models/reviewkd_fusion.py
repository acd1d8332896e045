"""Attention-based fusion of ReviewKD (Chen et al., CVPR 2021): fuses the student's levels from deep to shallow.

It is trained together with the student and discarded afterwards. Its convolutions and norms are ordinary ones, for
B-cos students, too (Sec. C.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_MIDDLE = 512


class AttentionBasedFusion(nn.Module):
    """Attention-based fusion (ABF) of one level with the fused deeper levels.

    Parameters
    ----------
    in_channels, middle, out_channels : int
        Channels of the student's level, of what is passed on to the next level, and of the teacher's level.
    deepest : bool
        Whether nothing comes from a deeper level.
    """

    def __init__(self, in_channels: int, middle: int, out_channels: int, *, deepest: bool) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(in_channels, middle, 1, bias=False), nn.BatchNorm2d(middle))
        self.expand = nn.Sequential(
            nn.Conv2d(middle, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.attend = None if deepest else nn.Conv2d(2 * middle, 2, 1)
        for part in (self.reduce, self.expand):
            nn.init.kaiming_uniform_(part[0].weight, a=1)  # type: ignore[arg-type]

    def forward(self, x: Tensor, deeper: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Fuse (N, in_channels, H, W) with the deeper level's output.

        Returns
        -------
        level, passed_on : Tensor
            (N, out_channels, *size) for the loss, and (N, middle, *size) for the next level.
        """
        x = self.reduce(x)
        if self.attend is not None and deeper is not None:
            deeper = F.interpolate(deeper, x.shape[-2:], mode="nearest")
            gate = torch.sigmoid(self.attend(torch.cat([x, deeper], dim=1)))  # (N, 2, H, W)
            x = x * gate[:, :1] + deeper * gate[:, 1:]
        if x.shape[-2:] != size:
            x = F.interpolate(x, size, mode="nearest")
        return self.expand(x), x


class ReviewFusion(nn.Module):
    """All levels of a student, brought to the shapes of the teacher's.

    Parameters
    ----------
    student_channels, teacher_channels : sequence of int
        Channels of the levels, the shallowest first.
    middle : int, optional
        Channels of what is passed between levels; 512, or the teacher's largest number if that is smaller.
    """

    def __init__(
        self, student_channels: Sequence[int], teacher_channels: Sequence[int], middle: int | None = None
    ) -> None:
        super().__init__()
        middle = min(_MIDDLE, max(teacher_channels)) if middle is None else middle
        deepest = len(student_channels) - 1
        pairs = zip(student_channels, teacher_channels, strict=True)
        self.levels = nn.ModuleList(
            AttentionBasedFusion(own, middle, other, deepest=number == deepest)
            for number, (own, other) in enumerate(pairs)
        )

    def forward(self, levels: Sequence[Tensor], sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Fuse the levels (N, C_l, H_l, W_l) to features of the teacher's channels and the given sizes."""
        fused: list[Tensor] = []
        passed_on: Tensor | None = None
        for fusion, level, size in zip(reversed(self.levels), reversed(levels), reversed(sizes), strict=True):
            out, passed_on = fusion(level, passed_on, size)
            fused.insert(0, out)
        return fused
