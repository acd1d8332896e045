"""Checks of a data set before training: every file is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from e2kd_lab.data.image_folders import read_imagenet
from e2kd_lab.data.images import read_all, read_image, read_mask
from e2kd_lab.data.splits import SPLITS
from e2kd_lab.data.voc import read_voc, voc_folders
from e2kd_lab.data.voc_split import VocSplit
from e2kd_lab.data.waterbirds import Record, Waterbirds, read_waterbirds
from e2kd_lab.system.errors import DataError
from e2kd_lab.system.paths import expanded, is_folder, readable

_GROUPS = ("LL", "LW", "WL", "WW")

# Images per split and group (LL, LW, WL, WW) of the published sets.
_EVALUATION = {"val": (467, 466, 133, 133), "test": (2255, 2255, 642, 642)}
KNOWN_COUNTS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "Waterbirds-95": {"train": (3498, 184, 56, 1057), **_EVALUATION},
    "Waterbirds-100": {"train": (3694, 0, 0, 1101), **_EVALUATION},
}

# Landbirds that the published metadata labels as waterbirds.
_MISLABELLED = ("Western_Wood_Pewee", "Eastern_Towhee", "Western_Meadowlark")


def check_data(root: Path | str) -> str:
    """Read all of a data set in any known layout, and report what was found.

    Raises
    ------
    DataError
        At the first file that is missing or damaged.
    """
    root = expanded(root)
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected that of a data set, or a root that holds one.")
    with readable(root, DataError):
        if voc_folders(root):
            return check_voc(root)
    return check_image_folders(root) if is_folder(root / "train") else check_waterbirds(root)


def check_image_folders(root: Path | str) -> str:
    """Read every image of a set in the ImageNet layout, and report what was found.

    Returns
    -------
    str
        Classes, and training and test images.

    Raises
    ------
    DataError
        At the first file that is missing or damaged.
    """
    folders = read_imagenet(root)
    read_all(lambda image: read_image(image.path), (*folders.train, *folders.test))
    lines = [f"{folders.root}: {len(folders.train) + len(folders.test)} images, all of them readable", ""]
    lines += [f"  {len(folders.classes)} classes, {folders.classes[0]} to {folders.classes[-1]}"]
    for name, images in (("train", folders.train), ("val", folders.test)):
        counts = Counter(image.label for image in images)
        lines += [f"  {name:<6}{len(images)} images, {min(counts.values())} to {max(counts.values())} a class"]
    return "\n".join(lines)


def check_voc(root: Path | str, year: int | None = None) -> str:
    """Read every image of a set in the PASCAL VOC layout, and report what was found.

    Parameters
    ----------
    root, year
        See `e2kd_lab.data.voc.read_voc`.

    Returns
    -------
    str
        Images in the official lists, objects, and images of each class in the splits of experiments.

    Raises
    ------
    DataError
        At the first file that is missing or damaged.
    """
    voc = read_voc(root, year)
    images = tuple({image.path: image for listed in voc.splits.values() for image in listed}.values())
    dataset = VocSplit(images, voc.classes)
    read_all(dataset.decoded, range(len(dataset)))
    objects = [len(image.boxes) for image in images]
    difficult = sum(sum(image.difficult) for image in images)
    summary = f"{sum(objects)}, {min(objects)} to {max(objects)} an image, {difficult} of them difficult"
    lines = [f"{voc.folder}: {len(images)} images, all of them readable", ""]
    lines += [f"  lists: {', '.join(f'{name} {len(listed)}' for name, listed in voc.splits.items())}"]
    lines += [f"  objects: {summary}", ""]
    used = {name: voc.split(name) for name in SPLITS}
    lines += [f"  {'images with':<14}" + "".join(f"{name:>7}" for name in used)]
    for number, name in enumerate(voc.classes):
        counts = (int(part.labels[:, number].sum()) for part in used.values())
        lines += [f"  {name:<14}" + "".join(f"{count:>7}" for count in counts)]
    lines += [f"  {'in all':<14}" + "".join(f"{len(part):>7}" for part in used.values())]
    if "test" not in voc.splits:
        lines += ["", "note: without an annotated test list, test is the list val, and val a tenth of the list train"]
    return "\n".join(lines)


def check_waterbirds(root: Path | str) -> str:
    """Read every image and mask of a Waterbirds set, and report what was found.

    Parameters
    ----------
    root : Path or str
        See `e2kd_lab.data.waterbirds.read_waterbirds`.

    Returns
    -------
    str
        Folder, images per split and group beside those of the published sets, masks, and known label errors.

    Raises
    ------
    DataError
        At the first file that is missing or damaged.
    """
    waterbirds = read_waterbirds(root)
    read_all(lambda record: _decode(waterbirds, record), waterbirds.records)
    counts = group_counts(waterbirds)
    lines = [f"{waterbirds.folder}: {len(waterbirds.records)} images, all of them readable", ""]
    lines += [_row("", _GROUPS)]
    lines += [_row(split, counts[split]) for split in SPLITS]
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
    return "\n".join(lines)


def group_counts(waterbirds: Waterbirds) -> dict[str, tuple[int, ...]]:
    """Number of images in each group (LL, LW, WL, WW), per split."""
    counted = Counter((record.split, record.group) for record in waterbirds.records)
    return {split: tuple(counted[split, group] for group in range(len(_GROUPS))) for split in SPLITS}


def _decode(waterbirds: Waterbirds, record: Record) -> None:
    read_image(record.image)
    if waterbirds.masks is not None:
        read_mask(waterbirds.mask_path(record))


def _row(name: str, values: tuple[object, ...]) -> str:
    return f"  {name:<6}" + "".join(f"{value!s:>7}" for value in values)
