"""Training images with a frozen teacher's logits and explanations (Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as TF

from e2kd_lab.data.frozen import FrozenTeacher
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.training_crops import Box, Crop, read_crop


class FrozenImages(Dataset):
    """Training images with the frozen teacher's logits and maps; image and map are cropped and flipped together.

    A sample has ``image`` (uint8 (3, size, size)), ``label``, ``index``, ``teacher_logits`` (K,) of the whole image,
    and ``teacher_map`` (C, size, size).

    Parameters
    ----------
    images : LabelledImages
        The images, without a transform.
    names : sequence of str
        Their names in the cache.
    cache : FrozenTeacher
        The frozen teacher.
    size : int
        Side of the crops in pixels.
    scale : tuple of float
        Range of the share of the image's area that a crop covers.

    Raises
    ------
    DataError
        If an image is not in the cache; when it is read, if its file has another content than the frozen one.
    """

    def __init__(
        self,
        images: LabelledImages,
        names: Sequence[str],
        cache: FrozenTeacher,
        size: int,
        scale: tuple[float, float] = (0.08, 1.0),
    ) -> None:
        self.images, self.names, self.cache, self.size, self.scale = images, list(names), cache, size, scale
        for name in self.names:
            cache.row(name)
        self._recognised: set[int] = set()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name = self.names[index]
        if index not in self._recognised:
            self.cache.require_image(name, self.images.images[index].path)
            self._recognised.add(index)
        crop = self._crop(index)
        flip = bool(torch.rand(()) < 0.5)
        whole = self.cache.map(name)
        return {
            "image": TF.horizontal_flip(crop.image) if flip else crop.image,
            **self.images.facts(index),
            "teacher_logits": self.cache.logits(name),
            "teacher_map": crop_map(whole, crop.box, crop.picture_size, self.size, flip=flip),
        }

    def _crop(self, index: int) -> Crop:
        size = (self.size, self.size)
        if self.images.reduced or not self.images.keeps:
            return read_crop(self.images.images[index].path, self._draw, size, self.images.reduced)
        image = self.images.picture(index)
        height, width = image.shape[-2:]
        box = self._draw(height, width)
        return Crop(TF.resized_crop(image, *box, list(size), antialias=True), box, (height, width))

    def _draw(self, height: int, width: int) -> Box:
        whole = torch.empty(3, height, width, device="meta")
        return RandomResizedCrop.get_params(whole, list(self.scale), [3 / 4, 4 / 3])


def crop_map(
    whole: Tensor, box: tuple[int, int, int, int], image_size: tuple[int, int], size: int, *, flip: bool = False
) -> Tensor:
    """Crop a map as its image.

    Parameters
    ----------
    whole : Tensor
        Map of the whole image, (C, h, w), of any resolution.
    box : tuple of int
        Top, left, height and width of the crop in the image's pixels.
    image_size : tuple of int
        Height and width of the image.
    size : int
        Side of the resized crop in pixels.
    flip : bool
        Mirror the result.

    Returns
    -------
    Tensor
        (C, size, size), bilinearly interpolated; exact where output and map pixels coincide.
    """
    top, left, height, width = box
    steps = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    rows = (2 * (top + height * steps) / image_size[0] - 1).to(whole.dtype)
    columns = (2 * (left + width * (1 - steps if flip else steps)) / image_size[1] - 1).to(whole.dtype)
    grid = torch.stack([columns.expand(size, size), rows[:, None].expand(size, size)], dim=-1)
    return F.grid_sample(whole[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
