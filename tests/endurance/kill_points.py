"""Places at which a process may be killed, and a process that kills itself at one of them.

A signal from outside seldom hits the microseconds in which a file is half written. So this module makes a process say
where it is: ``step`` after each training step; ``half NAME``, ``synced NAME``, ``rename NAME`` and ``renamed NAME``
while NAME is written through its temporary neighbour (NAME is the final one); ``reserve`` and ``chunk`` while a frozen
teacher is written; ``said`` after each line that a sweep or a freezing says. It sends itself SIGKILL, which no process
can catch, at the place that was asked for.
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
    """Counts the places that were reached, and kills the process at one of them.

    Parameters
    ----------
    place : str, optional
        Where to die.
    count : int
        How often it must have been reached by then.
    """

    def __init__(self, place: str | None = None, count: int = 1) -> None:
        super().__init__()
        self.place, self.count = place, count

    def reach(self, place: str) -> None:
        """Note that a place was reached, and die there if that was asked for."""
        self[place] += 1
        if place == self.place and self[place] == self.count:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> Places:
        """Let this process say where it is, from now on."""
        fdopen, fsync, replace = os.fdopen, os.fsync, Path.replace
        flush, stored_form = np.memmap.flush, frozen.stored_form

        def opened(descriptor: int, *arguments: Any, **options: Any) -> Any:
            file = fdopen(descriptor, *arguments, **options)
            name = _target(_path_of(descriptor))
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

        def formed(*arguments: Any) -> Any:  # the logits of the chunk are written by now, its maps are not
            self.reach("chunk")
            return stored_form(*arguments)

        os.fdopen, os.fsync, Path.replace = opened, synced, replaced  # type: ignore[assignment, method-assign]
        np.memmap.flush, frozen.stored_form = flushed, formed  # type: ignore[method-assign]
        if hasattr(os, "posix_fallocate"):
            reserve = os.posix_fallocate

            def reserved(*arguments: Any) -> None:
                reserve(*arguments)
                self.reach("reserve")

            os.posix_fallocate = reserved
        return self


class Steps(Watcher):
    """Tells `Places` of training steps."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def on_step(self, step: int, losses: Any) -> None:
        self.places.reach("step")


class _Halved:
    """A file each of whose writes stops half-way."""

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
    """What a temporary file is going to be renamed to: ``.NAME.xxxxxxxx.part`` to ``NAME``."""
    return path.name[1:].rsplit(".", 2)[0] if path.suffix == ".part" else None
