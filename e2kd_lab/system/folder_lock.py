"""A lock on a folder: one process works in it at a time, and the others learn which one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from e2kd_lab.system.errors import LabError, note

# Seconds. `is_locked` holds the lock for an instant, and an owner writes its name an instant after it took the lock.
_PATIENCE, _POLL = 0.5, 0.02
_WHEN_WAITING = 2.0, 0.2  # for hours, perhaps over a network


@contextmanager
def folder_lock(
    folder: Path, lock: Path, doing: str, error: type[LabError], *, wait: Callable[[], bool] | None = None
) -> Iterator[None]:
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
    wait : callable, optional
        Whether to wait on for another process that has the lock, asked every other second; a note names that process.
        By default, its lock is an error.

    Raises
    ------
    LabError
        If another process or thread has the lock, or it cannot be made.
    """
    file, pace, said = FileLock(lock, thread_local=False), (_PATIENCE, _POLL), ""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        while not _acquired(file, *pace):
            lock.touch()  # where no file can be made, the lock is not taken: this raises the true cause
            in_use = f"{folder} is in use: {_owner(lock)} is {doing}"
            if wait is None or not wait():
                raise error(f"{in_use}; wait for it or stop it.")
            if in_use != said:
                note(f"{in_use}; waiting for it.")
            pace, said = _WHEN_WAITING, in_use
    except OSError as cause:
        raise error(f"{folder} cannot be written to: {cause.strerror or cause}.") from cause
    try:
        with contextlib.suppress(OSError), lock.open("r+b") as file_of_owner:  # on a full disk the owner stays unnamed
            file_of_owner.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        file.release()


def is_locked(lock: Path) -> bool | None:
    """Whether a process has this lock at the moment; None if this process may not ask."""
    file = FileLock(lock, thread_local=False)
    try:
        if not _acquired(file, 0, _POLL):
            return True
    except OSError:
        return _is_locked_for_readers(lock)
    file.release()
    return False


def _acquired(file: FileLock, timeout: float, poll: float) -> bool:
    try:
        file.acquire(timeout=timeout, poll_interval=poll)
    except Timeout:
        return False
    return True


def _is_locked_for_readers(lock: Path) -> bool | None:
    """`is_locked` without the right to write."""
    try:
        import fcntl  # not on Windows

        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # file systems name it differently
                return True
    except FileNotFoundError:  # nobody ever worked here
        return False
    except (ImportError, OSError):
        return None
    return False


def _owner(lock: Path) -> str:
    try:
        # Later lines are left from an owner with a longer name: the file is never emptied, so that it always has one.
        return lock.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, ValueError, IndexError):
        return "another process"
