"""Base of panels that train: the buttons, the queue, the background session and its progress."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import figure_options, training_curves
from e2kd_lab.figures.export import figure_contents, screen_png
from e2kd_lab.figures.live_curves import LiveCurves
from e2kd_lab.figures.options import current_options
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run, Status
from e2kd_lab.runs.run_folder import ELSEWHERE
from e2kd_lab.runs.session import Session
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.progress import duration_text
from e2kd_lab.widgets.controls import button
from e2kd_lab.widgets.panel import Panel, shows_background_errors, shows_errors
from e2kd_lab.widgets.run_titles import run_title


@dataclass(frozen=True)
class Drawn:
    """A picture for the screen and its data; its figure is drawn when it is asked for, such as for an export."""

    png: bytes
    data: pd.DataFrame | None
    draw: Callable[[], Figure]

    @functools.cached_property
    def figure(self) -> Figure:
        """The figure; it keeps its layout, so that all exports are equal."""
        return self.draw()


class TrainingPanel(Panel):
    """Panel that trains the experiment of its controls in the background, one at a time; others wait in a queue.

    What trains has a line of its own, so that the controls always say what the pictures show. Subclasses define
    `experiment`, `show_training` and `show_end`, and optionally `show_network` and `show_queue`. They are
    called while ``_lock`` is held, most of them on the training thread.

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
        Train or resume the run, after those that train or wait; save the state of the one in training and stop, and
        empty the queue.
    training_line : ipywidgets.HBox
        ``progress``, ``time_left`` and ``stop_button`` of the last training; hidden before the first.
    progress, time_left : ipywidgets.IntProgress, ipywidgets.Label
        Steps of the last training; what trains, and for how long.
    session : Session or None
        The last training.
    queue : list of Experiment
        What is trained next, in this order.
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
        self.queue: list[Experiment] = []
        self._drawn_rows = 0
        self._live_curves = LiveCurves()
        # The training thread redraws the panel, too.
        self._lock = threading.RLock()
        self.train_button = widgets.Button(description="Train", icon="play", button_style="primary")
        self.stop_button = button("Stop", "stop", "Save and stop; the queue is emptied")
        self.stop_button.disabled = True
        self.progress = widgets.IntProgress(value=0, max=1, layout=widgets.Layout(width="200px"))
        self.time_left = widgets.Label()
        self.training_line = widgets.HBox(
            [self.stop_button, self.progress, self.time_left], layout=widgets.Layout(display="none")
        )
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

    def trains(self, experiment: Experiment) -> bool:
        """Whether this experiment is in training here."""
        return self.session is not None and self.session.running and self.session.experiment == experiment

    def wait(self, timeout: float | None = None) -> Run | None:
        """Wait for the training and for all in the queue, each for at most ``timeout`` seconds.

        Returns
        -------
        Run or None
            The last run; None before the first training.

        Raises
        ------
        BaseException
            The error of the first training that failed.
        """
        run, first_error = None, None
        while (session := self.session) is not None:
            try:
                run = session.wait(timeout)
            except BaseException as error:
                if session.running:  # waiting has ended, not the training
                    raise
                first_error = first_error or error
            if session is self.session:
                break
        if first_error is not None:
            raise first_error
        return run

    def offer(self, status: Status) -> None:
        """Enable the buttons that apply to the controls' run, which has this status."""
        waits = self.training and (self.trains(self.experiment) or self.experiment in self.queue)
        self.train_button.disabled = waits or status in ("done", *ELSEWHERE)
        self.train_button.description = "Resume" if status in ("stopped", "failed") else "Train"
        self.train_button.tooltip = (
            "Train after those that train or wait" if self.training else "Train in the background"
        )
        self.stop_button.disabled = not self.training

    def train(self, experiments: Iterable[Experiment]) -> None:
        """Put experiments into the queue; the first starts if nothing is in training."""
        with self._lock:
            self.queue += [one for one in experiments if one not in self.queue and not self.trains(one)]
            if self.training:
                self._say_progress()
                self.show_queue()
            elif self.queue:
                self._train_next()

    def show_training(self, session: Session) -> None:
        """Draw a training that has started or has new measures, if its run is shown."""
        raise NotImplementedError

    def show_end(self, session: Session) -> None:
        """Draw the run that the controls describe, after a training has finished, stopped or failed."""
        raise NotImplementedError

    def show_queue(self) -> None:
        """Draw which experiments train and wait."""

    def show_network(self, experiment: Experiment, network: ExplainableModel) -> None:
        """Draw a student in training, once per epoch, before its measures arrive."""

    @shows_errors
    def _train(self, _: Any) -> None:
        with self._lock:
            self.train([self.experiment])
            self.train_button.disabled = True

    def _train_next(self) -> None:
        """Start the first of the queue."""
        self.session = Session(
            self.queue.pop(0),
            folder=self.folder,
            hardware=self.hardware,
            on_change=self._follow,
            on_network=self._look,
            watchers=self.watchers,
            metrics=self.metrics,
        )
        self._drawn_rows = 0
        self.stop_button.disabled = False
        self.training_line.layout.display = None
        self.progress.value = 0
        self.session.start()
        self._say_progress()
        self.show_queue()

    @shows_errors
    def _stop(self, _: Any) -> None:
        with self._lock:
            self.queue.clear()
            self.show_queue()
            if self.session is not None and self.session.running:
                self.session.stop()
                self.time_left.value = f"{self._name(self.session)}: saving and stopping ..."

    def _name(self, session: Session) -> str:
        """What a session trains: its run, or the run's teacher."""
        name = run_title(session.experiment)
        return name if session.title == session.experiment.title else f"teacher of {name}"

    def _say_progress(self) -> None:
        """Write what trains or has ended, and how far it is."""
        session = self.session
        if session is None:
            return
        steps = f"step {session.step} of {session.total_steps}"
        self.progress.max, self.progress.value = max(1, session.total_steps), session.step
        if session.running:
            left = session.seconds_left
            said = steps if session.total_steps else "starting ..."
            said += f", about {duration_text(left)} left" if left is not None else ""
            said += f"; {len(self.queue)} more in the queue" if self.queue else ""
            said += ". It goes on though the kernel was interrupted: Stop ends it." if session.interrupted else ""
        elif session.error is not None:
            said = f"failed at {steps}."
        elif session.run is not None and session.run.status != "done":  # it was stopped, or its teacher was
            said = f"stopped at {steps}: Resume goes on."
        else:
            said = "done."
        self.time_left.value = f"{self._name(session)}: {said}"

    @shows_background_errors
    def _follow(self, session: Session) -> None:
        with self._lock:
            self._say_progress()
            if session.running:
                if len(session.rows) != self._drawn_rows or not session.step:
                    self._drawn_rows = len(session.rows)
                    self.show_training(session)
                return
            self.stop_button.disabled = True
            if self.queue:
                self._train_next()
            self.show_end(session)
            if isinstance(session.error, Exception):
                self.show_error(session.error)

    def parts(self) -> dict[str, Drawn]:
        """What is shown and exported, by what is added to ``export_name``."""
        raise NotImplementedError

    def exports(self) -> dict[str, dict[str, bytes]]:
        """See `Panel.exports`."""
        with self._lock:
            parts = self.parts()
        return {f"{self.export_name}{name}": figure_contents(one.figure, one.data) for name, one in parts.items()}

    def drawn_curves(self, curves: Mapping[str, tuple[str, pd.DataFrame]], epochs: int) -> Drawn:
        """Training curves, see `e2kd_lab.figures.training_curves`; as data, the rows of all runs with their label."""
        data = [rows.assign(run=label) for label, (_, rows) in curves.items()]
        options = current_options()

        def laid_out() -> Figure:
            with figure_options(options):
                return rendered(training_curves(curves, total_epochs=epochs), None).figure

        png = self._live_curves.png(curves, total_epochs=epochs)
        return Drawn(png, pd.concat(data, ignore_index=True) if data else None, laid_out)

    @shows_background_errors
    def _look(self, session: Session, network: ExplainableModel) -> None:
        if session.title == session.experiment.title:  # not its teacher
            with self._lock:
                self.show_network(session.experiment, network)


def rendered(figure: Figure, data: pd.DataFrame | None) -> Drawn:
    """A figure with its data and its rendering; it keeps its layout, so that all exports are equal to what is shown."""
    png = screen_png(figure)
    figure.set_layout_engine("none")
    return Drawn(png, data, lambda: figure)


def side_by_side(left: list[widgets.Widget], right: list[widgets.Widget]) -> widgets.HBox:
    """Two columns of equal width, or one below the other where the window is narrow."""
    columns = [widgets.VBox(part, layout=widgets.Layout(flex="1 1 380px", min_width="0")) for part in (left, right)]
    return widgets.HBox(columns, layout=widgets.Layout(flex_flow="row wrap", grid_gap="8px"))
