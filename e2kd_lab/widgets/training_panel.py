"""Base of panels that train: the buttons, the background session and its progress."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from e2kd_lab.experiments import Experiment
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run, Status
from e2kd_lab.runs.session import Session
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.widgets.panel import Panel, shows_background_errors, shows_errors


class TrainingPanel(Panel):
    """Panel with a button that trains the experiment of its controls in the background, one at a time.

    Subclasses define `experiment`, `show_training` and `show_end`, and optionally `show_network`. The last three are
    called on the training thread while ``_lock`` is held.

    Parameters
    ----------
    export_name, export_folder
        See `Panel`.
    folder : Path or str, optional
        Folder of the runs.
    hardware : Hardware, optional
        Device and processes.
    watchers, metrics
        Passed to every training, see `e2kd_lab.run`.

    Attributes
    ----------
    train_button, stop_button : ipywidgets.Button
        Train or resume the run; save its state and stop.
    progress, time_left : ipywidgets.IntProgress, ipywidgets.Label
        Steps and remaining time of the last training.
    session : Session or None
        The last training.
    """

    def __init__(
        self,
        export_name: str,
        export_folder: Path | str,
        *,
        folder: Path | str | None,
        hardware: Hardware | None,
        watchers: Iterable[Watcher] = (),
        metrics: Mapping[str, MeasureFunction] | None = None,
    ) -> None:
        super().__init__(export_name, export_folder)
        self.folder = runs_folder() if folder is None else Path(folder)
        self.hardware, self.watchers, self.metrics = hardware, list(watchers), metrics
        self.session: Session | None = None
        # The training thread redraws the panel, too.
        self._lock = threading.RLock()
        self.train_button = widgets.Button(description="Train", icon="play", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.progress = widgets.IntProgress(description="Steps", value=0, max=1)
        self.time_left = widgets.Label()
        self.train_button.on_click(self._train)
        self.stop_button.on_click(self._stop)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls describe."""
        raise NotImplementedError

    @property
    def training(self) -> bool:
        """Whether a training started here is running."""
        return self.session is not None and self.session.running

    def wait(self, timeout: float | None = None) -> Run | None:
        """Wait for the last training; re-raise its error."""
        return None if self.session is None else self.session.wait(timeout)

    def offer(self, status: Status) -> None:
        """Enable the buttons that apply to a run with this status."""
        self.train_button.disabled = self.training or status in ("done", "running")
        self.train_button.description = "Resume" if status in ("stopped", "failed") else "Train"
        self.stop_button.disabled = not self.training

    def show_training(self, session: Session) -> None:
        """Draw a training that has started or has new measures."""
        raise NotImplementedError

    def show_end(self, session: Session) -> None:
        """Draw the run that the controls describe, after a training has finished, stopped or failed."""
        raise NotImplementedError

    def show_network(self, experiment: Experiment, network: ExplainableModel) -> None:
        """Draw a student in training, once per epoch, before its measures arrive."""

    @shows_errors
    def _train(self, _: Any) -> None:
        with self._lock:
            if self.training:
                return
            self.last_error = None
            self.session = Session(
                self.experiment,
                folder=self.folder,
                hardware=self.hardware,
                on_change=self._follow,
                on_network=self._look,
                watchers=self.watchers,
                metrics=self.metrics,
            )
            self.train_button.disabled, self.stop_button.disabled = True, False
            self.progress.value = 0
            self.say(f"{self.session.title}: starting ...")
            self.session.start()

    @shows_errors
    def _stop(self, _: Any) -> None:
        if self.session is not None and self.session.running:
            self.session.stop()
            self.time_left.value = f"{self.session.title}: saving and stopping ..."

    @shows_background_errors
    def _follow(self, session: Session) -> None:
        with self._lock:
            self.progress.max, self.progress.value = max(1, session.total_steps), session.step
            if session.running:
                left = session.seconds_left
                rest = f", about {left:.0f} s left" if left is not None else ""
                self.time_left.value = f"{session.title}: step {session.step} of {session.total_steps}{rest}"
                self.show_training(session)
                return
            self.time_left.value = ""
            self.show_end(session)
            if isinstance(session.error, Exception):
                self.show_error(session.error)

    @shows_background_errors
    def _look(self, session: Session, network: ExplainableModel) -> None:
        if session.title == session.experiment.title:  # not its teacher
            with self._lock:
                self.show_network(session.experiment, network)
