"""Several training callbacks as one, whose errors never end a training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import pandas as pd
from torch import Tensor, nn

from e2kd_lab.models import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, note
from e2kd_lab.training.random_state import random_state_kept
from e2kd_lab.training.watcher import Watcher


class Watchers(Watcher):
    """Tells several watchers what happens, each of which may stop the training.

    One that raises is told of nothing more: its ``error`` is kept and said once, and training goes on to the same
    numbers. For that, what watchers draw at random, change in a table or set in a network's mode is undone.
    ``KeyboardInterrupt`` still ends the training.

    Parameters
    ----------
    watchers : iterable of Watcher
        In the order in which they are told.

    Raises
    ------
    ExperimentError
        If one of them is no `Watcher`.

    Examples
    --------
    >>> Watchers([Watcher(), Watcher()]).should_stop()
    False
    """

    def __init__(self, watchers: Iterable[Watcher] = ()) -> None:
        self._listening = _checked(watchers)

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
        with _modes_kept(network):
            self._tell("on_network", lambda: (network,))

    def on_end(self, title: str) -> None:
        """See `Watcher.on_end`."""
        self._tell("on_end", lambda: (title,))

    def should_stop(self) -> bool:
        """Whether any of the watchers asks to stop."""
        return any(self._tell("should_stop", tuple))

    def _tell(self, name: str, arguments: Any) -> list[bool]:
        """Call a method of all who still listen, and say which of them returned something true."""
        told = [watcher for watcher in self._listening if _overrides(watcher, name)]
        if not told:
            return []
        # Keeping the generators takes longer than a progress bar.
        own = name in ("on_step", "should_stop") and all(_is_ours(watcher, name) for watcher in told)
        answers = []
        with nullcontext() if own else random_state_kept():
            for watcher in told:
                try:
                    answer = getattr(watcher, name)(*arguments())
                    answers.append(name == "should_stop" and bool(answer))
                except Exception as error:
                    self._drop(watcher, name, error)
        return answers

    def _drop(self, watcher: Watcher, name: str, error: Exception) -> None:
        self._listening = [other for other in self._listening if other is not watcher]
        with suppress(Exception):  # one that takes no attributes
            watcher.error = error
        note(
            f"Watcher {type(watcher).__name__} raised {type(error).__name__} in {name} ({error}): it is not asked "
            "again, and training goes on."
        )


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
    """Whether there is anything to call: a class's own method, or one that was set on the object."""
    return getattr(getattr(watcher, name, None), "__func__", None) is not getattr(Watcher, name)


def _is_ours(watcher: Watcher, name: str) -> bool:
    """Whether a method is the lab's, which draws nothing at random."""
    return str(getattr(getattr(watcher, name), "__module__", "")).startswith("e2kd_lab.")


@contextmanager
def _modes_kept(network: nn.Module) -> Iterator[None]:
    """Whoever looks at a network in evaluation mode may forget, or fail, to set it back."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
