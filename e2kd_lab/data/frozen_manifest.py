"""The manifest of a frozen teacher's cache: what its arrays hold, and how much of them is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.system.errors import DataError, shown
from e2kd_lab.system.json_files import read_json

MANIFEST = "manifest.json"
# Version 2 has a digest of each image.
VERSION = DIGESTS_SINCE = 2
_READABLE = (1, 2)

_FIELDS: dict[str, Callable[[Any], bool]] = {
    "spec": lambda value: isinstance(value, dict) and set(value) == set(FrozenSpec.__dataclass_fields__),
    "files": lambda value: isinstance(value, str),
    "count": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "chunk": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "checksums": lambda value: isinstance(value, list) and all(isinstance(entry, str) for entry in value),
}


def read_cache_json(path: Path) -> Any:
    """Content of one of a cache's JSON files."""
    return read_json(path, DataError, missing="the folder of a frozen teacher, which 'e2kd-lab freeze' makes")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a cache.

    Raises
    ------
    DataError
        If it is missing or not one that this lab wrote.
    """
    path = folder / MANIFEST
    manifest = read_cache_json(path)
    if not isinstance(manifest, dict) or manifest.get("version") not in _READABLE:
        raise DataError(f"{path} is not a manifest of version 1 or {VERSION}; expected one that this lab wrote.")
    for field, valid in _FIELDS.items():
        if not valid(manifest.get(field)):
            raise DataError(
                f"{path}: '{field}' is {shown(manifest.get(field))!r}; expected a manifest that this lab wrote."
            )
    return manifest
