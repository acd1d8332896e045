"""Stopping a run by a signal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

import e2kd_lab as lab

# Ctrl-C, the end of a job, a closed terminal, and what batch systems can be told to send before a job's time is over.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


@contextmanager
def stop_on_signal() -> Iterator[lab.Watcher]:
    """A watcher by which a signal stops a run after its current step, with its state saved.

    The program then ends with the status 128 + the signal's number, so that a job's script knows that there is more to
    do, and may put the same command into the queue again.
    """
    received: list[int] = []

    class Stop(lab.Watcher):
        def should_stop(self) -> bool:
            return bool(received)

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)  # a second Ctrl-C ends the program at once
        received.append(number)

    kinds = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]  # Windows has the first two
    before = {kind: signal.getsignal(kind) for kind in kinds}
    for kind, handler in before.items():
        if handler != signal.SIG_IGN or kind == signal.SIGINT:  # ignored: nohup keeps a closed terminal from ending it
            signal.signal(kind, on_signal)
    try:
        yield Stop()
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    if received:
        raise typer.Exit(128 + received[0])
