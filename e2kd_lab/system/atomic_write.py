"""Atomic writes: a reader sees the old file or the new one, never half of either."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from e2kd_lab.system.errors import RunError

_UNFINISHED = ".part"


def atomic_write(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a temporary file beside a file, then rename it into place.

    Parameters
    ----------
    path : Path
        The file; its folder is made if it is missing.
    write : callable
        Receives the open binary file.

    Raises
    ------
    RunError
        If the folder cannot be written to or the disk is full; the file then keeps its former content.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_UNFINISHED}")
    target: _ErrorKeepingFile | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:  # with the permissions that the umask leaves, unlike tempfile's
            target = _ErrorKeepingFile(file)
            write(cast(BinaryIO, target))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        # On a full disk torch's archive writer may raise a RuntimeError about positions in place of the OSError.
        cause = error if isinstance(error, OSError) else target.error if target is not None else None
        if cause is None:
            raise
        reason = cause.strerror or str(cause)
        raise RunError(f"{path} could not be written: {reason}; its former content, if any, is kept.") from error
    finally:
        with contextlib.suppress(OSError):  # why writing failed matters more
            temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> None:
    """Remove temporary files that a killed process left in a folder; no other process may be writing there."""
    for unfinished in folder.glob(f".*{_UNFINISHED}"):
        unfinished.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes to a file atomically (see `atomic_write`)."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    atomic_write(path, write)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a file atomically (see `atomic_write`)."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document to a file atomically, keys in order, indented."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


class _ErrorKeepingFile:
    """A binary file that keeps the system's error when a write fails."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
