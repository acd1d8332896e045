"""Labelled images in class folders: ImageNet's layout, SUN397's layout, and what experiments take from them.

ImageNet keeps ``train/<class>/*`` and ``val/<class>/*``; ``val`` plays the part of the test set, and validation images
are held out of ``train`` (Sec. C.1.1). SUN397 keeps images in nested class folders and lists its ten official
partitions in ``Training_NN.txt`` and ``Testing_NN.txt``. The embedded sets have ImageNet's layout and the same reader.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.images import read_image
from e2kd_lab.data.walking import LeftAside, folders_in, pictures_in, require_utf8
from e2kd_lab.system.errors import DataError, LabNote, shown
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable

# Held-out images and shots are drawn with the paper's seed, the same for all methods (Sec. C.1.1).
SHOT_SEED = 42


@dataclass(frozen=True)
class LabelledImage:
    """An image file, the number of its class and, where the set has groups, that of its group."""

    path: Path
    label: int
    group: int | None = None


@dataclass(frozen=True)
class ImageFolders:
    """A data set in class folders that was found to be complete.

    Attributes
    ----------
    root : Path
        Its folder.
    classes : tuple of str
        Names of the classes in the order of their numbers.
    train, test : tuple of LabelledImage
        Official training and test images, sorted by path.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]

    def fingerprint(self) -> str:
        """A digest that changes when the set of images or the size of one of them in bytes changes."""
        digest = hashlib.sha256()
        with readable(self.root, DataError):
            for part in (self.train, self.test):
                for line in content_of(part, self.root):
                    digest.update(line)
        return "sha256:" + digest.hexdigest()


def content_of(images: Iterable[LabelledImage], root: Path) -> Iterator[bytes]:
    """What identifies each image: its name below a folder, its label and its size in bytes."""
    for image in images:
        name = image.path.relative_to(root).as_posix()
        yield f"{name}\0{image.label}\0{image.path.stat().st_size}\n".encode()


def read_imagenet(root: Path | str) -> ImageFolders:
    """Read a folder in ImageNet's layout: ``train/<class>/*`` and ``val/<class>/*``.

    Entries that are no pictures are skipped, and counted in a `LabNote`.

    Raises
    ------
    DataError
        If a folder is missing, a class has no images, the two parts have different classes, or a name is not UTF-8.
    """
    root = expanded(root)
    if not is_folder(root):
        raise DataError(f"{root} is no folder; expected one that holds train/<class>/* and val/<class>/*.")
    aside = LeftAside()
    with readable(root, DataError):
        parts = {name: class_folders(root / name, aside) for name in ("train", "val")}
    if note := aside.sentence(root):
        warnings.warn(note, LabNote, stacklevel=2)
    classes = tuple(sorted(parts["train"]))
    if unknown := sorted(set(parts["train"]) ^ set(parts["val"])):
        where = "val" if unknown[0] in parts["train"] else "train"
        raise DataError(f"{root / where} has no class folder '{unknown[0]}'; expected the classes of train in val.")
    listed = {
        name: tuple(LabelledImage(path, number) for number, label in enumerate(classes) for path in folders[label])
        for name, folders in parts.items()
    }
    return ImageFolders(root, classes, listed["train"], listed["val"])


def read_sun397(root: Path | str, partition: int = 1) -> ImageFolders:
    """Read SUN397 with one of its ten official partitions (50 training and 50 test images a class).

    Parameters
    ----------
    root : Path or str
        Holds the images, such as ``a/abbey/sun_....jpg``, directly or in ``SUN397``, and ``Training_01.txt`` to
        ``Testing_10.txt``, directly or in ``Partitions``.
    partition : int
        1 to 10.

    Raises
    ------
    DataError
        If a list or an image that it names is missing, or a path leaves the folder.
    """
    root = expanded(root)
    lists = {name: _partition_file(root, f"{name}_{partition:02d}.txt") for name in ("Training", "Testing")}
    images = root / "SUN397" if is_folder(root / "SUN397") else root
    with readable(root, DataError):
        found = {name: list(_listed_images(images, path)) for name, path in lists.items()}
    classes = tuple(sorted({label for rows in found.values() for _, label in rows}))
    numbers = {label: number for number, label in enumerate(classes)}
    train, test = (
        tuple(LabelledImage(path, numbers[label]) for path, label in sorted(found[name]))
        for name in ("Training", "Testing")
    )
    return ImageFolders(root, classes, train, test)


def hold_out(
    images: Sequence[LabelledImage],
    per_class: float,
    *,
    seed: int = SHOT_SEED,
    names: Sequence[str] | None = None,
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Split images into those to train on and some images of each class that are held out, the same ones every time.

    Parameters
    ----------
    images : sequence of LabelledImage
        What to split.
    per_class : int or float
        Images of each class to hold out; below 1 their share, of which each class gives at least one.
    seed : int
        Another one holds out other images.
    names : sequence of str, optional
        Names of the classes, for the error.

    Returns
    -------
    kept, held : list of LabelledImage
        By class, in their order within it.

    Raises
    ------
    DataError
        If a class has no image left to train on.
    """
    kept, held = [], []
    for label, members in _by_class(images).items():
        count = int(per_class) if per_class >= 1 else max(1, round(per_class * len(members)))
        if len(members) <= count:
            raise DataError(
                f"Class {label if names is None else shown(names[label])} has {len(members)} training images, of which "
                f"{count} were to be held out; expected at least {count + 1}."
            )
        order = np.random.default_rng([seed, label, 0]).permutation(len(members))
        held += [members[index] for index in sorted(order[:count])]
        kept += [members[index] for index in sorted(order[count:])]
    return kept, held


def draw_shots(images: Sequence[LabelledImage], shots: int, *, seed: int = SHOT_SEED) -> list[LabelledImage]:
    """The same ``shots`` images of each class for everybody who asks with this seed; fewer shots are a part of more.

    Raises
    ------
    DataError
        If a class has too few images.
    """
    drawn = []
    for label, members in _by_class(images).items():
        if len(members) < shots:
            raise DataError(f"Class {label} has {len(members)} images to draw from; expected at least {shots}.")
        order = np.random.default_rng([seed, label, 1]).permutation(len(members))
        drawn += [members[index] for index in sorted(order[:shots])]
    return drawn


class LabelledImages(Dataset):
    """Images as a data set of dictionaries with ``image`` (uint8 (3, H, W) before the transform), ``label``, ``index``.

    Where images have groups, a sample has its ``group``, too, and the set has ``groups``.

    Parameters
    ----------
    images : sequence of LabelledImage
        What the set holds, in order.
    transform : callable, optional
        A torchvision v2 transform.
    cache : bool
        Keep decoded images in memory; for sets that fit there.
    """

    def __init__(
        self, images: Sequence[LabelledImage], *, transform: Callable | None = None, cache: bool = False
    ) -> None:
        self.images, self.transform = list(images), transform
        self.labels = torch.tensor([image.label for image in self.images])
        groups = [image.group for image in self.images if image.group is not None]
        if groups:
            self.groups = torch.tensor(groups)
        self._decoded: dict[int, Tensor] | None = {} if cache else None
        if not self.images:
            raise DataError("A data set of labelled images is empty; expected at least one image.")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        picture: Any = self._read(index)
        if self.transform is not None:
            picture = self.transform(picture)
        image = self.images[index]
        group = {} if image.group is None else {"group": image.group}
        return {"image": picture, "label": image.label, **group, "index": index}

    def _read(self, index: int) -> Tensor:
        if self._decoded is None:
            return read_image(self.images[index].path)
        if index not in self._decoded:
            self._decoded[index] = read_image(self.images[index].path)
        return self._decoded[index]


def _by_class(images: Iterable[LabelledImage]) -> Mapping[int, list[LabelledImage]]:
    members: dict[int, list[LabelledImage]] = {}
    for image in images:
        members.setdefault(image.label, []).append(image)
    return dict(sorted(members.items()))


def class_folders(folder: Path, aside: LeftAside, *, deep: bool = False, empty: bool = False) -> dict[str, list[Path]]:
    """The pictures of each class in a folder that holds one folder a class, both sorted.

    Parameters
    ----------
    folder : Path
        Where to look.
    aside : LeftAside
        Receives what is neither a class nor a picture.
    deep : bool
        Take pictures in folders below a class for the class's, too.
    empty : bool
        Accept classes without pictures.

    Raises
    ------
    DataError
        If the folder is missing, holds no class or, unless accepted, an empty one, or a name is not UTF-8.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not there; expected it to hold one folder a class.")
    found = {}
    for label in folders_in(folder, aside):
        found[label.name] = pictures_in(label, aside, deep=deep)
        if not (found[label.name] or empty):
            raise DataError(f"{label} holds no images; expected JPEG, PNG or other pictures.")
        for path in (label, *found[label.name]):
            require_utf8(path)
    if not found:
        raise DataError(f"{folder} holds no class folders; expected one a class.")
    return found


def _partition_file(root: Path, name: str) -> Path:
    for path in (root / name, root / "Partitions" / name):
        if is_file(path):
            return path
    raise DataError(f"{root} has no {name}, nor has {root / 'Partitions'}; expected SUN397's official partitions.")


def _listed_images(images: Path, listing: Path) -> Iterable[tuple[Path, str]]:
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{listing} is no UTF-8 text at byte {error.start}; expected one image path a line.") from None
    for number, line in enumerate(lines, start=1):
        name = line.strip().lstrip("/")
        if not name:
            continue
        parts = PurePosixPath(name)
        if ".." in parts.parts or "\\" in name or "\0" in name or len(parts.parts) < 2:
            raise DataError(
                f"{listing}, line {number}: '{shown(line)}' is no path to an image in a class folder of {images}."
            )
        path = images / parts
        if not is_file(path):
            raise DataError(f"{listing}, line {number}: the image {path} is not there.")
        yield path, parts.parent.as_posix()
