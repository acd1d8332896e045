"""Images with several labels as a torch data set; transforms apply to image and boxes together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from e2kd_lab.data.boxes import box_masks
from e2kd_lab.data.findings import note_repairs
from e2kd_lab.data.images import Picture, read_picture
from e2kd_lab.data.orientation import turned_boxes
from e2kd_lab.data.voc_annotation import VocImage
from e2kd_lab.system.errors import DataError


class VocSplit(Dataset):
    """Images with several labels as a data set of dictionaries.

    A sample has ``image`` (uint8 (3, H, W) before the transform), ``label`` (float (C,), 1 for every class in the
    image) and ``index``. A transform applies to image and boxes together; boxes are clipped to a crop and
    dropped if nothing remains. Labels describe the image, not the crop, so they keep the classes of dropped boxes.

    Parameters
    ----------
    images : sequence of VocImage
        What the set holds, in order.
    classes : sequence of str
        Names of the C classes.
    transform : callable, optional
        A torchvision v2 transform.
    boxes : bool
        Add ``boxes`` (float (N, 4), x1, y1, x2, y2 in pixels of the transformed image) and ``box_labels`` (int (N,)) to
        a sample. Their number varies, so that batches need a collate function.
    masks : bool
        Add ``box_mask`` (bool (C, H, W)) to a sample: the union of each class's boxes.
    cache : bool
        Keep decoded images in memory.

    Attributes
    ----------
    labels : Tensor
        Labels of all images, float (len, C).
    """

    def __init__(
        self,
        images: Sequence[VocImage],
        classes: Sequence[str],
        *,
        transform: Callable | None = None,
        boxes: bool = False,
        masks: bool = False,
        cache: bool = False,
    ) -> None:
        self.images, self.classes = tuple(images), tuple(classes)
        self.transform, self.boxes, self.masks = transform, boxes, masks
        self._decoded: dict[int, tuple[Tensor, int]] | None = {} if cache else None
        if not self.images:
            raise DataError("A data set of VOC images is empty; expected at least one image.")
        self.labels = torch.zeros(len(self.images), len(self.classes))
        for row, image in zip(self.labels, self.images, strict=True):
            row[list(image.labels)] = 1

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        described = self.images[index]
        image, orientation = self._read(index)
        sample: dict[str, Any] = {"image": image}
        if self.boxes or self.masks:
            # float: transforms of integer boxes truncate after a resize
            corners = torch.tensor(described.boxes, dtype=torch.float32).reshape(-1, 4)
            corners = turned_boxes(corners, described.width, described.height, orientation)
            canvas = (image.shape[1], image.shape[2])
            sample["boxes"] = tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=canvas)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.boxes or self.masks:
            sample |= self._objects(
                sample["image"], sample.pop("boxes"), torch.tensor(described.labels, dtype=torch.long)
            )
        return {**sample, "label": self.labels[index].clone(), "index": index}

    def _read(self, index: int) -> tuple[Tensor, int]:
        """The image before the transform, uint8 (3, H, W), and the orientation in which its boxes are given."""
        if self._decoded is not None and index in self._decoded:
            return self._decoded[index]
        picture, orientation = read_annotated(self.images[index])
        note_repairs(picture.repairs)
        read = picture.image(), orientation
        if self._decoded is not None:
            self._decoded[index] = read
        return read

    def _objects(self, image: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        height, width = image.shape[-2:]
        boxes = boxes.as_subclass(Tensor)
        left = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        boxes, labels = boxes[left], labels[left]
        objects = {"boxes": boxes, "box_labels": labels} if self.boxes else {}
        if self.masks:
            objects["box_mask"] = box_masks(boxes, labels, len(self.classes), height, width)
        return objects


def read_annotated(described: VocImage) -> tuple[Picture, int]:
    """An annotated image, upright, and the EXIF orientation in which its boxes are given.

    Boxes are those of the image as it is stored, unless the annotation has the size of the upright image alone.

    Raises
    ------
    DataError
        If it cannot be decoded, or its size is not the one that its annotation gives.
    """
    picture = read_picture(described.path)
    annotated = (described.width, described.height)
    if picture.stored_size == annotated:
        return picture, picture.orientation
    if picture.size == annotated:
        return picture, 1
    width, height = picture.size
    raise DataError(
        f"Image {described.path} has {width}x{height} pixels; expected {described.width}x{described.height}, "
        f"as {described.annotation} says."
    )
