"""Lambda and tau at the fingertips: pick among finished runs, or train the missing one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import training_curves
from e2kd_lab.runs import Run
from e2kd_lab.session import Session
from e2kd_lab.training import Hardware
from e2kd_lab.widgets.panel import Panel, by_family, family_switch, shows_errors, value_slider
from e2kd_lab.workspace import runs_folder

LAMBDAS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
TAUS = (1.0, 2.0, 5.0, 10.0)


class TrainLab(Panel):
    """Sliders for lambda and tau; the run that they name is shown, or trained on request.

    lambda = 0 is plain KD. A run that exists is drawn at once; a missing one waits for the button and then trains in
    the background, with live curves and a stop button. KD's run of the same temperature is drawn for comparison.

    Parameters
    ----------
    experiments : Experiment, or sequence of Experiment
        Everything but method, lambda and tau; one experiment for each family of networks.
    lambdas, taus : sequence of float
        Values on the sliders.
    folder : Path or str, optional
        Where runs lie.
    hardware : Hardware, optional
        Device and processes.
    export_folder : Path or str
        Where the export button writes.

    Attributes
    ----------
    family, lam, tau, seed : ipywidgets controls
        What to show or train.
    train_button, stop_button : ipywidgets.Button
        Train or resume the run; save its state and stop.
    progress : ipywidgets.IntProgress
        Steps done.
    session : Session or None
        The training that was started last.
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        *,
        lambdas: Sequence[float] = LAMBDAS,
        taus: Sequence[float] = TAUS,
        folder: Path | str | None = None,
        hardware: Hardware | None = None,
        export_folder: Path | str = "exports",
    ) -> None:
        experiment, self.bases = by_family(experiments)
        super().__init__(f"{experiment.name}_curves", export_folder)
        self.hardware = hardware
        self.folder = runs_folder() if folder is None else Path(folder)
        self.session: Session | None = None
        self.family = family_switch(list(self.bases))
        self.lam = value_slider("λ", lambdas, experiment.lam)
        self.tau = value_slider("τ", taus, experiment.tau)
        self.seed = widgets.BoundedIntText(
            description="Seed", value=experiment.seed, min=0, max=9999, layout=widgets.Layout(width="160px")
        )
        self.train_button = widgets.Button(description="Train", icon="play", button_style="primary")
        self.stop_button = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.progress = widgets.IntProgress(description="Steps", value=0, max=1)
        for control in (self.family, self.lam, self.tau, self.seed):
            control.observe(self._pick, "value")
        self.train_button.on_click(self._train)
        self.stop_button.on_click(self._stop)
        self.arrange(
            [self.family, self.seed],
            [self.lam, self.tau],
            [self.train_button, self.stop_button, self.progress, self.export_button],
        )
        self._pick(None)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls name."""
        method = "e2kd" if self.lam.value > 0 else "kd"
        base = self.bases[self.family.value]
        return base.replace(method=method, lam=self.lam.value, tau=self.tau.value, seed=self.seed.value)

    def wait(self, timeout: float | None = None) -> Run | None:
        """Wait for the training that was started last; its error is raised here."""
        return None if self.session is None else self.session.wait(timeout)

    @shows_errors
    def _pick(self, _: Any) -> None:
        if self.session is not None and self.session.running:
            self._draw_session(self.session)
            return
        experiment = self.experiment
        here = Run(self.folder / experiment.run_name())
        status = here.status
        self.train_button.disabled = status == "done"
        self.train_button.description = "Resume" if status in ("stopped", "failed") else "Train"
        self.progress.value = self.progress.max if status == "done" else 0
        curves = self._comparison(experiment)
        if status == "done":
            curves[_label(experiment)] = (experiment.method, here.metrics())
            self.say(f"{_label(experiment)}, seed {experiment.seed}: {_summary(here.results())}")
        elif status == "failed":
            self.say(f"{_label(experiment)}, seed {experiment.seed} failed: {here.error}")
        else:
            advice = "press Resume to go on" if status == "stopped" else "press Train"
            self.say(f"{_label(experiment)}, seed {experiment.seed} has no result yet: {advice}.")
        self._draw(curves, experiment)

    @shows_errors
    def _train(self, _: Any) -> None:
        if self.session is not None and self.session.running:
            return
        self.last_error = None
        self.session = Session(self.experiment, folder=self.folder, hardware=self.hardware, on_change=self._follow)
        self._lock_controls(True)
        self.say(f"{self.session.title}: starting ...")
        self.session.start()

    @shows_errors
    def _stop(self, _: Any) -> None:
        if self.session is not None and self.session.running:
            self.session.stop()
            self.say(f"{self.session.title}: saving and stopping ...")

    @shows_errors
    def _follow(self, session: Session) -> None:
        """On the training thread: new measures, or the end."""
        if session.running:
            self._draw_session(session)
            return
        self._lock_controls(False)
        if isinstance(session.error, Exception):
            self.show_error(session.error)
        else:
            self._pick(None)

    def _draw_session(self, session: Session) -> None:
        left = session.seconds_left
        rest = f", about {left:.0f} s left" if left is not None else ""
        self.progress.max, self.progress.value = max(1, session.total_steps), session.step
        self.say(f"{session.title}: step {session.step} of {session.total_steps}{rest}")
        if len(session.rows):
            curves = self._comparison(session.experiment)
            curves[_label(session.experiment)] = (session.experiment.method, session.rows)
            self._draw(curves, session.experiment)

    def _comparison(self, experiment: Experiment) -> dict[str, tuple[str, pd.DataFrame]]:
        kd = experiment.replace(method="kd")
        here = Run(self.folder / kd.run_name())
        if experiment.method == "kd" or here.status != "done":
            return {}
        return {_label(kd): ("kd", here.metrics())}

    def _draw(self, curves: dict[str, tuple[str, pd.DataFrame]], experiment: Experiment) -> None:
        data = [rows.assign(run=label) for label, (_, rows) in curves.items()]
        figure = training_curves(curves, total_epochs=experiment.epochs)
        weight = f"_lam{experiment.lam:g}" if experiment.method == "e2kd" else ""
        self.export_name = (
            f"curves_{experiment.family}_{experiment.method}{weight}_tau{experiment.tau:g}_s{experiment.seed}"
        )
        self.show(figure, pd.concat(data, ignore_index=True) if data else None)

    def _lock_controls(self, training: bool) -> None:
        self.train_button.disabled = training
        self.stop_button.disabled = not training


def _label(experiment: Experiment) -> str:
    if experiment.method == "kd":
        return f"KD, τ = {experiment.tau:g}"
    return f"e²KD, λ = {experiment.lam:g}, τ = {experiment.tau:g}"


def _summary(results: pd.DataFrame) -> str:
    test = results[results["split"] == "test"].set_index(["metric", "group"])["value"]
    out = "out_of_distribution"
    group = out if ("agreement", out) in test else "all"
    shown = {
        "test accuracy": ("accuracy", "all"),
        "out-of-distribution accuracy": ("accuracy", out),
        "F1": ("f1", "all"),
        "EPG": ("epg", "all"),
        "IoU": ("iou", "all"),
        "agreement": ("agreement", group),
    }
    parts = [f"{title} {test[key]:.1f} %" for title, key in shown.items() if key in test]
    return ", ".join([*parts, f"explanation cosine {test['explanation_cosine', group]:.2f}"])
