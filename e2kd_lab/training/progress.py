"""Progress of trainings as a line: in a notebook, in a terminal, in a log file."""

from __future__ import annotations

import html
import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self

from torch import Tensor
from tqdm import tqdm

from e2kd_lab.system.ipython import ipython_shell
from e2kd_lab.training.watchers import Watcher


class ProgressBar(Watcher):
    """Progress of one training, or of several one after the other, in a single line.

    Notebooks and terminals show a bar, which is removed when training ends. Elsewhere, as in a log file, a line is
    written when a training starts and then once a minute.

    Parameters
    ----------
    runs : int
        Number of runs to follow; `next_run` counts them.

    Examples
    --------
    >>> with ProgressBar() as bar:
    ...     bar.on_start("training", 0, 10)
    """

    def __init__(self, runs: int = 1) -> None:
        self._runs, self._number, self._run = runs, 0, ""
        self._title, self._step, self._total = "", 0, 1
        self._began, self._first, self._shown_at = 0.0, 0, 0.0
        self._display: _Display | None = None

    def next_run(self, title: str) -> None:
        """Begin the next of several runs; a training of another title is that of its teacher."""
        self._number, self._run = self._number + 1, title

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        self._title, self._step, self._total = title, step, total_steps
        self._began, self._first = time.monotonic(), step
        self._display = self._display or _display()
        self._show("")

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        self._step = step
        if self._display is not None and time.monotonic() - self._shown_at >= self._display.seconds:
            self._show(f", loss {losses['loss'].item():.4f}")  # waits for the device, so only now and then

    def on_end(self, title: str) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._display is not None:
            self._display.hide()

    def _show(self, loss: str) -> None:
        assert self._display is not None
        self._shown_at = time.monotonic()
        self._display.show(f"{self._name()}: step {self._step} of {self._total}{loss}{self._rest()}", self._done())

    def _done(self) -> float:
        return self._step / max(1, self._total)

    def _of_teacher(self) -> bool:
        return self._number > 0 and self._title != self._run

    def _name(self) -> str:
        place = f"run {self._number} of {self._runs}" if self._number and self._runs > 1 else ""
        if self._of_teacher():
            place = f"{place}, its teacher first" if place else "teacher first"
        return f"{place}: {self._title}" if place else self._title

    def _rest(self) -> str:
        """Time left for all runs, if the others take as long as this one; for a teacher, its own."""
        if self._step <= self._first:
            return ""
        a_step = (time.monotonic() - self._began) / (self._step - self._first)
        others = 0 if self._of_teacher() else max(0, self._runs - max(1, self._number))
        left = a_step * (self._total - self._step + others * self._total)
        return f"; about {duration_text(left)} left" + (" for the teacher" if self._of_teacher() else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def duration_text(seconds: float) -> str:
    """A duration to the precision of an estimate.

    Examples
    --------
    >>> duration_text(12.3), duration_text(250), duration_text(5400)
    ('12 s', '4 min', '1 h 30 min')
    """
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class _Display(Protocol):
    """Where the line is shown, and how often."""

    seconds: float

    def show(self, text: str, done: float) -> None:
        """Show a line; ``done`` is the share of the training that is done."""

    def hide(self) -> None:
        """Remove it."""


def _display() -> _Display:
    if hasattr(ipython_shell(), "kernel"):
        return _Notebook()
    return _Terminal() if sys.stderr.isatty() else _Log()


class _Notebook:
    """One output, which is updated and emptied in the end."""

    seconds = 0.5

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str, done: float) -> None:
        from IPython.display import display

        line = html.escape(text)
        bar = f"<progress value='{done:.4f}' max='1' aria-label='{html.escape(text, quote=True)}'></progress>"
        bundle = {"text/html": f"<div>{bar} {line}</div>", "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def hide(self) -> None:
        if self._handle is not None:
            self._handle.update({}, raw=True)


class _Terminal:
    """A bar on the last line, cut to the terminal's width."""

    seconds = 0.2

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def show(self, text: str, done: float) -> None:
        if self._bar is None:
            form = "{bar:20} {desc}"
            self._bar = tqdm(total=1.0, leave=False, bar_format=form, dynamic_ncols=True, delay=1e-9)
        self._bar.n = done
        self._bar.set_description_str(text)

    def hide(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Log:
    """Lines, since a log file cannot take one back."""

    seconds = 60.0

    def show(self, text: str, done: float) -> None:
        print(text, file=sys.stderr, flush=True)

    def hide(self) -> None:
        pass
