"""A researcher's own images: a folder per class, or train, val and test with a folder per class in each."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.folder_listing import OTHERS, class_folders, subfolders
from e2kd_lab.data.image_folders import SHOT_SEED, LabelledImage, content_of, hold_out
from e2kd_lab.data.images import repairs_of_all
from e2kd_lab.data.labelled_images import LabelledImages
from e2kd_lab.data.own_data import OwnData, check_names
from e2kd_lab.data.reading import identified
from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.system.errors import DataError, note, shown
from e2kd_lab.system.paths import expanded, is_folder, readable

# Names of splits, in any case.
SPLIT_NAMES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# Splits of at most so many bytes are cached decoded: about half a gigabyte for JPEG.
_KEPT_BYTES = 50_000_000


@dataclass(frozen=True)
class OwnImages(OwnData):
    """Own data as image files, checked to be complete.

    Attributes
    ----------
    root : Path
        The folder of all images.
    train, val, test : tuple of LabelledImage
        The splits.
    findings : Findings
        What was skipped and repaired.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[LabelledImage, ...]
    val: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    findings: Findings = dataclasses.field(default_factory=Findings, compare=False, repr=False)

    def split(self, name: Split, transform: Callable | None = None, fit: Callable | None = None) -> Dataset:
        """See `OwnData.split`; small splits stay decoded in memory."""
        images = self._images(name)
        with readable(self.root, DataError):
            kept = sum(image.path.stat().st_size for image in images) <= _KEPT_BYTES
        return LabelledImages(images, transform=transform, cache=kept)

    def labels(self, name: Split) -> Tensor:
        """See `OwnData.labels`."""
        return LabelledImages(self._images(name)).labels

    def fingerprint(self) -> str:
        """Digest of classes, groups, splits and the size of each image file (see `e2kd_lab.data.reading`)."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(repr((self.classes, self.groups)).encode())
        with readable(self.root, DataError):
            for name in SPLITS:
                for image, line in zip(self._images(name), content_of(self._images(name), self.root), strict=True):
                    digest.update(f"{name}\0{image.group}\0".encode() + line)
        paths = [image.path for name in SPLITS for image in self._images(name)]
        return identified("sha256:" + digest.hexdigest(), self.root, paths)

    def look_through(self) -> Findings:
        """See `OwnData.look_through`."""
        found = Findings()
        found.add_all(self.findings)
        for path, repairs in repairs_of_all(image.path for name in SPLITS for image in self._images(name)):
            found.add_repairs(repairs, path)
        return found

    def _images(self, name: Split) -> tuple[LabelledImage, ...]:
        return {"train": self.train, "val": self.val, "test": self.test}[name]


def read_folder(root: Path | str, share: float = 0.1) -> OwnImages:
    """Read a folder with ``train/<class>``, ``val/<class>`` and ``test/<class>``, or with ``<class>`` alone.

    Splits may also be called ``training``, ``valid``, ``validation`` and ``testing``, in any case. Images in subfolders
    of a class belong to the class. A `LabNote` says what was skipped and held out.

    Parameters
    ----------
    root : Path or str
        The folder.
    share : float
        Share of each class's training images to hold out for a missing validation or test split.

    Raises
    ------
    DataError
        If there are no classes or images, ``train`` lacks a class of another split, or a class has too few images.
    """
    root = expanded(root).absolute()
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected one that holds train/<class>/*, or one folder per class.")
    findings = Findings()
    with readable(root, DataError):
        folders = _splits_in(root, findings)
        listed = {
            name: class_folders(folder, findings, deep=True, empty=name != "train") for name, folder in folders.items()
        }
    classes = tuple(sorted(listed["train"]))
    for name, found in listed.items():
        if unknown := sorted(set(found) - set(classes)):
            raise DataError(
                f"{folders[name]} has the class '{shown(unknown[0])}', which {folders['train']} lacks; expected "
                f"classes of the latter: {shown(', '.join(classes))}."
            )
    numbers = {label: number for number, label in enumerate(classes)}
    parts = {
        name: [LabelledImage(path, numbers[label]) for label in sorted(found) for path in found[label]]
        for name, found in listed.items()
    }
    return completed(root, classes, parts, share, findings=findings)


def completed(
    root: Path,
    classes: Sequence[str],
    parts: Mapping[str, Sequence[LabelledImage]],
    share: float,
    *,
    groups: Sequence[str] = (),
    notes: Iterable[str] = (),
    findings: Findings,
) -> OwnImages:
    """Own data from the splits found: hold out images for missing splits, check names, and give the notes.

    Raises
    ------
    DataError
        If a class has too few images, there is only one class, or a name is reserved.
    """
    if len(classes) < 2:
        raise DataError(
            f"{root} has the class '{shown(classes[0])}' only; expected at least two. Is the data set a folder in it?"
        )
    check_names(str(root), classes, groups)
    rest, held, missing = list(parts["train"]), {}, [name for name in ("test", "val") if not parts.get(name)]
    for name in missing:
        # Another seed, so that validation images do not depend on whether test images are held out, too.
        rest, held[name] = hold_out(rest, share, seed=SHOT_SEED + (name == "test"), names=classes)
    splits = {name: tuple(held.get(name) or parts[name]) for name in ("val", "test")}
    notes = [*notes, _held_note(root, share, held, len(rest))]
    for name, images in splits.items():
        if absent := set(range(len(classes))) - {image.label for image in images}:
            notes.append(
                f"{root}: classes without a picture in {name}: {', '.join(classes[n] for n in sorted(absent))}."
            )
    guessed = tuple(line for line in notes if line)
    if said := " ".join(line for line in (findings.sentence(root), *guessed) if line):
        note(said)
    # hold_out sorts by class; without it, keep the given order.
    kept = tuple(rest) if missing else tuple(parts["train"])
    return OwnImages(root, tuple(classes), kept, **splits, groups=tuple(groups), notes=guessed, findings=findings)


def _held_note(root: Path, share: float, held: Mapping[str, Sequence[LabelledImage]], left: int) -> str:
    if not held:
        return ""
    counts = " and ".join(f"{len(images)} for {name}" for name, images in sorted(held.items(), reverse=True))
    return (
        f"{root}: has no {' and no '.join(sorted(held, reverse=True))}; held out {share:.0%} of each class's training "
        f"pictures, {counts}, always the same ones, and left {left} to train on."
    )


def _splits_in(root: Path, findings: Findings) -> dict[str, Path]:
    """Folder of each split; without any, the root holds the classes, all for training."""
    found: dict[str, Path] = {}
    entries = Findings()
    for folder in subfolders(root, entries):
        name = SPLIT_NAMES.get(folder.name.casefold())
        if name in found:
            raise DataError(f"{root} has {found[name].name} and {folder.name}, both for {name}; expected one of them.")
        if name is None:
            entries.add("skipped", OTHERS, folder.name)
        else:
            found[name] = folder
    if not found:
        return {"train": root}
    if "train" not in found:
        first = next(iter(found.values()))
        raise DataError(f"{root} has {first.name}, but no train; expected train/<class>/*, or one folder per class.")
    findings.add_all(entries)
    return found
