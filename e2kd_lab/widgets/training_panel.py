"""What panels that train share: the buttons, the session in the background, how far it is."""

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
from e2kd_lab.widgets.panel import Panel, shows_errors


class TrainingPanel(Panel):
    """A panel whose button trains what its controls name, in the background and one at a time.

    A panel of this kind says what to train (`experiment`) and draws: `show_training`, `show_end` and, if it likes,
    `show_network` are called on the thread that trains, while ``_lock`` is held.

    Parameters
    ----------
    export_name, export_folder
        See `Panel`.
    folder : Path or str, optional
        Where runs lie.
    hardware : Hardware, optional
        Device and processes.
    watchers, metrics
        Of every training that is started here, see `e2kd_lab.run`.

    Attributes
    ----------
    train_button, stop_button : ipywidgets.Button
        Train or resume the run; save its state and stop.
    progress, time_left : ipywidgets.IntProgress, ipywidgets.Label
        Steps done of the training that was started last, and how long it still takes.
    session : Session or None
        The training that was started last.
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
        # The thread that trains redraws the panel, too.
        self._lock = threading.RLock()
        self.train_button = widgets.Button(description="Train", icon="play", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.progress = widgets.IntProgress(description="Steps", value=0, max=1)
        self.time_left = widgets.Label()
        self.train_button.on_click(self._train)
        self.stop_button.on_click(self._stop)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls name."""
        raise NotImplementedError

    @property
    def training(self) -> bool:
        """Whether a training that was started here goes on."""
        return self.session is not None and self.session.running

    def wait(self, timeout: float | None = None) -> Run | None:
        """Wait for the training that was started last; its error is raised here."""
        return None if self.session is None else self.session.wait(timeout)

    def offer(self, status: Status) -> None:
        """Let the buttons say what can be done about a run with this status."""
        self.train_button.disabled = self.training or status in ("done", "running")
        self.train_button.description = "Resume" if status in ("stopped", "failed") else "Train"
        self.stop_button.disabled = not self.training

    def show_training(self, session: Session) -> None:
        """Draw a training that has begun or brings new measures."""
        raise NotImplementedError

    def show_end(self, session: Session) -> None:
        """Draw what the controls name, after a training has finished, was stopped or has failed."""
        raise NotImplementedError

    def show_network(self, experiment: Experiment, network: ExplainableModel) -> None:
        """Draw a student in training, before each epoch's measures arrive."""

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

    @shows_errors
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

    @shows_errors
    def _look(self, session: Session, network: ExplainableModel) -> None:
        if session.title == session.experiment.title:  # not its teacher
            with self._lock:
                self.show_network(session.experiment, network)
