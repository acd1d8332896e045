"""A folder that one process works on at a time; the others learn in one sentence which process that is."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from e2kd_lab.system.errors import LabError

# Who only asks whether a folder is held holds it for an instant; a holder writes its name an instant after it began.
_PATIENCE, _POLL = 0.5, 0.02


@contextmanager
def held(folder: Path, lock: Path, doing: str, error: type[LabError]) -> Iterator[None]:
    """Hold a folder for this process; the hold ends with the process, however that ends.

    Parameters
    ----------
    folder : Path
        What is held, for the messages.
    lock : Path
        The file that is locked, and that tells who locked it; its folder is made if it is missing.
    doing : str
        What the holder does, for instance "working on this run".
    error : type of LabError
        The error to raise.

    Raises
    ------
    LabError
        If another process or thread holds the folder, or the lock cannot be made.
    """
    file = FileLock(lock, thread_local=False)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.acquire(timeout=_PATIENCE, poll_interval=_POLL)
        except Timeout:
            lock.touch()  # where no file can be made, the wait was in vain for another reason
            raise error(f"{folder} is in use: {_holder(lock)} is {doing}; wait for it or stop it.") from None
    except OSError as cause:
        raise error(f"{folder} cannot be written to: {cause.strerror or cause}.") from cause
    try:
        with contextlib.suppress(OSError), lock.open("r+b") as note:  # on a full disk the others learn less
            note.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        file.release()


def is_held(lock: Path) -> bool:
    """Whether a process holds the folder of this lock at the moment."""
    file = FileLock(lock, thread_local=False)
    try:
        file.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written to is not being worked on
        return False
    file.release()
    return False


def _holder(lock: Path) -> str:
    try:
        # The rest is of a former holder with a longer name: at no moment is the file empty for others.
        return lock.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, ValueError, IndexError):
        return "another process"
