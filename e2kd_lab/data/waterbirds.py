"""Reader of Waterbirds and Waterbirds-100 (Sagawa et al., ICLR 2020; Petryk et al., CVPR 2022).

A folder holds ``metadata.csv`` and its images; soft masks of the birds may lie in ``segmentations`` in, beside or above
it. The embedded MiniBirds set has the same layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from e2kd_lab.data.findings import Findings, note_repairs
from e2kd_lab.data.images import read_picture
from e2kd_lab.data.listed_files import listed_path, picture_of, require_file
from e2kd_lab.data.masks import read_mask
from e2kd_lab.data.reading import identified
from e2kd_lab.data.splits import SPLITS, Split
from e2kd_lab.data.text_files import read_csv, whole_number
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
    findings : Findings
        What was skipped and repaired in the metadata.
    """

    folder: Path
    records: tuple[Record, ...]
    masks: Path | None
    findings: Findings = field(default_factory=Findings, compare=False, repr=False)

    def split(
        self, name: Split, *, transform: Callable | None = None, masks: bool = False, cache: bool = False
    ) -> WaterbirdsSplit:
        """The images of one split as a torch data set (see `WaterbirdsSplit`)."""
        return WaterbirdsSplit(self, name, transform=transform, masks=masks, cache=cache)

    def fingerprint(self) -> str:
        """Digest of the metadata and of the size of each image file (see `e2kd_lab.data.reading`)."""
        with readable(self.folder, DataError):
            digest = hashlib.sha256((self.folder / "metadata.csv").read_bytes())
            for record in self.records:
                digest.update(record.image.stat().st_size.to_bytes(8, "little"))
        images = [record.image for record in self.records]
        masks = [self.mask_path(record) for record in self.records] if self.masks else []
        return identified("sha256:" + digest.hexdigest(), self.folder, images, masks)

    def mask_path(self, record: Record) -> Path:
        """Path of an image's soft mask.

        Raises
        ------
        DataError
            If the set has no masks.
        """
        if self.masks is None:
            raise DataError(f"{self.folder} has no masks; expected a folder 'segmentations' beside or above it.")
        beside = self.masks / record.image.relative_to(self.folder)
        return picture_of(beside.parent, beside.stem, ".png")


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
        picture = read_picture(record.image)
        note_repairs(picture.repairs)
        pictures: dict[str, Tensor] = {"image": picture.image()}
        if self.masks:
            pictures["mask"] = read_mask(self.waterbirds.mask_path(record), picture)
        if self._decoded is not None:
            self._decoded[index] = pictures
        return pictures


def read_waterbirds(root: Path | str, name: str | None = None) -> Waterbirds:
    """Find and read a Waterbirds folder; a `LabNote` says what was skipped and repaired.

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
    root, findings = expanded(root), Findings()
    with readable(root, DataError):
        folder = _find(root, name)
        records = tuple(_records(folder, findings))
    if not records:
        raise DataError(f"{folder / 'metadata.csv'} has a header but no rows; expected one row per image.")
    candidates = (folder, folder.parent, folder.parent.parent)
    masks = next((f / "segmentations" for f in candidates if is_folder(f / "segmentations")), None)
    findings.note(folder)
    return Waterbirds(folder, records, masks, findings)


def waterbirds_folders(root: Path, name: str | None = None) -> list[Path]:
    """Waterbirds folders: ``root`` itself, or below it where copies of the data set have them."""
    if name is None and is_file(root / "metadata.csv"):
        return [root]
    pattern = f"{name}/metadata.csv" if name else "waterbird*/metadata.csv"
    return [path.parent for below in _ROOTS for path in sorted((root / below).glob(pattern))]


def _find(root: Path, name: str | None) -> Path:
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected a Waterbirds folder or a root that holds one.")
    found = waterbirds_folders(root, name)
    if not found:
        raise DataError(
            f"{root} holds no Waterbirds set; expected metadata.csv in it, or in "
            f"{name or 'waterbird_...'}, data/{name or 'waterbird_...'} or cub/data/{name or 'waterbird_...'}."
        )
    if len(found) > 1:
        raise DataError(
            f"{root} holds several Waterbirds sets ({', '.join(folder.name for folder in found)}); "
            f"expected one: pass the folder itself, such as {found[0]}."
        )
    return found[0]


def _records(folder: Path, findings: Findings) -> Iterator[Record]:
    path = folder / "metadata.csv"
    columns, rows = read_csv(path, ", ".join(_COLUMNS), findings)
    if missing := [column for column in _COLUMNS[:5] if column not in columns]:
        raise DataError(
            f"{path} lacks the column '{missing[0]}'; found {shown(', '.join(columns))}; "
            f"expected {', '.join(_COLUMNS)}."
        )
    seen: dict[str, int] = {}
    for line, row in rows:
        yield _record(folder, path, line, row, seen, findings)


def _record(
    folder: Path, path: Path, line: int, row: dict[str, str], seen: dict[str, int], findings: Findings
) -> Record:
    where = f"{path}, line {line} (img_id {shown(row['img_id'])})"
    label = _choice(where, "y", row["y"], 2, "0 (landbird) or 1 (waterbird)")
    place = _choice(where, "place", row["place"], 2, "0 (land) or 1 (water)")
    split = _choice(where, "split", row["split"], 3, "0 (train), 1 (val) or 2 (test)")
    if any("." in row[column] for column in ("y", "place", "split")):
        findings.add("repaired", "rows with numbers such as 0.0", f"line {line}")
    name = row["img_filename"]
    if name in seen:
        raise DataError(
            f"{where}: the image '{shown(name)}' is already in line {seen[name]}; expected each image once."
        )
    seen[name] = line
    image = listed_path(where, folder, name)
    require_file(where, "image", image, folder)
    return Record(line, image, label, place, SPLITS[split])


def _choice(where: str, column: str, value: str, count: int, expected: str) -> int:
    number = whole_number(value)
    if number is None or number >= count:
        raise DataError(f"{where}: column '{column}' has the value '{shown(value)}'; expected {expected}.")
    return number
