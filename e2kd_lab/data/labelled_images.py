"""Labelled image files as a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.images import view_image
from e2kd_lab.data.training_crops import Box, read_crop
from e2kd_lab.system.errors import DataError


class LabelledImages(Dataset):
    """Images as a data set of dictionaries with ``image`` (uint8 (3, H, W) before the transform), ``label``, ``index``.

    If images have groups, samples have ``group`` and the set has ``groups``.

    Parameters
    ----------
    images : sequence of LabelledImage
        What the set holds, in order.
    transform : callable, optional
        A torchvision v2 transform.
    cache : bool
        Keep decoded images in memory.
    reduced : float, optional
        Decode JPEG files at reduced size where a crop of the transform, or of `FrozenImages`, keeps so many pixels (see
        `e2kd_lab.data.training_crops.read_crop`).
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        *,
        transform: Callable | None = None,
        cache: bool = False,
        reduced: float | None = None,
    ) -> None:
        self.images, self.transform, self.reduced = list(images), transform, reduced
        self.labels = torch.tensor([image.label for image in self.images])
        groups = [image.group for image in self.images if image.group is not None]
        if groups:
            self.groups = torch.tensor(groups)
        self._decoded: dict[int, tv_tensors.Image] | None = {} if cache else None
        if not self.images:
            raise DataError("A data set of labelled images is empty; expected at least one image.")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        picture: Any
        if self._crops and (self.reduced or not self.keeps):
            picture = self._cropped(self.images[index].path, *self.transform.transforms)  # type: ignore[union-attr]
        else:
            picture = self.picture(index)
            if self.transform is not None:
                picture = self.transform(picture)
        if not picture.is_contiguous():
            picture = tv_tensors.wrap(picture.contiguous(), like=picture)
        return {"image": picture, **self.facts(index)}

    @property
    def keeps(self) -> bool:
        """Whether decoded images stay in memory."""
        return self._decoded is not None

    def picture(self, index: int) -> tv_tensors.Image:
        """A decoded picture, uint8 (3, H, W); each pixel's channels lie side by side in memory."""
        if self._decoded is None:
            return view_image(self.images[index].path)
        if index not in self._decoded:
            self._decoded[index] = view_image(self.images[index].path)
        return self._decoded[index]

    def facts(self, index: int) -> dict[str, int]:
        """What a sample has beside its picture."""
        image = self.images[index]
        group = {} if image.group is None else {"group": image.group}
        return {"label": image.label, **group, "index": index}

    @property
    def _crops(self) -> bool:
        """Whether the transform begins with a random crop, so that no more of a picture is needed."""
        transform = self.transform
        return isinstance(transform, v2.Compose) and type(transform.transforms[0]) is v2.RandomResizedCrop

    def _cropped(self, path: Path, crop: v2.RandomResizedCrop, *others: v2.Transform) -> Any:
        """What the transform makes of a picture, with the same random numbers."""

        def draw(height: int, width: int) -> Box:
            params = crop.make_params([tv_tensors.Image(torch.empty(3, height, width, device="meta"))])
            return params["top"], params["left"], params["height"], params["width"]

        height, width = crop.size
        picture: Any = read_crop(path, draw, (height, width), self.reduced).image
        for transform in others:
            picture = transform(picture)
        return picture
