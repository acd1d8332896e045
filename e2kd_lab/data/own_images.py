"""Pictures of one's own: a folder of classes, or of train, val and test with classes in each.

A table of pictures is read by `e2kd_lab.data.own_table`, torch data sets by `e2kd_lab.data.own_datasets`; all three are
the same to an experiment.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.image_folders import (
    SHOT_SEED,
    LabelledImage,
    LabelledImages,
    class_folders,
    content_of,
    hold_out,
)
from e2kd_lab.data.images import read_image
from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.data.walking import LeftAside, folders_in
from e2kd_lab.metrics.groups import AVERAGES
from e2kd_lab.system.errors import DataError, LabNote, shown
from e2kd_lab.system.paths import expanded, is_folder, readable

# Names that splits go by; the first of each is the lab's own.
SPLIT_NAMES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# Files of so many bytes together are kept in memory once decoded: about half a gigabyte of JPEG's pixels.
_KEPT_BYTES = 50_000_000
# Of `e2kd_lab.metrics.group_means` and of figures: names of rows that are no class's or group's.
RESERVED = (*AVERAGES, "in_distribution", "out_of_distribution")


class OwnData:
    """Data of one's own, as an experiment sees them; `OwnPictures` or `e2kd_lab.data.own_datasets.OwnDatasets`.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes, in the order of their numbers.
    groups : tuple of str
        Names of the groups, in the order of their numbers; empty where images have none.
    notes : tuple of str
        What was skipped, repaired or guessed, a sentence each.
    """

    classes: tuple[str, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...]

    def split(self, name: Split, transform: Callable | None = None, fit: Callable | None = None) -> Dataset:
        """A split as a data set of dictionaries: ``image``, ``label``, ``index`` and, with groups, ``group``.

        Parameters
        ----------
        name : str
            ``train``, ``val`` or ``test``.
        transform, fit : callable, optional
            torchvision v2 transforms: of pictures as they lie on disk, and of those that were made ready before.
        """
        raise NotImplementedError

    def labels(self, name: Split) -> Tensor:
        """The numbers of the classes of a split's images, (N,)."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """What identifies the content."""
        raise NotImplementedError

    def look_through(self) -> None:
        """Read every image once.

        Raises
        ------
        DataError
            At the first one that cannot be read.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class OwnPictures(OwnData):
    """Pictures in files, found to be complete.

    Attributes
    ----------
    root : Path
        The folder that holds all of them.
    train, val, test : tuple of LabelledImage
        The splits.
    """

    root: Path
    classes: tuple[str, ...]
    train: tuple[LabelledImage, ...]
    val: tuple[LabelledImage, ...]
    test: tuple[LabelledImage, ...]
    groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def split(self, name: Split, transform: Callable | None = None, fit: Callable | None = None) -> Dataset:
        """See `OwnData.split`; decoded pictures stay in memory where they are few enough."""
        images = self._images(name)
        with readable(self.root, DataError):
            kept = sum(image.path.stat().st_size for image in images) <= _KEPT_BYTES
        return LabelledImages(images, transform=transform, cache=kept)

    def labels(self, name: Split) -> Tensor:
        """See `OwnData.labels`."""
        return LabelledImages(self._images(name)).labels

    def fingerprint(self) -> str:
        """A digest that changes when classes, groups, the images of a split or the size of one in bytes change."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(repr((self.classes, self.groups)).encode())
        with readable(self.root, DataError):
            for name in SPLITS:
                for image, line in zip(self._images(name), content_of(self._images(name), self.root), strict=True):
                    digest.update(f"{name}\0{image.group}\0".encode() + line)
        return "sha256:" + digest.hexdigest()

    def look_through(self) -> None:
        """See `OwnData.look_through`."""
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(_opened, (*self.train, *self.val, *self.test)):
                pass

    def _images(self, name: Split) -> tuple[LabelledImage, ...]:
        return {"train": self.train, "val": self.val, "test": self.test}[name]


def read_folder(root: Path | str, share: float = 0.1) -> OwnPictures:
    """Read a folder of ``train/<class>``, ``val/<class>`` and ``test/<class>``, or of classes alone.

    ``training``, ``valid``, ``validation`` and ``testing`` are names of splits, too, in small or capital letters.
    Pictures in folders below a class belong to the class. A `LabNote` says what was skipped and held out.

    Parameters
    ----------
    root : Path or str
        The folder.
    share : float
        Share of each class's training pictures to hold out for validation, and for the test, where there are none.

    Raises
    ------
    DataError
        If there are no classes or pictures, a class outside ``train`` is not in it, or a class has too few pictures.
    """
    root = expanded(root).absolute()
    if not is_folder(root):
        raise DataError(f"{root} is no folder; expected one that holds train/<class>/*, or one folder a class.")
    aside = LeftAside()
    with readable(root, DataError):
        folders = _splits_in(root, aside)
        listed = {
            name: class_folders(folder, aside, deep=True, empty=name != "train") for name, folder in folders.items()
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
    return completed(root, classes, parts, share, notes=[aside.sentence(root)])


def completed(
    root: Path,
    classes: Sequence[str],
    parts: Mapping[str, Sequence[LabelledImage]],
    share: float,
    *,
    groups: Sequence[str] = (),
    notes: Iterable[str] = (),
) -> OwnPictures:
    """Pictures of which some are held out for the splits that are missing; what is to be said is said.

    Raises
    ------
    DataError
        If a class has too few pictures, there are no two classes, or a name is one that tables use otherwise.
    """
    if len(classes) < 2:
        raise DataError(
            f"{root} has the class '{shown(classes[0])}' only; expected at least two. Is the data set a folder in it?"
        )
    check_names(str(root), classes, groups)
    rest, held, missing = list(parts["train"]), {}, [name for name in ("test", "val") if not parts.get(name)]
    for name in missing:
        # Another seed, so that which pictures are for validation does not depend on whether some are for the test.
        rest, held[name] = hold_out(rest, share, seed=SHOT_SEED + (name == "test"), names=classes)
    splits = {name: tuple(held.get(name) or parts[name]) for name in ("val", "test")}
    notes = [*notes, _held_note(root, share, held, len(rest))]
    for name, images in splits.items():
        if absent := set(range(len(classes))) - {image.label for image in images}:
            notes.append(
                f"{root}: classes without a picture in {name}: {', '.join(classes[n] for n in sorted(absent))}."
            )
    found = tuple(note for note in notes if note)
    if found:
        warnings.warn(" ".join(found), LabNote, stacklevel=5)  # the caller of own()
    # Held-out pictures come by class; all the others in their own order.
    kept = tuple(rest) if missing else tuple(parts["train"])
    return OwnPictures(root, tuple(classes), kept, **splits, groups=tuple(groups), notes=found)


def check_names(where: str, classes: Sequence[str], groups: Sequence[str]) -> None:
    """Refuse names of classes and groups that tables of results cannot tell apart.

    Raises
    ------
    DataError
        If a name comes twice, or is that of an average.
    """
    taken = set(RESERVED)
    for kind, names in (("class", classes), ("group", groups)):
        for name in names:
            if name in taken:
                raise DataError(
                    f"{where}: a {kind} is named '{shown(name)}', under which tables have another number; expected "
                    f"another name for this {kind}."
                )
            taken.add(name)


def _held_note(root: Path, share: float, held: Mapping[str, Sequence[LabelledImage]], left: int) -> str:
    if not held:
        return ""
    counts = " and ".join(f"{len(images)} for {name}" for name, images in sorted(held.items(), reverse=True))
    return (
        f"{root}: has no {' and no '.join(sorted(held, reverse=True))}; held out {share:.0%} of each class's training "
        f"pictures, {counts}, always the same ones, and left {left} to train on."
    )


def _opened(image: LabelledImage) -> None:
    read_image(image.path)


def _splits_in(root: Path, aside: LeftAside) -> dict[str, Path]:
    """The folder of each split; the root itself is that of training pictures where it holds classes."""
    found: dict[str, Path] = {}
    entries = LeftAside()
    for folder in folders_in(root, entries):
        name = SPLIT_NAMES.get(folder.name.casefold())
        if name in found:
            raise DataError(f"{root} has {found[name].name} and {folder.name}, both for {name}; expected one of them.")
        if name is None:
            entries.others.append(folder.name)
        else:
            found[name] = folder
    if not found:
        return {"train": root}
    if "train" not in found:
        first = next(iter(found.values()))
        raise DataError(f"{root} has {first.name}, but no train; expected train/<class>/*, or one folder a class.")
    aside.hidden += entries.hidden
    aside.others += entries.others
    return found
