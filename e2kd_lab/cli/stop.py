"""Stopping a command by a signal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

import e2kd_lab as lab


@contextmanager
def stop_on_signal() -> Iterator[lab.Watcher]:
    """A watcher by which a signal stops a run after its current step, with its state saved.

    The program then ends with the status 128 + the signal's number, so that a job's script knows that there is more to
    do, and may put the same command into the queue again.
    """
    from e2kd_lab.training.stop_signals import stopped_by

    with stopped_by() as stop:
        yield stop
    if stop.received:
        raise typer.Exit(128 + stop.received[0])
