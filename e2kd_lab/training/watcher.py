"""How training talks to whoever watches it: a progress bar, a notebook panel, a test."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor


class Watcher:
    """Receives what happens during training and may stop it; this base class only lets it run.

    The methods are called on the thread that trains, on the first process only.
    """

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        """Training of ``title`` begins at ``step`` of ``total_steps``."""

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        """``step`` steps are done; ``losses`` are the last one's, on the device."""

    def on_rows(self, rows: pd.DataFrame) -> None:
        """An epoch's losses or a validation's measures, as in ``metrics.csv``."""

    def on_end(self, title: str) -> None:
        """Training of ``title`` has ended or stopped."""

    def should_stop(self) -> bool:
        """Whether training should save its state and stop after the present step."""
        return False


class ProgressBar(Watcher):
    """A progress bar in the terminal or notebook that vanishes when training ends."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            transient=True,
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        self._progress.start()
        self._task = self._progress.add_task(title, total=total_steps, completed=step, loss="...")

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        if self._task is not None:
            # Reading the loss waits for the device: rarely enough not to slow it down.
            if step % 10 == 0:
                self._progress.update(self._task, completed=step, loss=f"{losses['loss'].item():.4f}")
            else:
                self._progress.update(self._task, completed=step)

    def on_end(self, title: str) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
            self._progress.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
