"""Stopping a run by a signal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import e2kd_lab as lab

if TYPE_CHECKING:
    from e2kd_lab.training import Watcher


@contextmanager
def stop_on_signal() -> Iterator[Watcher]:
    """A watcher by which Ctrl-C and termination stop a run after its current step, with its state saved."""

    class Stop(lab.Watcher):
        stops = False

        def should_stop(self) -> bool:
            return self.stops

    watcher = Stop()

    def on_signal(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second Ctrl-C ends the program at once
        watcher.stops = True

    before = {kind: signal.signal(kind, on_signal) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield watcher
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
