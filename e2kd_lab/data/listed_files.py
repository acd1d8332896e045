"""Files that a table or a list names: inside their folder, and there."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from e2kd_lab.data.images import is_image_file
from e2kd_lab.system.errors import DataError, shown
from e2kd_lab.system.paths import is_file, is_folder


def listed_path(where: str, root: Path, name: str, *, absolute: bool = False) -> Path:
    """The path that a table or a list gives for a file of a folder.

    Parameters
    ----------
    where : str
        The file and line that name it, for the error message.
    root : Path
        The folder.
    name : str
        The path as written, with slashes.
    absolute : bool
        Also accept absolute paths in the folder.

    Raises
    ------
    DataError
        If the path is empty or points outside the folder.
    """
    parts = PurePosixPath(name.replace(os.sep, "/") if absolute else name)
    path = root / parts
    inside = path.is_relative_to(root) if absolute else not parts.is_absolute()
    if not parts.name or not inside or ".." in parts.parts or "\\" in str(parts) or "\0" in name:
        hint = " with '/' between folders" if "\\" in name else ""
        hint += ", or data_root, the folder that paths are relative to" if absolute else ""
        raise DataError(
            f"{where}: the path '{shown(name)}' is empty or points outside the data folder {root}; "
            f"expected a file in it{hint}."
        )
    return path


def require_file(where: str, kind: str, path: Path, root: Path) -> None:
    """Refuse a file that is not there; if it is there under another spelling, name it.

    Parameters
    ----------
    where : str
        The file and line that name it.
    kind : str
        What it is, such as ``image``.
    path, root : Path
        The file, and the folder above it that is there.

    Raises
    ------
    DataError
        If it is not a file.
    """
    if is_file(path):
        return
    alike = _alike(path, root)
    hint = f", but '{alike.relative_to(root)}' is; expected the same small and capital letters" if alike else ""
    raise DataError(f"{where}: the {kind} {path} is not there{hint}.")


def picture_of(folder: Path, stem: str, usual: str) -> Path:
    """The image file of a name without suffix: with the usual suffix, else the only one there with another."""
    path = folder / f"{stem}{usual}"
    if is_file(path):
        return path
    try:
        others = [one for one in folder.glob(f"{_literal(stem)}.*") if one.stem == stem and is_image_file(one)]
    except (OSError, ValueError):
        others = []
    return others[0] if len(others) == 1 and is_file(others[0]) else path


def _alike(path: Path, root: Path) -> Path | None:
    """A file whose path differs in small and capital letters, or in the Unicode form of accents, alone."""
    found = [root]
    for part in path.relative_to(root).parts:
        found = [entry for folder in found for entry in _entries(folder) if _folded(entry.name) == _folded(part)]
    return next((entry for entry in found if is_file(entry)), None)


def _entries(folder: Path) -> Iterator[Path]:
    if is_folder(folder):
        yield from sorted(folder.iterdir())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _literal(stem: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)
