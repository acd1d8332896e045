"""Training in the background: start, watch, stop, wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from e2kd_lab.experiments import Experiment
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.run import run
from e2kd_lab.system.errors import LabNote, RunError, note, raised
from e2kd_lab.system.ipython import ipython_shell
from e2kd_lab.training import Hardware, OwnMeasures, Watcher, Watchers
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.preserved_state import random_state_preserved

_BETWEEN_STEPS = 0.5  # seconds between two calls of `on_change` while no measures arrive


class Session(Watcher):
    """One experiment in training on a background thread.

    Interrupting the kernel does not reach that thread: the session says once that training goes on, and how to stop it.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    folder : Path or str, optional
        Folder of runs; the workspace's by default.
    hardware : Hardware, optional
        Device and processes.
    on_change : callable, optional
        Called with the session whenever measures arrive, between them about twice a second, if the kernel is
        interrupted, and at the end; on the training thread, but for interrupts.
    on_network : callable, optional
        Called with the session and the network in training, on the training thread, before each epoch's measures
        arrive.
    watchers, metrics
        See `e2kd_lab.run`.

    Attributes
    ----------
    title : str
        What is being trained at the moment: the teacher first, if it must be trained.
    step, total_steps : int
        Progress of that training.
    rows : DataFrame
        Its measures so far, as in ``metrics.csv``.
    run : Run or None
        The result, once `finished`.
    error : BaseException or None
        What ended the training, if it failed.
    interrupted : bool
        Whether the kernel was interrupted while training went on.

    Examples
    --------
    >>> session = Session(lab.experiments.get("waterbirds", "smoke").replace(method="kd"))  # doctest: +SKIP
    >>> session.start().wait(60).status  # doctest: +SKIP
    'done'
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        folder: Path | str | None = None,
        hardware: Hardware | None = None,
        on_change: Callable[[Session], None] | None = None,
        on_network: Callable[[Session, ExplainableModel], None] | None = None,
        watchers: Iterable[Watcher] = (),
        metrics: Mapping[str, MeasureFunction] | None = None,
    ) -> None:
        self.experiment, self.folder, self.hardware = experiment, folder, hardware
        self.title, self.step, self.total_steps = experiment.title, 0, 0
        self.rows = pd.DataFrame()
        self.run: Run | None = None
        self.error: BaseException | None = None
        # Refused here, where the caller is, and not on the thread that trains.
        self._watchers, self._metrics = Watchers(watchers), metrics
        OwnMeasures(metrics)
        self._callbacks: dict[str, Callable[..., None] | None] = {"on_change": on_change, "on_network": on_network}
        self._stop = threading.Event()
        self._started_at = (0.0, 0)
        self._changed_at = 0.0
        self._finished = self.interrupted = False
        # A daemon, so that a kernel can shut down at once: the run goes on from its last checkpoint.
        self._thread = threading.Thread(target=self._train, name=f"training {experiment.title}", daemon=True)

    def start(self) -> Session:
        """Begin, or resume from the run's last checkpoint."""
        self._thread.start()
        _after_each_cell(self._ask_whether_interrupted)
        return self

    def stop(self) -> None:
        """Ask to save the state and stop after the present step."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> Run:
        """Wait for the end and return the run; an error of the training is raised here.

        Raises
        ------
        TimeoutError
            If training has not ended after ``timeout`` seconds.
        KeyboardInterrupt
            If waiting is interrupted; training goes on.
        """
        try:
            self._thread.join(timeout)
        except KeyboardInterrupt:
            self._say_that_it_goes_on()
            raise
        if self._thread.is_alive():
            raise TimeoutError(f"{self.title} is at step {self.step} of {self.total_steps} after {timeout} seconds.")
        if self.error is not None:
            raise self.error
        if self.run is None:
            raise RunError(f"{self.title} was not started; expected start() before wait().")
        return self.run

    @property
    def running(self) -> bool:
        """Whether training goes on."""
        return self._thread.ident is not None and not self._finished

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end of the present training, None before the first steps."""
        began, first = self._started_at
        if self.step <= first:
            return None
        return (time.monotonic() - began) / (self.step - first) * (self.total_steps - self.step)

    def on_start(self, title: str, step: int, total_steps: int) -> None:
        """See `Watcher.on_start`."""
        self.title, self.step, self.total_steps, self.rows = title, step, total_steps, pd.DataFrame()
        self._started_at = (time.monotonic(), step)
        self._changed()

    def on_step(self, step: int, losses: dict[str, Tensor]) -> None:
        """See `Watcher.on_step`."""
        self.step = step
        if time.monotonic() - self._changed_at >= _BETWEEN_STEPS:
            with random_state_preserved():
                self._changed()

    def on_rows(self, rows: pd.DataFrame) -> None:
        """See `Watcher.on_rows`."""
        self.rows = pd.concat([self.rows, rows], ignore_index=True) if len(self.rows) else rows
        self._changed()

    def on_network(self, network: ExplainableModel) -> None:
        """See `Watcher.on_network`."""
        self._call("on_network", network)

    def should_stop(self) -> bool:
        """See `Watcher.should_stop`."""
        return self._stop.is_set()

    def _train(self) -> None:
        watchers = [self, self._watchers]
        try:
            self.run = run(
                self.experiment,
                folder=self.folder,
                progress=False,
                hardware=self.hardware,
                watchers=watchers,
                metrics=self._metrics,
            )
        except BaseException as error:  # raised again by `wait`, on the thread that asks
            self.error = error
        self._finished = True
        self._changed()

    def _ask_whether_interrupted(self, result: Any) -> None:
        """After a cell: was it interrupted? Once training has ended, cells are of no interest any more."""
        if not self.running:
            _after_each_cell(self._ask_whether_interrupted, forget=True)
        elif isinstance(result.error_in_exec, KeyboardInterrupt):
            self._say_that_it_goes_on()

    def _say_that_it_goes_on(self) -> None:
        if self.interrupted or not self.running:
            return
        self.interrupted = True
        note(f"{self.title} goes on training in the background: press Stop in its panel, or call stop(), to end it.")
        self._changed()

    def _changed(self) -> None:
        self._changed_at = time.monotonic()
        self._call("on_change")

    def _call(self, name: str, *given: Any) -> None:
        """Call a callback; a fault in a front end must not end the training, nor make it deaf to `stop`."""
        try:
            if (callback := self._callbacks[name]) is not None:
                callback(self, *given)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._callbacks[name] = None
            with suppress(LabNote):  # even where notes are errors
                note(f"{name} {raised(error)}: it is not called again, and training goes on.")


def _after_each_cell(callback: Callable[[Any], None], *, forget: bool = False) -> None:
    """Call back with the result of each cell that is run from now on, or no longer; outside IPython there are none."""
    if (shell := ipython_shell()) is not None:
        (shell.events.unregister if forget else shell.events.register)("post_run_cell", callback)
