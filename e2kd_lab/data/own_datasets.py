"""A researcher's own torch data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image as PILImage
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset
from torchvision import tv_tensors

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.high_range import is_high_range
from e2kd_lab.data.images import as_image
from e2kd_lab.data.own_data import OwnData, check_names
from e2kd_lab.data.reading import reading
from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.data.transforms import seeded
from e2kd_lab.system.errors import DataError, shown

_ITEM = "expected (image, label) or a dictionary with image and label"
_IMAGE = "expected a PIL image, a uint8 tensor or a floating-point one in [0, 1], (3, H, W) or (1, H, W)"
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class OwnDatasets(OwnData):
    """Own data as three torch data sets of images and labels.

    Attributes
    ----------
    version : str
        The researcher's name for the content; identifies the data in place of a digest of all pixels.
    sets : tuple of Dataset
        Training, validation and test.
    numbers, group_numbers : tuple of tuple of int
        Label and, with groups, group of each image.
    """

    version: str
    sets: tuple[Dataset, Dataset, Dataset]
    classes: tuple[str, ...]
    numbers: tuple[tuple[int, ...], ...]
    groups: tuple[str, ...] = ()
    group_numbers: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def split(self, name: Split, transform: Callable | None = None, fit: Callable | None = None) -> Dataset:
        """See `OwnData.split`."""
        place = SPLITS.index(name)
        groups = torch.tensor(self.group_numbers[place]) if self.groups else None
        return _Labelled(name, self.sets[place], torch.tensor(self.numbers[place]), groups, transform, fit)

    def labels(self, name: Split) -> Tensor:
        """See `OwnData.labels`."""
        return torch.tensor(self.numbers[SPLITS.index(name)])

    def fingerprint(self) -> str:
        """The version, a digest of classes, groups and all labels, and whether images of a high range are scaled."""
        digest = hashlib.sha256(
            repr((self.classes, self.groups, self.numbers, self.group_numbers)).encode()
        ).hexdigest()
        return f"{self.version}+sha256:{digest}" + reading({"sets": self._high_ranges()})

    def _high_ranges(self) -> int:
        """How many of the sets have images of a high range, as their first ones tell."""
        with seeded(0):
            firsts = [
                _parts(f"Data set '{name}', item 0", one[0])[0] for name, one in zip(SPLITS, self.sets, strict=True)
            ]
        return sum(isinstance(first, PILImage.Image) and is_high_range(first) for first in firsts)

    def look_through(self) -> Findings:
        """See `OwnData.look_through`."""
        for name in SPLITS:
            dataset = self.split(name)
            for index in range(len(dataset)):  # type: ignore[arg-type]
                dataset[index]
        return Findings()


def read_datasets(
    sets: Mapping[str, Dataset] | Sequence[Dataset],
    version: str,
    *,
    groups: Sequence[str] = (),
) -> OwnDatasets:
    """Use three torch data sets in an experiment.

    Items are pairs (image, label) or dictionaries with ``image``, ``label`` and, with groups, the number ``group``. An
    image is a PIL image, or a tensor with one or three channels, uint8 or floating point in [0, 1]. PIL images and
    uint8 tensors are transformed as images from files are; floating-point images count as preprocessed and are only
    resized, not augmented. Labels are read from ``targets`` or ``labels`` if the set has them, else from every item.
    Class names are ``classes`` of the training set, else numbers.

    Parameters
    ----------
    sets : mapping or sequence of Dataset
        By the names ``train``, ``val`` and ``test``, or in this order.
    version : str
        Name for the content; change it when the content changes.
    groups : sequence of str
        Names of the groups.

    Raises
    ------
    DataError
        If a set is missing, empty or not map-style, or a label is not the number of a class.
    """
    if not isinstance(version, str) or not version.strip():
        raise DataError(
            "Data sets of torch say nothing about their content; expected a version of your own, such as "
            'version="pets-1", that changes when the content does.'
        )
    named = dict(sets) if isinstance(sets, Mapping) else dict(zip(SPLITS, sets, strict=False))
    if set(named) != set(SPLITS) or (not isinstance(sets, Mapping) and len(sets) != len(SPLITS)):
        raise DataError(f"The data sets are {shown(', '.join(map(str, named)))}; expected train, val and test.")
    for name, dataset in named.items():
        if isinstance(dataset, IterableDataset) or not (
            hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
        ):
            raise DataError(f"Data set '{name}' has no items by number; expected a Dataset with a length and items.")
        if not len(dataset):  # type: ignore[arg-type]
            raise DataError(f"Data set '{name}' is empty; expected at least one image.")
    numbers = tuple(tuple(_labels_of(name, named[name])) for name in SPLITS)
    classes = _names(named["train"], max(map(max, numbers)) + 1)
    for name, labels in zip(SPLITS, numbers, strict=True):
        if wrong := [index for index, label in enumerate(labels) if not 0 <= label < len(classes)]:
            raise DataError(
                f"Data set '{name}', item {wrong[0]}: the label is {labels[wrong[0]]}; expected 0 to "
                f"{len(classes) - 1}, because there are {len(classes)} classes."
            )
    if len(classes) < 2:
        raise DataError(f"The data sets have the class '{shown(classes[0])}' only; expected at least two.")
    if unseen := set(range(len(classes))) - set(numbers[0]):
        raise DataError(
            f"Data set 'train' has no image of class {min(unseen)} ('{shown(classes[min(unseen)])}') of "
            f"{len(classes)}; expected images of every class."
        )
    check_names("The data", classes, groups)
    grouped = tuple(tuple(_groups_of(name, named[name], len(groups))) for name in SPLITS) if groups else ()
    three = (named["train"], named["val"], named["test"])
    return OwnDatasets(version, three, classes, numbers, tuple(groups), grouped)


class _Labelled(Dataset):
    """Adapts items of a data set to the lab's samples.

    PIL images and uint8 tensors get ``transform``; floating-point images are already preprocessed and get ``fit``.
    """

    def __init__(
        self,
        name: str,
        dataset: Any,
        labels: Tensor,
        groups: Tensor | None,
        transform: Callable | None,
        fit: Callable | None,
    ) -> None:
        self.name, self.dataset, self.labels, self.transform, self.fit = name, dataset, labels, transform, fit
        if groups is not None:
            self.groups = groups

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        where, item = f"Data set '{self.name}', item {index}", self.dataset[index]
        image, label = _parts(where, item)
        if _number(where, label) != self.labels[index]:
            raise DataError(
                f"{where}: the label is {shown(label)}, but was {self.labels[index]} before; expected the same item "
                "every time."
            )
        picture = as_picture(where, image)
        transform = self.fit if picture.is_floating_point() else self.transform
        if transform is not None:
            picture = transform(picture)
        group = {"group": int(self.groups[index])} if hasattr(self, "groups") else {}
        return {"image": picture, "label": int(self.labels[index]), **group, "index": index}


def as_picture(where: str, image: Any) -> Tensor:
    """Convert an item's image to RGB, (3, H, W): uint8, or floating point in [0, 1].

    Raises
    ------
    DataError
        If it is not an image; the message begins with ``where``.
    """
    if isinstance(image, PILImage.Image):
        return as_image(image)
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] not in (1, 3) or not image.numel():
        kind = f"a tensor {tuple(image.shape)}" if isinstance(image, Tensor) else f"a {type(image).__name__}"
        raise DataError(f"{where}: the image is {kind}; {_IMAGE}.")
    if image.is_floating_point():
        low, high = (value.item() for value in image.aminmax())
        if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
            raise DataError(
                f"{where}: the image has values from {low:.3g} to {high:.3g}; expected [0, 1], without normalisation, "
                "which every network does by itself."
            )
        image = image.float()
    elif image.dtype != torch.uint8:
        raise DataError(f"{where}: the image is {image.dtype}; {_IMAGE}.")
    return tv_tensors.Image(image.expand(3, -1, -1).contiguous())


def _parts(where: str, item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        if "image" in item and "label" in item:
            return item["image"], item["label"]
        raise DataError(f"{where} has {shown(', '.join(map(str, item)))}; {_ITEM}.")
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{where} is a {type(item).__name__}; {_ITEM}.")
    return item[0], item[1]


def _number(where: str, label: Any, what: str = "label") -> int:
    value = np.asarray(label)
    if value.ndim or value.dtype.kind not in "iufb" or value != np.floor(value):
        raise DataError(f"{where}: the {what} is {shown(label)}; expected the whole number of one.")
    return int(value)


def _labels_of(name: str, dataset: Any) -> list[int]:
    """Labels of all items: as the data set lists them, if the first one agrees, else from the items."""
    where = f"Data set '{name}', item {{}}"
    with seeded(0):  # items may be augmented at random, which must not advance the global generator
        first = _number(where.format(0), _parts(where.format(0), dataset[0])[1])
        for attribute in ("targets", "labels"):
            listed = getattr(dataset, attribute, None)
            if isinstance(listed, Sequence | Tensor | np.ndarray) and len(listed) == len(dataset):
                values = np.asarray(listed)
                if values.ndim == 1 and values.dtype.kind in "iub" and values[0] == first:
                    return [int(value) for value in values]
        return [
            _number(where.format(index), _parts(where.format(index), dataset[index])[1])
            for index in range(len(dataset))
        ]


def _groups_of(name: str, dataset: Any, count: int) -> Iterator[int]:
    with seeded(0):
        for index in range(len(dataset)):
            where, item = f"Data set '{name}', item {index}", dataset[index]
            if not isinstance(item, Mapping) or "group" not in item:
                raise DataError(f"{where}: the group is missing; expected a dictionary with image, label and group.")
            number = _number(where, item["group"], "group")
            if not 0 <= number < count:
                raise DataError(f"{where}: the group is {number}; expected 0 to {count - 1}.")
            yield number


def _names(dataset: Any, seen: int) -> tuple[str, ...]:
    """Names of the classes; numbers if the data set, for instance a subset, has none."""
    names = getattr(dataset, "classes", None)
    listed = isinstance(names, Sequence) and not isinstance(names, str) and len(names) >= seen
    return tuple(map(str, names if listed else range(seen)))  # type: ignore[arg-type]
