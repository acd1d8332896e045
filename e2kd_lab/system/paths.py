"""Paths from lists and command lines: whether they lead anywhere, and a sentence where they may not be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2kd_lab.system.errors import LabError


def is_file(path: Path) -> bool:
    """Whether this is a file; a name that the file system does not take, such as a very long one, is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether this is a folder; a name that the file system does not take, such as a very long one, is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def expanded(path: Path | str) -> Path:
    """The path with ``~`` written out; as in a shell, the ``~name`` of an unknown user stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


@contextmanager
def readable(path: Path, error: type[LabError]) -> Iterator[None]:
    """Say in one sentence which file or folder the system refuses to read.

    Parameters
    ----------
    path : Path
        What is read, for the message where the system does not name the very file.
    error : type of LabError
        The error to raise.

    Raises
    ------
    LabError
        If the system refuses, for want of permission or because a link leads nowhere.
    """
    try:
        yield
    except OSError as cause:
        raise error(f"{cause.filename or path} cannot be read: {cause.strerror or cause}.") from cause
