"""A frozen teacher of noise, to time and to weigh what stored explanations cost before a teacher is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from e2kd_lab.data.frozen import FrozenTeacher, FrozenWriter
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.images import content_digest


def frozen_noise(
    folder: Path, spec: FrozenSpec, images: Sequence[LabelledImage], names: Sequence[str]
) -> FrozenTeacher:
    """Fill a cache with noise as heavy-tailed as weights of W(x) are, which sizes and times of codes depend on.

    Parameters
    ----------
    folder : Path
        The cache.
    spec : FrozenSpec
        Its content and format.
    images, names : sequence
        The images, and their names in the cache.
    """
    writer = FrozenWriter(folder, spec, names)
    generator = torch.Generator().manual_seed(0)
    for rows in writer.missing():
        logits = torch.randn(len(rows), spec.classes, generator=generator)
        maps = torch.randn(len(rows), spec.channels, spec.view, spec.view, generator=generator) ** 3
        writer.write(rows, logits, maps, [content_digest(images[row].path) for row in rows])
    return FrozenTeacher(folder)
