"""Paths that users give: whether they exist, ``~``, and errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2kd_lab.system.errors import LabError


def is_file(path: Path) -> bool:
    """Whether this is a file; False if the file system refuses the name, for instance a very long one."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether this is a folder; False if the file system refuses the name, for instance a very long one."""
    try:
        return path.is_dir()
    except OSError:
        return False


def expanded(path: Path | str) -> Path:
    """The path with ``~`` expanded; as in a shell, ``~name`` of an unknown user stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def readable(path: Path, error: type[LabError]) -> Iterator[None]:
    """Turn a refusal to read into one sentence that names the file or folder.

    Parameters
    ----------
    path : Path
        The file or folder, for the message if the system names none.
    error : type of LabError
        The error to raise.

    Raises
    ------
    LabError
        If the system refuses, for instance for lack of permission or because of a broken link.
    """
    try:
        yield
    except OSError as cause:
        raise error(f"{cause.filename or path} cannot be read: {cause.strerror or cause}.") from cause
