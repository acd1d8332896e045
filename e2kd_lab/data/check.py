"""Checks of a data set before training: every file is read, whatever the layout."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.folder_listing import is_system
from e2kd_lab.data.frozen import FrozenTeacher
from e2kd_lab.data.frozen_manifest import MANIFEST
from e2kd_lab.data.image_folders import (
    IMAGENET_ROOTS,
    ImageFolders,
    imagenet_folder,
    read_imagenet,
    read_sun397,
    sun397_list,
)
from e2kd_lab.data.images import is_image_file, read_all, read_picture, repairs_of_all
from e2kd_lab.data.masks import WITHOUT_OBJECT, decode_mask, is_empty
from e2kd_lab.data.own_images import SPLIT_NAMES
from e2kd_lab.data.own_source import read, summary
from e2kd_lab.data.report import Report
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.data.voc import read_voc, voc_folders
from e2kd_lab.data.voc_split import read_annotated
from e2kd_lab.data.waterbirds import Record, Waterbirds, read_waterbirds, waterbirds_folders
from e2kd_lab.system.errors import DataError, LabNote
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable

_GROUPS = ("LL", "LW", "WL", "WW")

# Images per split and group (LL, LW, WL, WW) of the published sets.
_EVALUATION = {"val": (467, 466, 133, 133), "test": (2255, 2255, 642, 642)}
KNOWN_COUNTS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "Waterbirds-95": {"train": (3498, 184, 56, 1057), **_EVALUATION},
    "Waterbirds-100": {"train": (3694, 0, 0, 1101), **_EVALUATION},
}

# Landbirds that the published metadata labels as waterbirds.
_MISLABELLED = ("Western_Wood_Pewee", "Eastern_Towhee", "Western_Meadowlark")


@dataclass(frozen=True)
class Layout:
    """A way in which data sets lie on disk.

    Attributes
    ----------
    name : str
        Its name.
    expected : str
        What tells it from others, for the error that lists all layouts.
    is_there : callable
        Whether a folder or file has this layout.
    check : callable
        Reads all of it.
    """

    name: str
    expected: str
    is_there: Callable[[Path], bool]
    check: Callable[[Path], Report]


def check_data(root: Path | str) -> Report:
    """Read all of a data set in any known layout, and report what was found.

    Raises
    ------
    DataError
        At the first file that is missing or damaged, or if the set has none of the layouts; they are listed then.
    """
    root = expanded(root)
    if not (is_folder(root) or is_file(root)):
        raise DataError(f"{root} is not a folder; expected that of a data set, a root that holds one, or a CSV file.")
    with readable(root, DataError):
        layout = next((layout for layout in LAYOUTS if layout.is_there(root)), None)
    if layout is not None:
        with warnings.catch_warnings(action="ignore", category=LabNote):  # what notes say is in the report
            return layout.check(root)
    tried = "; ".join(f"{layout.name}: {layout.expected}" for layout in LAYOUTS)
    raise DataError(f"{root} holds no data set; the layouts that were tried are {tried}.")


def check_imagenet(root: Path | str) -> Report:
    """Read every image of a set in the ImageNet layout, and report what was found."""
    return _check_class_folders("ImageNet", read_imagenet(root))


def check_sun397(root: Path | str) -> Report:
    """Read every image of the first partition of SUN397, and report what was found."""
    return _check_class_folders("SUN397, partition 1", read_sun397(root))


def check_own(root: Path | str) -> Report:
    """Read every image of one's own folder or CSV file, and report what was found."""
    data = read(root)
    findings = data.look_through()
    kind = "a table of one's own" if is_file(expanded(root)) else "a folder of one's own"
    images = sum(len(data.labels(name)) for name in SPLITS)
    return Report(kind, expanded(root), {"images": images}, tuple(summary(data)), findings, data.notes)


def check_frozen(root: Path | str) -> Report:
    """Verify a frozen teacher's checksums, and report what was found."""
    cache = FrozenTeacher(expanded(root))
    lines = (f"  teacher {cache.spec.teacher}", f"  maps    {cache.spec.dtype}, {cache.spec.side} px")
    return Report("a frozen teacher", cache.folder, {"logits and maps of images": len(cache)}, lines)


def check_voc(root: Path | str, year: int | None = None) -> Report:
    """Read every image of a set in the PASCAL VOC layout, and report what was found.

    Parameters
    ----------
    root, year
        See `e2kd_lab.data.voc.read_voc`.

    Returns
    -------
    Report
        Images in the official lists, objects, and images of each class in the splits of experiments.

    Raises
    ------
    DataError
        At the first file that is missing or damaged.
    """
    voc = read_voc(root, year)
    images = tuple({image.path: image for listed in voc.splits.values() for image in listed}.values())
    findings = Findings()
    findings.add_all(voc.findings)
    for image, repairs in read_all(lambda image: (image, read_annotated(image)[0].repairs), images):
        findings.add_repairs(repairs, image.path)
    objects = [len(image.boxes) for image in images]
    difficult = sum(sum(image.difficult) for image in images)
    summary = f"{sum(objects)}, {min(objects)} to {max(objects)} an image, {difficult} of them difficult"
    lines = [f"  lists: {', '.join(f'{name} {len(listed)}' for name, listed in voc.splits.items())}"]
    lines += [f"  objects: {summary}", ""]
    used = {name: voc.split(name) for name in SPLITS}
    lines += [f"  {'images with':<14}" + "".join(f"{name:>7}" for name in used)]
    for number, name in enumerate(voc.classes):
        counts = (int(part.labels[:, number].sum()) for part in used.values())
        lines += [f"  {name:<14}" + "".join(f"{count:>7}" for count in counts)]
    lines += [f"  {'in all':<14}" + "".join(f"{len(part):>7}" for part in used.values())]
    if "test" not in voc.splits:
        lines += ["", "note: without an annotated test list, test is the list val, and val a tenth of the list train"]
    return Report("PASCAL VOC", voc.folder, {"images": len(images), "objects": sum(objects)}, ("", *lines), findings)


def check_waterbirds(root: Path | str) -> Report:
    """Read every image and mask of a Waterbirds set, and report what was found.

    Parameters
    ----------
    root : Path or str
        See `e2kd_lab.data.waterbirds.read_waterbirds`.

    Returns
    -------
    Report
        Folder, images per split and group beside those of the published sets, masks, and known label errors.

    Raises
    ------
    DataError
        At the first file that is missing or damaged, or if no mask has an object.
    """
    waterbirds = read_waterbirds(root)
    findings = Findings()
    findings.add_all(waterbirds.findings)
    empty: list[Path] = []
    for record, repairs, without in read_all(lambda record: _read(waterbirds, record), waterbirds.records):
        findings.add_repairs(repairs, record.image)
        empty += [record.image] if without else []
    _refuse_empty_masks(waterbirds, empty, findings)
    counts = group_counts(waterbirds)
    lines = ["", _row("", _GROUPS), *(_row(split, counts[split]) for split in SPLITS)]
    for name, known in KNOWN_COUNTS.items():
        same = all(counts[split] == known[split] for split in SPLITS)
        lines += ["", f"{name} as published{', the same' if same else ''}:"]
        lines += [_row(split, known[split]) for split in SPLITS]
    lines += ["", f"masks: {waterbirds.masks if waterbirds.masks else 'none'}"]
    suspicious = sorted(
        {name for name in _MISLABELLED for r in waterbirds.records if r.label == 1 and name in r.image.parent.name}
    )
    if suspicious:
        lines += [f"note: {', '.join(suspicious)} are landbirds, but labelled waterbirds as in the published metadata"]
    count = len(waterbirds.records)
    read = {"images": count, **({"masks": count} if waterbirds.masks else {})}
    return Report("Waterbirds", waterbirds.folder, read, tuple(lines), findings)


def group_counts(waterbirds: Waterbirds) -> dict[str, tuple[int, ...]]:
    """Number of images in each group (LL, LW, WL, WW), per split."""
    counted = Counter((record.split, record.group) for record in waterbirds.records)
    return {split: tuple(counted[split, group] for group in range(len(_GROUPS))) for split in SPLITS}


def _check_class_folders(layout: str, folders: ImageFolders) -> Report:
    findings = Findings()
    findings.add_all(folders.findings)
    parts = {"train": folders.train, "val": folders.val, "test": folders.test}
    if not folders.val:
        parts = {"train": folders.train, "test" if layout != "ImageNet" else "val": folders.test}
    for path, repairs in repairs_of_all(image.path for images in parts.values() for image in images):
        findings.add_repairs(repairs, path)
    lines = ["", f"  {len(folders.classes)} classes, {folders.classes[0]} to {folders.classes[-1]}"]
    for name, images in parts.items():
        counts = Counter(image.label for image in images)
        lines += [f"  {name:<6}{len(images)} images, {min(counts.values())} to {max(counts.values())} a class"]
    return Report(layout, folders.root, {"images": sum(map(len, parts.values()))}, tuple(lines), findings)


def _read(waterbirds: Waterbirds, record: Record) -> tuple[Record, tuple[str, ...], bool]:
    """What was repaired in a record's image and mask, and whether the mask has no object."""
    picture = read_picture(record.image)
    if waterbirds.masks is None:
        return record, picture.repairs, False
    mask = decode_mask(waterbirds.mask_path(record), picture)
    return record, (*picture.repairs, *mask.repairs), is_empty(mask.pixels)


def _refuse_empty_masks(waterbirds: Waterbirds, empty: list[Path], findings: Findings) -> None:
    for path in empty:
        findings.add("noticed", WITHOUT_OBJECT, path.name)
    if len(empty) == len(waterbirds.records):
        raise DataError(
            f"{waterbirds.masks}: none of the {len(empty)} masks has an object; expected values of 0 outside and 255 "
            "(or 1) inside."
        )


def _row(name: str, values: tuple[object, ...]) -> str:
    return f"  {name:<6}" + "".join(f"{value!s:>7}" for value in values)


def _is_own(root: Path) -> bool:
    """Whether it is a file, or a folder with ``train`` or with a folder of pictures."""
    if not is_folder(root):
        return is_file(root)
    folders = [path for path in root.iterdir() if is_folder(path) and not is_system(path)]
    return any(path.name.casefold() in SPLIT_NAMES or any(map(is_image_file, path.iterdir())) for path in folders)


# In the order in which they are tried.
LAYOUTS = (
    Layout(
        "PASCAL VOC",
        "ImageSets in it, VOC<year>, VOCdevkit/VOC<year> or <any folder>/VOCdevkit/VOC<year>",
        lambda root: bool(voc_folders(root)),
        check_voc,
    ),
    Layout(
        "Waterbirds",
        "metadata.csv in it or in waterbird_..., data/waterbird_... or cub/data/waterbird_...",
        lambda root: bool(waterbirds_folders(root)),
        check_waterbirds,
    ),
    Layout(
        "SUN397",
        "Training_01.txt in it or in Partitions",
        lambda root: sun397_list(root) is not None,
        check_sun397,
    ),
    Layout(
        "ImageNet",
        "train/<class> and val/<class> in " + ", ".join(below or "it" for below in IMAGENET_ROOTS),
        lambda root: (found := imagenet_folder(root)) is not None and is_folder(found / "val"),
        check_imagenet,
    ),
    Layout("a frozen teacher", MANIFEST, lambda root: is_file(root / MANIFEST), check_frozen),
    Layout("pictures of one's own", "train/<class> in it, a folder for each class, or a CSV file", _is_own, check_own),
)
