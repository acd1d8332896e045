"""Readers of images in class folders (ImageNet, SUN397), and the images that experiments take from them.

ImageNet has ``train/<class>/*`` and ``val/<class>/*``; ``val`` serves as the test set, and validation images are held
out of ``train`` (Sec. C.1.1). Where ``test/<class>/*`` is there, too, it is the test set, and ``val`` validates. SUN397
has nested class folders, and ten official partitions in ``Training_NN.txt`` and ``Testing_NN.txt``. The embedded
MiniNet and MiniScenes have the ImageNet layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.folder_listing import class_folders, image_files_in, require_utf8, subfolders
from e2kd_lab.data.listed_files import listed_path, require_file
from e2kd_lab.data.reading import identified
from e2kd_lab.data.text_files import read_text
from e2kd_lab.system.errors import DataError, shown
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable

# The paper's seed for held-out images and shots, the same for all methods (Sec. C.1.1).
SHOT_SEED = 42
# Where copies of ImageNet have train and val below their root.
IMAGENET_ROOTS = ("", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")


@dataclass(frozen=True)
class LabelledImage:
    """An image file with its class and, if the set has groups, its group, as numbers."""

    path: Path
    label: int
    group: int | None = None


@dataclass(frozen=True)
class ImageFolders:
    """A data set in class folders, checked to be complete.

    Attributes
    ----------
    root : Path
        Its folder.
    classes : tuple of str
        Names of the classes in the order of their numbers.
    train, test : tuple of LabelledImage
        Official training and test images, sorted by path.
    val : tuple of LabelledImage
        Official validation images; empty where they are held out of the training images.
    every : tuple of LabelledImage
        All images in the folders of the classes, where lists name a part of them only; empty elsewhere.
    findings : Findings
        What was skipped.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]
    val: tuple[LabelledImage, ...] = ()
    every: tuple[LabelledImage, ...] = ()
    findings: Findings = field(default_factory=Findings, compare=False, repr=False)

    def fingerprint(self) -> str:
        """Digest of the names, labels and file sizes of all images (see `e2kd_lab.data.reading`)."""
        digest, parts = hashlib.sha256(), (self.train, self.test, self.val, self.every)
        with readable(self.root, DataError):
            for part in parts:
                for line in content_of(part, self.root):
                    digest.update(line)
        return identified("sha256:" + digest.hexdigest(), self.root, [image.path for part in parts for image in part])


def content_of(images: Iterable[LabelledImage], root: Path) -> Iterator[bytes]:
    """For each image: its name relative to a folder, its label and its file size, as bytes to hash."""
    for image in images:
        name = image.path.relative_to(root).as_posix()
        yield f"{name}\0{image.label}\0{image.path.stat().st_size}\n".encode()


def read_imagenet(root: Path | str) -> ImageFolders:
    """Read a folder in ImageNet's layout: ``train/<class>/*``, ``val/<class>/*`` and perhaps ``test/<class>/*``.

    Other entries are skipped, and counted in a `LabNote`.

    Parameters
    ----------
    root : Path or str
        The folder itself, or one that holds it as ``Data/CLS-LOC`` or ``ILSVRC/Data/CLS-LOC``.

    Raises
    ------
    DataError
        If a folder is missing, a class has no images, the splits differ in classes, or a name is not UTF-8.
    """
    root, findings = expanded(root), Findings()
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected one that holds train/<class>/* and val/<class>/*.")
    root = imagenet_folder(root) or root
    with readable(root, DataError):
        names = ["train", "val", *(["test"] if _has_classes(root / "test", findings) else [])]
        parts = {name: class_folders(root / name, findings) for name in names}
    findings.note(root)
    classes = tuple(sorted(parts["train"]))
    for name in names[1:]:
        if unknown := sorted(set(parts["train"]) ^ set(parts[name])):
            where = name if unknown[0] in parts["train"] else "train"
            raise DataError(
                f"{root / where} has no class folder '{unknown[0]}'; expected the classes of train in {name}."
            )
    listed = {
        name: tuple(LabelledImage(path, number) for number, label in enumerate(classes) for path in folders[label])
        for name, folders in parts.items()
    }
    if "test" in listed:
        return ImageFolders(root, classes, listed["train"], listed["test"], listed["val"], findings=findings)
    return ImageFolders(root, classes, listed["train"], listed["val"], findings=findings)


def imagenet_folder(root: Path) -> Path | None:
    """The folder of ``train`` and ``val``: ``root`` itself or below it, as copies of ImageNet have them."""
    return next((root / below for below in IMAGENET_ROOTS if is_folder(root / below / "train")), None)


def read_sun397(root: Path | str, partition: int = 1) -> ImageFolders:
    """Read SUN397 with one of its ten official partitions (50 training and 50 test images per class).

    They name two fifths of its images; ``every`` has all.

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
        If a list or a listed image is missing, or a path points outside the folder.
    """
    root = expanded(root)
    lists = {name: sun397_list(root, f"{name}_{partition:02d}.txt") for name in ("Training", "Testing")}
    if missing := [f"{name}_{partition:02d}.txt" for name, path in lists.items() if path is None]:
        raise DataError(
            f"{root} has no {missing[0]}, nor has {root / 'Partitions'}; expected SUN397's official partitions."
        )
    images, findings = root / "SUN397" if is_folder(root / "SUN397") else root, Findings()
    with readable(root, DataError):
        found = {name: list(_listed_images(images, path)) for name, path in lists.items() if path is not None}
    classes = tuple(sorted({label for rows in found.values() for _, label in rows}))
    numbers = {label: number for number, label in enumerate(classes)}
    train, test = (
        tuple(LabelledImage(path, numbers[label]) for path, label in sorted(found[name]))
        for name in ("Training", "Testing")
    )
    with readable(root, DataError):
        every = tuple(
            LabelledImage(path, numbers[label])
            for label in classes
            for path in image_files_in(images / label, findings)
        )
    for image in every:
        require_utf8(image.path)
    findings.note(root)
    return ImageFolders(root, classes, train, test, every=every, findings=findings)


def hold_out(
    images: Sequence[LabelledImage],
    per_class: float,
    *,
    seed: int = SHOT_SEED,
    names: Sequence[str] | None = None,
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Hold out some images of each class; the same seed holds out the same images.

    Parameters
    ----------
    images : sequence of LabelledImage
        What to split.
    per_class : int or float
        Images of each class to hold out; below 1 a share of them, at least one image.
    seed : int
        Seed of the draw.
    names : sequence of str, optional
        Names of the classes, for the error message.

    Returns
    -------
    kept, held : list of LabelledImage
        Sorted by class, in the given order within it.

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
    """Draw ``shots`` images of each class; with the same seed, fewer shots are a subset of more.

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


def _by_class(images: Iterable[LabelledImage]) -> Mapping[int, list[LabelledImage]]:
    members: dict[int, list[LabelledImage]] = {}
    for image in images:
        members.setdefault(image.label, []).append(image)
    return dict(sorted(members.items()))


def sun397_list(root: Path, name: str = "Training_01.txt") -> Path | None:
    """A list of one of SUN397's partitions, in its root or in ``Partitions``; None if it is not there."""
    return next((path for path in (root / name, root / "Partitions" / name) if is_file(path)), None)


def _has_classes(folder: Path, findings: Findings) -> bool:
    """Whether a folder of test images has class folders; ImageNet's own has images without labels, which are left."""
    if not is_folder(folder):
        return False
    entries = Findings()
    if subfolders(folder, entries):
        return True
    findings.add("skipped", "folders of images without labels", folder.name)
    return False


def _listed_images(images: Path, listing: Path) -> Iterable[tuple[Path, str]]:
    for number, line in enumerate(read_text(listing).splitlines(), start=1):
        name = line.strip().lstrip("/")
        if not name:
            continue
        where = f"{listing}, line {number}"
        path = listed_path(where, images, name)
        label = path.parent.relative_to(images).as_posix()
        if label == ".":
            raise DataError(f"{where}: '{shown(line)}' is not a path to an image in a class folder of {images}.")
        require_file(where, "image", path, images)
        yield path, label
