"""Watchers: objects that follow a training run and may stop it. An error in one never ends the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, LabNote, note, raised
from e2kd_lab.training.preserved_state import modes_preserved, random_state_preserved


class Watcher:
    """Base class of watchers: called as training goes on, and asked after each step whether to stop.

    Override the methods you need and pass an object to ``lab.run(experiment, watchers=[...])``. They run on the
    training thread of rank 0. The base class does nothing and never stops.

    Attributes
    ----------
    error : BaseException or None
        The exception that the watcher raised, if any. It does not end training: the watcher is dropped, and the
        numbers stay the same.

    Examples
    --------
    >>> class StopWhenGood(Watcher):
    ...     good = False
    ...
    ...     def on_rows(self, rows):
    ...         accuracy = rows.query("split == 'val' and metric == 'accuracy' and group == 'all'")["value"]
    ...         self.good |= (accuracy > 90).any()
    ...
    ...     def should_stop(self):
    ...         return self.good
    """

    error: BaseException | None = None

    def on_run(self, folder: Path, experiment: Any) -> None:
        """A run begins or is resumed in ``folder``; ``experiment`` is what it trains. Next comes `on_start`."""

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        """Training of ``title`` starts at ``step`` of ``total_steps``; ``step`` > 0 in a resumed run."""

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        """``step`` steps are done; ``losses`` are scalars of the last step, on the device."""

    def on_rows(self, rows: pd.DataFrame) -> None:
        """New rows of ``metrics.csv``; a resumed run first passes all rows that it already has."""

    def on_network(self, network: ExplainableModel) -> None:
        """An epoch has ended; ``network`` is the student in training. Read it, do not change it."""

    def on_end(self, title: str) -> None:
        """Training of ``title`` has finished or stopped."""

    def should_stop(self) -> bool:
        """Return True to save a checkpoint and stop after the current step."""
        return False


class Watchers(Watcher):
    """Several watchers as one; any of them may stop training.

    A watcher that raises is dropped: its ``error`` is set, a note names it, and training goes on to the same numbers.
    To that end, the random state, the mode of the network and the rows of a table are protected from watchers.
    ``KeyboardInterrupt`` and ``SystemExit`` still stop training, as asked; every other exception is a fault, also one
    that is no `Exception`, such as ``asyncio.CancelledError``.

    Parameters
    ----------
    watchers : iterable of Watcher
        Called in this order.

    Raises
    ------
    ExperimentError
        If an item is not a `Watcher`.

    Examples
    --------
    >>> Watchers([Watcher(), Watcher()]).should_stop()
    False
    """

    def __init__(self, watchers: Iterable[Watcher] = ()) -> None:
        self._active = _checked(watchers)

    def on_run(self, folder: Path, experiment: Any) -> None:
        """See `Watcher.on_run`."""
        self._tell("on_run", lambda: (folder, experiment))

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        """See `Watcher.on_start`."""
        self._tell("on_start", lambda: (title, step, total_steps))

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        """See `Watcher.on_step`."""
        self._tell("on_step", lambda: (step, dict(losses)))

    def on_rows(self, rows: pd.DataFrame) -> None:
        """See `Watcher.on_rows`."""
        self._tell("on_rows", lambda: (rows.copy(),))

    def on_network(self, network: ExplainableModel) -> None:
        """See `Watcher.on_network`."""
        with modes_preserved(network):
            self._tell("on_network", lambda: (network,))

    def on_end(self, title: str) -> None:
        """See `Watcher.on_end`."""
        self._tell("on_end", lambda: (title,))

    def should_stop(self) -> bool:
        """Whether any watcher asks to stop."""
        return any(self._tell("should_stop", tuple))

    def _tell(self, name: str, arguments: Any) -> list[bool]:
        """Call a method of every active watcher and return their answers to ``should_stop``."""
        told = [watcher for watcher in self._active if self._asked(watcher, name, _overrides)]
        # Saving the random state costs more than a progress bar, and the lab's own watchers draw nothing.
        own = name in ("on_step", "should_stop") and all(self._asked(watcher, name, _is_ours) for watcher in told)

        def call(watcher: Watcher, name: str) -> bool:
            answer = getattr(watcher, name)(*arguments())
            return name == "should_stop" and bool(answer)

        with nullcontext() if own else random_state_preserved():
            return [self._asked(watcher, name, call) for watcher in told if watcher in self._active]

    def _asked(self, watcher: Watcher, name: str, question: Callable[[Watcher, str], bool]) -> bool:
        """The answer to a question about a watcher's method; if that raises, False, and the watcher is dropped."""
        try:
            return question(watcher, name)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._active = [other for other in self._active if other is not watcher]
            with suppress(Exception):  # a class with __slots__
                watcher.error = error
            with suppress(LabNote):  # even where notes are errors
                note(f"Watcher {type(watcher).__name__}.{name} {raised(error)}: it is dropped, and training goes on.")
            return False


def _checked(watchers: Iterable[Watcher]) -> list[Watcher]:
    if isinstance(watchers, Watcher) or not isinstance(watchers, Iterable):
        raise ExperimentError(f"'watchers' is one {_named(watchers)}; expected a list, such as [lab.ProgressBar()].")
    listed = list(watchers)
    for watcher in listed:
        if not isinstance(watcher, Watcher):
            raise ExperimentError(f"'watchers' holds {_named(watcher)}; expected objects of lab.Watcher.")
    return listed


def _named(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _overrides(watcher: Watcher, name: str) -> bool:
    """Whether the watcher defines this method, in its class or on the object."""
    return getattr(getattr(watcher, name, None), "__func__", None) is not getattr(Watcher, name)


def _is_ours(watcher: Watcher, name: str) -> bool:
    """Whether the method is defined in this package."""
    return str(getattr(getattr(watcher, name), "__module__", "")).startswith("e2kd_lab.")
