"""A researcher's own images in a CSV file: path, label, split and optionally group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.folder_listing import require_utf8
from e2kd_lab.data.image_folders import LabelledImage
from e2kd_lab.data.listed_files import listed_path, require_file
from e2kd_lab.data.own_images import SPLIT_NAMES, OwnImages, completed
from e2kd_lab.data.text_files import read_csv, whole_number
from e2kd_lab.system.errors import DataError, shown
from e2kd_lab.system.paths import expanded, is_file, is_folder, readable

_COLUMNS = "path, label, split and, for groups, group"


@dataclass(frozen=True)
class _Row:
    line: int
    path: Path
    label: str
    split: str
    group: str


def read_table(
    path: Path | str, root: Path | str | None = None, share: float = 0.1, group: str | None = None
) -> OwnImages:
    """Read a CSV file with one row per image: ``path``, ``label``, ``split`` and optionally ``group``.

    Labels and groups are names or numbers. Classes are sorted by number if all labels are numbers, else alphabetically;
    group 1 of a column ``group`` is called *group 1*. Without ``split``, all images are for training. A `LabNote` says
    what was repaired and held out. Images keep the order of the rows.

    Parameters
    ----------
    path : Path or str
        The file: UTF-8, columns in any order, further columns allowed.
    root : Path or str, optional
        Folder of all images that paths are relative to; the folder of the file by default.
    share : float
        See `e2kd_lab.data.own_images.read_folder`.
    group : str, optional
        The column of groups; ``group`` by default, if there is one.

    Raises
    ------
    DataError
        If the file is missing or lacks a column, or a row is invalid.
    """
    path = expanded(path).absolute()
    root = path.parent if root is None else expanded(root).absolute()
    if not is_folder(root):
        raise DataError(f"{root} is not a folder; expected the one that paths in {path} are relative to.")
    findings = Findings()
    with readable(path, DataError):
        rows = list(_rows(path, root, group, findings))
    if not rows:
        raise DataError(f"{path} has a header but no rows; expected one row per picture.")
    classes, numbers, notes = _classes(path, rows)
    trained = {numbers[row.label] for row in rows if row.split == "train"}
    if strange := [row for row in rows if numbers[row.label] not in trained]:
        raise DataError(
            f"{path}, line {strange[0].line}: no training picture has the label '{shown(strange[0].label)}'; expected "
            "every class in split train."
        )
    groups = sorted({row.group for row in rows} - {""})
    if groups and (bare := [row for row in rows if not row.group]):
        raise DataError(f"{path}, line {bare[0].line}: the group is missing; expected one for every picture, or none.")
    parts: dict[str, list[LabelledImage]] = {"train": [], "val": [], "test": []}
    for row in rows:
        number = groups.index(row.group) if groups else None
        parts[row.split].append(LabelledImage(row.path, numbers[row.label], number))
    return completed(root, classes, parts, share, groups=groups, notes=notes, findings=findings)


def _rows(path: Path, root: Path, group: str | None, findings: Findings) -> Iterator[_Row]:
    if not is_file(path):
        raise DataError(f"{path} is not there; expected a folder of pictures, or a CSV file of path, label and split.")
    columns, rows = read_csv(path, _COLUMNS, findings)
    wanted = {"path": "path", "label": "label", "split": "split", "group": (group or "group").casefold()}
    for needed in ("path", "label", *([] if group is None else [wanted["group"]])):
        if needed not in columns:
            found = shown(", ".join(columns))
            raise DataError(f"{path} lacks the column '{needed}'; found {found}; expected the columns {_COLUMNS}.")
    seen: dict[Path, int] = {}
    for line, row in rows:
        values = {name: row[column].strip() for name, column in wanted.items() if column in columns}
        values["group"] = _group_name(wanted["group"], values.get("group", ""))
        yield _row(path, line, root, values, seen)


def _row(path: Path, line: int, root: Path, values: Mapping[str, str], seen: dict[Path, int]) -> _Row:
    where = f"{path}, line {line}"
    split = SPLIT_NAMES.get(values.get("split", "train").casefold())
    if split is None:
        raise DataError(f"{where}: the split is '{shown(values['split'])}'; expected train, val or test.")
    if not values["label"]:
        raise DataError(f"{where}: the label is missing; expected the name or the number of a class.")
    picture = _picture(where, root, values["path"])
    if picture in seen:
        raise DataError(
            f"{where}: the picture '{shown(values['path'])}' is already in line {seen[picture]}; expected it once."
        )
    seen[picture] = line
    return _Row(line, picture, values["label"], split, values["group"])


def _picture(where: str, root: Path, name: str) -> Path:
    """The path of a row's image, which must be a file below the root."""
    path = listed_path(where, root, name, absolute=True)
    require_file(where, "picture", path, root)
    require_utf8(path)
    return path


def _group_name(column: str, value: str) -> str:
    """Name of a group; a number is prefixed by its column, as classes may be numbers, too."""
    number = whole_number(value)
    return value if number is None else f"{column} {number}"


def _classes(path: Path, rows: Sequence[_Row]) -> tuple[list[str], dict[str, int], list[str]]:
    """Names of the classes, the class number of each label as written, and notes."""
    found = {row.label: whole_number(row.label) for row in rows}
    values = {label: number for label, number in found.items() if number is not None}
    if len(values) < len(found):
        names = sorted(found)
        return names, {name: number for number, name in enumerate(names)}, []
    classes = sorted(set(values.values()))
    notes = []
    if len(classes) < len(found) or any("." in label for label in found):
        written = next((label for label in found if "." in label), min(found))
        notes.append(f"{path}: labels such as {written} were read as whole numbers.")
    if classes != list(range(len(classes))):
        notes.append(
            f"{path}: labels are numbers from {classes[0]} to {classes[-1]}, {len(classes)} of them, so that class 0 "
            f"is '{classes[0]}'."
        )
    order = {value: number for number, value in enumerate(classes)}
    return [str(value) for value in classes], {label: order[value] for label, value in values.items()}, notes
