"""How far a run is, in its folder, so that it can be read from any machine."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.errors import LabError, RunError
from e2kd_lab.system.json_files import read_json
from e2kd_lab.training import Watcher

PROGRESS = "progress.json"
_FIRST, _BETWEEN = 5.0, 10.0  # seconds; shorter runs write none


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    step, total_steps : int
        Steps that are done, and all of them.
    seconds_left : float
        Estimated time to the last step when this was written.
    """

    step: int
    total_steps: int
    seconds_left: float


class ProgressFile(Watcher):
    """Writes ``progress.json`` into a run's folder every ten seconds.

    Parameters
    ----------
    folder : Path
        The run's folder.
    first, between : float
        Seconds before it is written first, and between writes.
    """

    def __init__(self, folder: Path, *, first: float = _FIRST, between: float = _BETWEEN) -> None:
        self._path, self._first, self._between = folder / PROGRESS, first, between
        self._start, self._total, self._began, self._due = 0, 0, 0.0, 0.0

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        self._start, self._total, self._began = step, total_steps, time.monotonic()
        self._due = self._began + self._first

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        if (now := time.monotonic()) < self._due:
            return
        self._due = now + self._between
        left = (now - self._began) / (step - self._start) * (self._total - step)
        author = {"pid": os.getpid(), "host": socket.gethostname()}
        write_json(self._path, {"step": step, "total_steps": self._total, "seconds_left": round(left, 1), **author})


def read_progress(folder: Path, pid: object, host: object) -> Progress | None:
    """What this process wrote last, or None: an earlier process of the run may have left its own.

    Examples
    --------
    >>> read_progress(Path("runs/waterbirds-lab-kd-0123abcd-s0"), 4711, "node7")
    """
    with suppress(LabError, KeyError, TypeError, ValueError):  # there is none, or it is damaged: it only informs
        read = read_json(folder / PROGRESS, RunError, missing="a run's progress")
        if (read["pid"], read["host"]) == (pid, host):
            return Progress(int(read["step"]), int(read["total_steps"]), float(read["seconds_left"]))
    return None
