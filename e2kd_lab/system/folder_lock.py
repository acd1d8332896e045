"""A lock on a folder: one process works in it at a time, and the others learn which one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from e2kd_lab.system.errors import LabError

# `is_locked` holds the lock for an instant, and an owner writes its name an instant after it took the lock.
_PATIENCE, _POLL = 0.5, 0.02


@contextmanager
def folder_lock(folder: Path, lock: Path, doing: str, error: type[LabError]) -> Iterator[None]:
    """Lock a folder for this process; the lock ends with the process, however that ends.

    Parameters
    ----------
    folder : Path
        The folder, for messages.
    lock : Path
        The file that is locked and that names the owner; its folder is made if it is missing.
    doing : str
        What the owner is doing, for instance "working on this run".
    error : type of LabError
        The error to raise.

    Raises
    ------
    LabError
        If another process or thread has the lock, or it cannot be made.
    """
    file = FileLock(lock, thread_local=False)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.acquire(timeout=_PATIENCE, poll_interval=_POLL)
        except Timeout:
            lock.touch()  # where no file can be made, the lock is not taken: this raises the true cause
            raise error(f"{folder} is in use: {_owner(lock)} is {doing}; wait for it or stop it.") from None
    except OSError as cause:
        raise error(f"{folder} cannot be written to: {cause.strerror or cause}.") from cause
    try:
        with contextlib.suppress(OSError), lock.open("r+b") as note:  # on a full disk the owner stays unnamed
            note.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        file.release()


def is_locked(lock: Path) -> bool:
    """Whether a process has this lock at the moment."""
    file = FileLock(lock, thread_local=False)
    try:
        file.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # nobody works in a folder that cannot be written to
        return False
    file.release()
    return False


def _owner(lock: Path) -> str:
    try:
        # Later lines are left from an owner with a longer name: the file is never emptied, so that it always has one.
        return lock.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, ValueError, IndexError):
        return "another process"
