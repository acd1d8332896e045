"""Reader of Waterbirds and Waterbirds-100 (Sagawa et al., ICLR 2020; Petryk et al., CVPR 2022).

A folder holds ``metadata.csv`` and its images; soft masks of the birds may lie in ``segmentations`` in, beside or above
it. The embedded MiniBirds set has the same layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.images import read_image, read_mask
from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.data.text_files import read_csv
from e2kd_lab.system.errors import DataError, shown
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable

CLASSES = ("landbird", "waterbird")

_COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")
# Where copies of the data set keep it below their root.
_ROOTS = ("", "data", "cub/data")


@dataclass(frozen=True)
class Record:
    """One row of ``metadata.csv``: an image, its label and place (0 land, 1 water)."""

    line: int
    image: Path
    label: int
    place: int
    split: Split

    @property
    def group(self) -> int:
        """Group number 2 * label + place: LL, LW, WL, WW."""
        return 2 * self.label + self.place


@dataclass(frozen=True)
class Waterbirds:
    """A Waterbirds folder whose metadata were read and checked.

    Attributes
    ----------
    folder : Path
        The folder of ``metadata.csv``.
    records : tuple of Record
        All images, in the order of the file.
    masks : Path or None
        The folder ``segmentations``, if it exists.
    """

    folder: Path
    records: tuple[Record, ...]
    masks: Path | None

    def split(
        self, name: Split, *, transform: Callable | None = None, masks: bool = False, cache: bool = False
    ) -> WaterbirdsSplit:
        """The images of one split as a torch data set (see `WaterbirdsSplit`)."""
        return WaterbirdsSplit(self, name, transform=transform, masks=masks, cache=cache)

    def fingerprint(self) -> str:
        """Digest of the metadata and of the size of each image file."""
        with readable(self.folder, DataError):
            digest = hashlib.sha256((self.folder / "metadata.csv").read_bytes())
            for record in self.records:
                digest.update(record.image.stat().st_size.to_bytes(8, "little"))
        return "sha256:" + digest.hexdigest()

    def mask_path(self, record: Record) -> Path:
        """Path of an image's soft mask.

        Raises
        ------
        DataError
            If the set has no masks.
        """
        if self.masks is None:
            raise DataError(f"{self.folder} has no masks; expected a folder 'segmentations' beside or above it.")
        return (self.masks / record.image.relative_to(self.folder)).with_suffix(".png")


class WaterbirdsSplit(Dataset):
    """One split as a data set of dictionaries.

    A sample has ``image`` (uint8 (3, H, W) at native size, before the transform), ``label``, ``group``, ``index`` (its
    position in the split) and, with masks, ``mask`` (uint8 (1, H, W)). A transform receives image and mask together.

    Parameters
    ----------
    waterbirds : Waterbirds
        The data set.
    name : str
        ``train``, ``val`` or ``test``.
    transform : callable, optional
        A torchvision v2 transform.
    masks : bool
        Add each bird's mask to its sample.
    cache : bool
        Keep decoded images in memory.
    """

    def __init__(
        self,
        waterbirds: Waterbirds,
        name: Split,
        *,
        transform: Callable | None = None,
        masks: bool = False,
        cache: bool = False,
    ) -> None:
        self.waterbirds = waterbirds
        self.name = name
        self.records = [record for record in waterbirds.records if record.split == name]
        self.transform = transform
        self.masks = masks
        self._decoded: dict[int, dict[str, Tensor]] | None = {} if cache else None
        self.labels = torch.tensor([record.label for record in self.records])
        self.groups = torch.tensor([record.group for record in self.records])
        if not self.records:
            raise DataError(f"{waterbirds.folder / 'metadata.csv'} has no image in split '{name}'.")

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        pictures = self._read(index)
        if self.transform is not None:
            pictures = self.transform(pictures)
        record = self.records[index]
        return {**pictures, "label": record.label, "group": record.group, "index": index}

    def _read(self, index: int) -> dict[str, Tensor]:
        if self._decoded is not None and index in self._decoded:
            return self._decoded[index]
        record = self.records[index]
        pictures: dict[str, Tensor] = {"image": read_image(record.image)}
        if self.masks:
            path = self.waterbirds.mask_path(record)
            pictures["mask"] = read_mask(path)
            (height, width), (high, wide) = pictures["image"].shape[-2:], pictures["mask"].shape[-2:]
            if (height, width) != (high, wide):
                raise DataError(f"Mask {path} has {wide}x{high} pixels; expected its image's {width}x{height}.")
        if self._decoded is not None:
            self._decoded[index] = pictures
        return pictures


def read_waterbirds(root: Path | str, name: str | None = None) -> Waterbirds:
    """Find and read a Waterbirds folder.

    Parameters
    ----------
    root : Path or str
        The folder of ``metadata.csv`` itself, or a root that holds it as ``<name>``, ``data/<name>`` or
        ``cub/data/<name>``.
    name : str, optional
        The folder's name, needed where a root holds several sets, for instance
        ``waterbird_1.0_forest2water2``.

    Raises
    ------
    DataError
        If nothing or more than one set is found, or the metadata or an image it names is missing or wrong.
    """
    root = expanded(root)
    with readable(root, DataError):
        folder = _find(root, name)
        records = tuple(_records(folder))
    if not records:
        raise DataError(f"{folder / 'metadata.csv'} has a header but no rows; expected one row per image.")
    candidates = (folder, folder.parent, folder.parent.parent)
    masks = next((f / "segmentations" for f in candidates if is_folder(f / "segmentations")), None)
    return Waterbirds(folder, records, masks)


def _find(root: Path, name: str | None) -> Path:
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected a Waterbirds folder or a root that holds one.")
    if name is None and (root / "metadata.csv").is_file():
        return root
    pattern = f"{name}/metadata.csv" if name else "waterbird*/metadata.csv"
    found = [path.parent for below in _ROOTS for path in sorted((root / below).glob(pattern))]
    if not found:
        raise DataError(
            f"{root} holds no Waterbirds set; expected metadata.csv in it, or in "
            f"{name or 'waterbird_...'}, data/{name or 'waterbird_...'} or cub/data/{name or 'waterbird_...'}."
        )
    if len(found) > 1:
        raise DataError(
            f"{root} holds several Waterbirds sets ({', '.join(folder.name for folder in found)}); "
            "expected one: pass the folder itself."
        )
    return found[0]


def _records(folder: Path) -> Iterator[Record]:
    path = folder / "metadata.csv"
    columns, rows = read_csv(path, ", ".join(_COLUMNS))
    if missing := [column for column in _COLUMNS[:5] if column not in columns]:
        raise DataError(
            f"{path} lacks the column '{missing[0]}'; found {shown(', '.join(columns))}; "
            f"expected {', '.join(_COLUMNS)}."
        )
    seen: dict[str, int] = {}
    for line, row in rows:
        yield _record(folder, path, line, row, seen)


def _record(folder: Path, path: Path, line: int, row: dict[str, str], seen: dict[str, int]) -> Record:
    where = f"{path}, line {line} (img_id {shown(row['img_id'])})"
    label = _choice(where, "y", row["y"], ("0", "1"), "0 (landbird) or 1 (waterbird)")
    place = _choice(where, "place", row["place"], ("0", "1"), "0 (land) or 1 (water)")
    split = _choice(where, "split", row["split"], ("0", "1", "2"), "0 (train), 1 (val) or 2 (test)")
    name = row["img_filename"]
    if name in seen:
        raise DataError(
            f"{where}: the image '{shown(name)}' is already in line {seen[name]}; expected each image once."
        )
    seen[name] = line
    parts = PurePosixPath(name)
    image = folder / parts
    if not parts.name or parts.is_absolute() or ".." in parts.parts or "\\" in name or "\0" in name:
        raise DataError(
            f"{where}: the path '{shown(name)}' is empty or points outside the data folder {folder}; "
            "expected a file in it."
        )
    if not is_file(image):
        raise DataError(f"{where}: the image {image} is not there.")
    return Record(line, image, label, place, SPLITS[split])


def _choice(where: str, column: str, value: str, choices: tuple[str, ...], expected: str) -> int:
    if value.strip() not in choices:
        raise DataError(f"{where}: column '{column}' has the value '{shown(value)}'; expected {expected}.")
    return int(value)
