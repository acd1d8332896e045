"""Transforms for training and evaluation (Sec. C.1), as torchvision v2 transforms.

They take an image, a mask, or a dictionary of both. Images stay uint8: scaling to [0, 1] is cheaper on the device
(`as_unit_range`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F


def train_transform(
    size: int | tuple[int, int], scale: tuple[float, float] = (0.08, 1.0), rand_augment: int = 0
) -> v2.Transform:
    """Random resized crop and horizontal flip, then RandAugment.

    Parameters
    ----------
    size : int or tuple of int
        Side, or height and width, of the result in pixels. Aspect ratios of crops vary by up to a third.
    scale : tuple of float
        Range of the share of the image's area that a crop covers.
    rand_augment : int
        Magnitude of RandAugment's two operations, up to 30; 0 for none. Masks are not augmented.
    """
    shape = 1.0 if isinstance(size, int) else size[1] / size[0]
    ratio = (3 / 4 * shape, 4 / 3 * shape)
    parts = [v2.RandomResizedCrop(size, scale=scale, ratio=ratio, antialias=True), v2.RandomHorizontalFlip()]
    if rand_augment:
        parts.append(v2.RandAugment(magnitude=rand_augment, interpolation=v2.InterpolationMode.BILINEAR))
    return v2.Compose(parts)


def eval_transform(size: int | tuple[int, int], resize: int | tuple[int, int]) -> v2.Transform:
    """Resize the smaller side and crop the centre.

    Parameters
    ----------
    size : int or tuple of int
        Side, or height and width, of the crop in pixels.
    resize : int or tuple of int
        Smaller side of the resized image, or height and width to cover, in pixels; at least ``size``.
    """
    first = v2.Resize(resize, antialias=True) if isinstance(resize, int) else _Cover(*resize)
    return v2.Compose([first, v2.CenterCrop(size)])


class _Cover(v2.Transform):
    """Resize, keeping the aspect ratio, to the smallest size that covers a height and a width."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = F.get_size(flat_inputs[0])
        scale = max(self.height / height, self.width / width)
        return {"size": [max(self.height, round(height * scale)), max(self.width, round(width * scale))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.resize(inpt, params["size"], antialias=True)


def as_unit_range(images: Tensor) -> Tensor:
    """uint8 images (N, 3, H, W) as float32 in [0, 1]; floating-point images unchanged."""
    return images if images.is_floating_point() else images.float() / 255


@contextmanager
def seeded(*position: int) -> Iterator[None]:
    """Seed torch's random draws inside the block with the given integers; restore the generator afterwards.

    Augmentation is seeded by its position (seed, epoch, image) instead of drawn from a running stream, so that resumed
    runs and any number of workers draw the same.
    """
    digest = hashlib.blake2b(repr(position).encode(), digest_size=8).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest, "little") >> 1)
        yield
