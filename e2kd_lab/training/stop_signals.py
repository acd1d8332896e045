"""Stopping a run by a signal, with its state saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from e2kd_lab.training.watchers import Watcher

# Ctrl-C, the end of a job, a closed terminal, and what batch systems can be told to send before a job's time is over.
STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class StopOnSignal(Watcher):
    """Asks to stop once a signal has arrived.

    Attributes
    ----------
    received : list of int
        The signals so far.
    """

    def __init__(self) -> None:
        self.received: list[int] = []

    def should_stop(self) -> bool:
        return bool(self.received)


@contextmanager
def stopped_by(names: Sequence[str] = STOP_SIGNALS) -> Iterator[StopOnSignal]:
    """A watcher by which a signal stops a run after its current step; earlier handlers are put back afterwards.

    Parameters
    ----------
    names : sequence of str
        Signals; those that this system lacks are left out, and so are those that the program ignores, as under nohup.

    Examples
    --------
    >>> with stopped_by(["SIGTERM"]) as stop:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     stop.should_stop()
    True
    """
    stop = StopOnSignal()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)  # a second Ctrl-C ends the program at once
        stop.received.append(number)

    kinds = [getattr(signal, name) for name in names if hasattr(signal, name)]  # Windows has the first two
    before = {kind: signal.getsignal(kind) for kind in kinds}
    for kind, handler in before.items():
        if handler != signal.SIG_IGN or kind == signal.SIGINT:  # ignored: nohup keeps a closed terminal from ending it
            signal.signal(kind, on_signal)
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
