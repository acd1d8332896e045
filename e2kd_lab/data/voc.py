"""Reader of PASCAL VOC (Everingham et al., IJCV 2010): images with several labels and boxes of objects.

``VOCdevkit/VOC<year>`` holds ``JPEGImages/<id>.jpg``, ``Annotations/<id>.xml`` and the lists of ids ``train.txt``,
``val.txt``, ``trainval.txt`` and ``test.txt`` in ``ImageSets/Main``. The embedded MiniVOC set has the same
layout.

The classes are the 20 of VOC, unless ``classes.txt`` beside ``ImageSets`` names others, one per line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.listed_files import picture_of, require_file
from e2kd_lab.data.reading import identified
from e2kd_lab.data.text_files import read_text
from e2kd_lab.data.voc_annotation import VocImage, read_annotation
from e2kd_lab.data.voc_split import VocSplit
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable

ImageSet = Literal["train", "val", "test", "trainval"]  # as VOC calls its lists
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_LISTS: tuple[ImageSet, ...] = ("train", "val", "trainval", "test")
# The paper holds out a tenth of the training images for validation (Sec. C.1.3), here with a fixed seed.
HELD_OUT = 0.1
HOLD_OUT_SEED = 42


@dataclass(frozen=True)
class Voc:
    """A VOC folder whose lists and annotations were read and checked.

    Attributes
    ----------
    folder : Path
        The folder ``VOC<year>``.
    classes : tuple of str
        Names of the classes in the order of their numbers.
    splits : mapping of str to tuple of VocImage
        The official lists found, among ``train``, ``val``, ``trainval`` and ``test``, each in its order.
    findings : Findings
        What was skipped and repaired in lists and annotations.
    """

    folder: Path
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[VocImage, ...]]
    findings: Findings = field(default_factory=Findings, compare=False, repr=False)

    def images(self, name: ImageSet) -> tuple[VocImage, ...]:
        """Images of a split, as experiments use it.

        With an annotated test list (VOC 2007, MiniVOC), splits are the official lists. Otherwise (VOC 2012, whose test
        annotations are not public) they are the paper's: ``test`` is the official ``val``; ``val`` is a tenth of the
        official ``train``, drawn with a fixed seed; ``train`` is the rest.

        Parameters
        ----------
        name : str
            ``train``, ``val``, ``test``, or ``trainval`` for the official list of this name.

        Raises
        ------
        DataError
            If the split is unknown or its official list is missing.
        """
        if name not in _LISTS:
            raise DataError(f"{self.folder} has no split '{name}'; expected one of {', '.join(_LISTS)}.")
        if name == "trainval" or ("test" in self.splits and "val" in self.splits):
            return self._official(name)
        if name == "test":
            return self._official("test" if "test" in self.splits else "val")
        listed = self._official("train")
        held = max(1, round(HELD_OUT * len(listed)))
        if len(listed) <= held:
            raise DataError(
                f"{_lists(self.folder) / 'train.txt'} lists one image; expected at least 2, because one is held out."
            )
        order = np.random.default_rng(HOLD_OUT_SEED).permutation(len(listed))
        return tuple(listed[index] for index in sorted(order[:held] if name == "val" else order[held:]))

    def split(
        self,
        name: ImageSet,
        *,
        transform: Callable | None = None,
        boxes: bool = False,
        masks: bool = False,
        cache: bool = False,
    ) -> VocSplit:
        """The images of one split (see `images`) as a torch data set (see `VocSplit`)."""
        return VocSplit(self.images(name), self.classes, transform=transform, boxes=boxes, masks=masks, cache=cache)

    def fingerprint(self) -> str:
        """Digest of classes, lists, annotations and the size of each image file (see `e2kd_lab.data.reading`)."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        with readable(self.folder, DataError):
            for name, images in self.splits.items():
                digest.update(f"\n{name}\n".encode())
                for image in images:
                    objects = (image.boxes, image.labels, image.difficult, image.width, image.height)
                    digest.update(f"{image.path.name}\0{objects}\0{image.path.stat().st_size}\n".encode())
        paths = [image.path for images in self.splits.values() for image in images]
        return identified("sha256:" + digest.hexdigest(), self.folder, paths)

    def _official(self, name: str) -> tuple[VocImage, ...]:
        if name not in self.splits:
            raise DataError(f"{_lists(self.folder)} has no {name}.txt; found {', '.join(self.splits)}.")
        return self.splits[name]


def voc_folders(root: Path | str, year: int | None = None) -> list[Path]:
    """VOC folders by year: ``root`` itself, or ``VOC<year>`` in it, in its ``VOCdevkit``, or in one a folder below."""
    root = expanded(root)
    if is_folder(root / "ImageSets") and (year is None or root.name == f"VOC{year}"):
        return [root]
    pattern = "VOC[0-9][0-9][0-9][0-9]" if year is None else f"VOC{year}"
    return [
        folder
        for below in (root, root / "VOCdevkit", *sorted(root.glob("*/VOCdevkit")))
        for folder in sorted(below.glob(pattern))
        if is_folder(folder / "ImageSets")
    ]


def read_voc(root: Path | str, year: int | None = None) -> Voc:
    """Find and read a folder in the PASCAL VOC layout; a `LabNote` says what was skipped and repaired.

    A ``test`` list that is mostly unannotated, such as that of VOC 2012, is ignored.

    Parameters
    ----------
    root : Path or str
        ``VOC<year>``, ``VOCdevkit``, or the folder of one of them, such as ``VOCtrainval_06-Nov-2007``.
    year : int, optional
        Needed if there are several years, for instance 2012.

    Raises
    ------
    DataError
        If nothing or more than one set is found, or a list, an annotation or an image is missing or wrong.
    """
    root = expanded(root)
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected VOC<year>, VOCdevkit or a root that holds one of them.")
    with readable(root, DataError):
        found = voc_folders(root, year)
    if not found:
        name = f"VOC{year or '<year>'}"
        raise DataError(
            f"{root} holds no VOC set; expected {name}, VOCdevkit/{name} or <any folder>/VOCdevkit/{name} in it, with "
            "a folder ImageSets."
        )
    if len(found) > 1:
        names = ", ".join(sorted(str(folder.relative_to(root)) for folder in found))
        raise DataError(
            f"{root} holds several VOC sets ({names}); expected one: pass its folder, such as {found[-1]}. Parts of "
            "one year belong into one folder."
        )
    with readable(root, DataError):
        voc = _read(found[0])
    voc.findings.note(voc.folder)
    return voc


def _read(folder: Path) -> Voc:
    classes, findings = _classes(folder), Findings()
    read: dict[str, VocImage] = {}
    splits: dict[str, tuple[VocImage, ...]] = {}
    for name in _LISTS:
        path = _lists(folder) / f"{name}.txt"
        if path.is_file():
            ids = _ids(path)
            if name != "test" or _mostly_annotated(folder, ids):
                splits[name] = tuple(_image(folder, path, line, key, classes, read, findings) for line, key in ids)
            else:
                findings.add("skipped", "lists without annotations", path.name)
    if not splits:
        raise DataError(
            f"{_lists(folder)} holds no list; expected train.txt and val.txt, each with one image id per line."
        )
    return Voc(folder, classes, splits, findings)


def _lists(folder: Path) -> Path:
    return folder / "ImageSets" / "Main"


def _classes(folder: Path) -> tuple[str, ...]:
    path = folder / "classes.txt"
    if not path.is_file():
        return CLASSES
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise DataError(f"{path} is empty; expected the name of one class per line.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{path} names the class '{twice[0]}' twice; expected each class once.")
    return tuple(names)


def _ids(path: Path) -> list[tuple[int, str]]:
    """Line numbers and image ids of a list."""
    seen: dict[str, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        key = line.strip()
        if not key:
            continue
        # A file's stem: without folders it cannot point outside the data folder.
        if key in (".", "..") or len(key) > 100 or not all(c.isalnum() or c in "_-." for c in key):
            raise DataError(
                f"{path}, line {number}: {key[:40]!r} is not an image id; expected the name of a file in JPEGImages, "
                "without its folder and suffix."
            )
        if key in seen:
            raise DataError(f"{path}, line {number}: '{key}' is already in line {seen[key]}; expected each image once.")
        seen[key] = number
    if not seen:
        raise DataError(f"{path} is empty; expected one image id per line.")
    return [(number, key) for key, number in seen.items()]


def _mostly_annotated(folder: Path, ids: Sequence[tuple[int, str]]) -> bool:
    there = sum(is_file(folder / "Annotations" / f"{key}.xml") for _, key in ids)
    return 2 * there >= len(ids)


def _image(
    folder: Path,
    listing: Path,
    line: int,
    key: str,
    classes: Sequence[str],
    read: dict[str, VocImage],
    findings: Findings,
) -> VocImage:
    if key not in read:
        annotation, image = folder / "Annotations" / f"{key}.xml", picture_of(folder / "JPEGImages", key, ".jpg")
        for kind, path in (("annotation", annotation), ("image", image)):
            require_file(f"{listing}, line {line}", kind, path, folder)
        read[key] = read_annotation(annotation, image, classes, findings)
    return read[key]
