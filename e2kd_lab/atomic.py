"""Writing files so that a reader sees the old content or the new one, never half of either."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from e2kd_lab.errors import RunError


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file through a temporary neighbour that is renamed into place.

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
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        temporary = None
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its archive writer.
        if isinstance(error, RuntimeError) and "file" not in str(error).lower():
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
        raise RunError(f"{path} could not be written: {reason}; its former content, if any, is kept.") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes to a file atomically (see `write_atomically`)."""
    write_atomically(path, lambda file: _write(file, content))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a file atomically (see `write_atomically`)."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document to a file atomically, keys in order, indented."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
