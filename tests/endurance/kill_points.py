"""Kill points: named places in a process, at one of which it kills itself.

A signal from outside rarely hits the microseconds in which a file is half written. So a process counts the places that
it reaches: ``step`` after each training step; ``half NAME``, ``synced NAME``, ``rename NAME`` and ``renamed NAME``
while the file NAME is written through a temporary one; ``reserve`` and ``chunk`` while a frozen teacher is written;
``said`` after each message of a sweep or of freezing. At the chosen place it sends itself SIGKILL, which cannot be
caught.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from e2kd_lab.data import frozen
from e2kd_lab.training import Watcher


class Places(Counter):
    """Counts the places reached, and kills the process at one of them.

    Parameters
    ----------
    place : str, optional
        Where to die.
    count : int
        On which visit to die.
    """

    def __init__(self, place: str | None = None, count: int = 1) -> None:
        super().__init__()
        self.place, self.count = place, count

    def reach(self, place: str) -> None:
        """Count a place, and die if it is the chosen one."""
        self[place] += 1
        if place == self.place and self[place] == self.count:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> Places:
        """Patch this process so that it reports the places it reaches."""
        open_path, fsync, replace = Path.open, os.fsync, Path.replace
        flush, stored_form = np.memmap.flush, frozen.stored_form

        def opened(path: Path, *arguments: Any, **options: Any) -> Any:
            file, name = open_path(path, *arguments, **options), _target(path)
            return file if name is None else _Halved(file, lambda: self.reach(f"half {name}"))

        def synced(descriptor: int) -> None:
            fsync(descriptor)
            if name := _target(_path_of(descriptor)):
                self.reach(f"synced {name}")

        def replaced(path: Path, target: Any) -> Path:
            self.reach(f"rename {Path(target).name}")
            result = replace(path, target)
            self.reach(f"renamed {Path(target).name}")
            return result

        def flushed(array: np.memmap) -> None:
            self.reach("chunk")
            flush(array)
            self.reach("chunk")

        def formed(*arguments: Any) -> Any:  # between the logits and the maps of a chunk
            self.reach("chunk")
            return stored_form(*arguments)

        Path.open, os.fsync, Path.replace = opened, synced, replaced  # type: ignore[assignment, method-assign]
        np.memmap.flush, frozen.stored_form = flushed, formed  # type: ignore[method-assign]
        if hasattr(os, "posix_fallocate"):
            reserve = os.posix_fallocate

            def reserved(*arguments: Any) -> None:
                reserve(*arguments)
                self.reach("reserve")

            os.posix_fallocate = reserved
        return self


class Steps(Watcher):
    """Reports training steps to `Places`."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def on_step(self, step: int, losses: Any) -> None:
        self.places.reach("step")


class _Halved:
    """A file that reports the middle of each write."""

    def __init__(self, file: Any, at_half: Any) -> None:
        self._file, self._at_half = file, at_half

    def write(self, content: Any) -> int:
        content = memoryview(content)
        half = self._file.write(content[: len(content) // 2])
        self._file.flush()
        self._at_half()
        return half + self._file.write(content[len(content) // 2 :])

    def __enter__(self) -> _Halved:
        return self

    def __exit__(self, *details: Any) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _target(path: Path) -> str | None:
    """Final name of the library's temporary file: ``NAME`` for ``.NAME.xxxxxxxx.part``."""
    temporary = path.name.startswith(".") and path.suffix == ".part"
    return path.name[1:].rsplit(".", 2)[0] if temporary else None
