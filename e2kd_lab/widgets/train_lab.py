"""Method, lambda and tau as a panel: pick a finished run, or train a missing one."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import explanation_comparison, figure_bytes, training_curves
from e2kd_lab.figures.labels import run_label, title_of
from e2kd_lab.methods import METHODS, SYMBOLS, defaults_of, has_hyperparameter
from e2kd_lab.metrics.titles import LAB_MEASURES, measure_title
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.runs.examples import examples_of
from e2kd_lab.runs.session import Session
from e2kd_lab.system.errors import RunError
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.trainer import METRICS
from e2kd_lab.widgets.panel import by_family, family_switch, muted, picture_frame, shows_errors
from e2kd_lab.widgets.training_panel import TrainingPanel
from e2kd_lab.widgets.value_slider import ValueSlider

LAMBDAS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
TAUS = (1.0, 2.0, 5.0, 10.0)
_EXAMPLES = 8
_JOINED = 3  # runs trained here that stay in the picture


class TrainLab(TrainingPanel):
    """Pick a run by method, lambda, tau, epochs and seed; see it, or train it.

    e2KD with lambda = 0 is plain KD. An existing run is drawn at once. The button trains a missing one in the
    background, with live curves, the changing explanation of an image, and a stop button. KD at the same temperature
    is drawn for comparison, and so are the last runs trained in this panel.

    Parameters
    ----------
    experiments : Experiment, or sequence of Experiment
        Everything that the controls do not set; one experiment per family of networks.
    lambdas, taus : sequence of float
        Values of the sliders for e2KD; other methods use their grids.
    folder : Path or str, optional
        Folder of the runs.
    hardware : Hardware, optional
        Device and processes.
    watchers, metrics
        Passed to every training, see `e2kd_lab.run`.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    family, method, lam, tau, epochs, seed : ipywidgets controls
        The run to show or train.
    number : ipywidgets.IntSlider
        Number of the test image to explain, counted from 1.
    explanation : ipywidgets.Image
        That image, explained by the teacher and by the chosen run's network.
    train_button, stop_button, progress, time_left, session
        See `TrainingPanel`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> TrainLab(lab.experiments.get("waterbirds", "lab"))  # doctest: +SKIP
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        *,
        lambdas: Sequence[float] = LAMBDAS,
        taus: Sequence[float] = TAUS,
        folder: Path | str | None = None,
        hardware: Hardware | None = None,
        watchers: Iterable[Watcher] = (),
        metrics: Mapping[str, MeasureFunction] | None = None,
        export_folder: Path | str = "exports",
    ) -> None:
        experiment, self.bases = by_family(experiments)
        training: dict[str, Any] = {"folder": folder, "hardware": hardware, "watchers": watchers, "metrics": metrics}
        super().__init__(f"{experiment.name}_curves", export_folder, **training)
        self.lambdas, self.taus = lambdas, taus
        self._examples = functools.cache(lambda family: examples_of(self.bases[family], _EXAMPLES))
        self._joined: dict[str, tuple[Experiment, pd.DataFrame]] = {}
        self._teachers: dict[str, ExplainableModel] = {}
        self._make_method_controls(experiment)
        self._make_run_controls(experiment)
        self._observe()
        self.arrange(
            [self.family, self.method],
            [self.lam, self.tau],
            [self._option_row],
            [self.epochs, self.seed],
            [self.train_button, self.stop_button, self.progress, self.export_button, self.time_left],
        )
        self.widget.children = [*self.widget.children, self.number, self.explanation]
        self._pick(None)

    def _make_method_controls(self, experiment: Experiment) -> None:
        """Controls of networks, method and hyper-parameters."""
        self.family = family_switch(list(self.bases))
        strangers = [name for name in METHODS if METHODS.identity(name) is not None]
        others = [name for name in dict.fromkeys([*experiment.methods, *strangers]) if name not in ("kd", "e2kd")]
        self.method = widgets.Dropdown(
            description="Method",
            options=[("e²KD (λ = 0: KD)", "e2kd"), *((title_of("method", name), name) for name in others)],
            layout=widgets.Layout(width="260px"),
        )
        self.lam = ValueSlider("λ", self.lambdas, experiment.lam)
        self.tau = ValueSlider("τ", self.taus, experiment.tau, positive=True)
        self.options: dict[str, ValueSlider] = {}
        self._option_row = widgets.HBox(layout=widgets.Layout(display="none"))

    def _make_run_controls(self, experiment: Experiment) -> None:
        """Controls of epochs and seed, and the explained image."""
        self.epochs = widgets.BoundedIntText(
            description="Epochs", value=experiment.epochs, min=1, max=10_000, layout=widgets.Layout(width="160px")
        )
        self.seed = widgets.BoundedIntText(
            description="Seed", value=experiment.seed, min=0, max=9999, layout=widgets.Layout(width="160px")
        )
        self.number = widgets.IntSlider(description="Image", min=1, max=_EXAMPLES, continuous_update=False)
        self.explanation = picture_frame()

    def _observe(self) -> None:
        self.family.observe(self._reset_epochs, "value")
        self.method.observe(self._offer_weights, "value")
        for control in (self.family, self.method, self.lam, self.tau, self.epochs, self.seed):
            control.observe(self._pick, "value")
        self.number.observe(self._explain, "value")

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls describe."""
        method = "kd" if self.method.value == "e2kd" and self.lam.value == 0 else self.method.value
        values = {"lam": self.lam.value, "tau": self.tau.value, "epochs": self.epochs.value, "seed": self.seed.value}
        values |= {name: slider.value for name, slider in self.options.items()}
        return self.bases[self.family.value].by_method(method, **values)

    @shows_errors
    def _reset_epochs(self, _: Any) -> None:
        with muted(self._pick, self.epochs):
            self.epochs.value = self.bases[self.family.value].epochs

    @shows_errors
    def _offer_weights(self, _: Any) -> None:
        """Offer the values of another method on the sliders; disable those it does not have."""
        method, base = self.method.value, self.bases[self.family.value]
        grid, usual = base.grid(method), {"lam": base.lam, "tau": base.tau} | defaults_of(method)
        explains = method == "e2kd"  # the panel's values, and the experiment's as defaults
        for slider, offered, tried, value in (
            (self.lam, self.lambdas, {one.lam for one in grid}, base.lam if explains else usual["lam"]),
            (self.tau, self.taus, {one.tau for one in grid}, base.tau if explains else usual["tau"]),
        ):
            values = offered if explains else tried
            with muted(self._pick, slider):
                slider.offer(values, value)
        self.lam.disabled, self.tau.disabled = (not has_hyperparameter(method, name) for name in ("lam", "tau"))
        self._offer_options(method)

    def _offer_options(self, method: str) -> None:
        """Offer a slider for each hyper-parameter that only this method has and that its grid varies."""
        defaults = self.bases[self.family.value].by_method(method).hyperparameters
        grids = {name: values for name, values in METHODS[method].grid.items() if name not in SYMBOLS}
        self.options = {name: ValueSlider(name, values, defaults[name], closed=True) for name, values in grids.items()}
        for slider in self.options.values():
            slider.observe(self._pick, "value")
        self._option_row.children = tuple(self.options.values())
        self._option_row.layout.display = None if self.options else "none"

    @shows_errors
    def _pick(self, _: Any) -> None:
        with self._lock:
            if self.session is not None and self.session.running:
                self.show_training(self.session)
                return
            experiment = self.experiment
            here = Run(self.folder / experiment.run_name())
            status = here.status
            self.offer(status)
            self.progress.value = self.progress.max if status == "done" else 0
            curves = self._comparison(experiment)
            if status in ("done", "stopped", "failed") and (here.folder / METRICS).is_file():
                curves[_label(experiment)] = (experiment.method, here.metrics())
            if status == "done":
                self.say(f"{_label(experiment)}, seed {experiment.seed}: {_summary(here.results())}")
            elif status == "failed":
                self.say(f"{_label(experiment)}, seed {experiment.seed} failed: {here.error}")
            else:
                advice = {"stopped": "press Resume to go on", "running": "another process trains it"}
                self.say(
                    f"{_label(experiment)}, {experiment.epochs} epochs, seed {experiment.seed} has no result yet: "
                    f"{advice.get(status, 'press Train')}."
                )
            self._draw(curves, experiment)
            self._explain(None)

    @shows_errors
    def _explain(self, _: Any) -> None:
        """Explain the chosen image by the finished run; a run in training redraws it itself."""
        with self._lock:
            if self.training:
                return
            here = Run(self.folder / self.experiment.run_name())
            self._show_explanation(self.experiment, here.load_model() if here.status == "done" else None)

    def _show_explanation(self, experiment: Experiment, network: ExplainableModel | None) -> None:
        teacher = self._teacher(experiment)
        networks = {} if teacher is None else {"teacher": teacher}
        if network is not None:
            networks[experiment.method] = network
        if not networks:
            self.explanation.value = b""
            return
        chosen = self._examples(experiment.family)[self.number.value - 1 : self.number.value]
        figure = explanation_comparison(chosen.explained_by(networks), side_by_side=1, contributions=True)
        self.explanation.value = figure_bytes(figure)

    def _teacher(self, experiment: Experiment) -> ExplainableModel | None:
        if experiment.family not in self._teachers:
            try:
                self._teachers[experiment.family] = load_teacher(experiment, folder=self.folder)
            except RunError:  # not trained yet
                return None
        return self._teachers[experiment.family]

    def show_network(self, experiment: Experiment, network: ExplainableModel) -> None:
        """See `TrainingPanel.show_network`: its current explanation of the chosen image."""
        self._show_explanation(experiment, copy.deepcopy(network).cpu().eval())

    def show_end(self, session: Session) -> None:
        """See `TrainingPanel.show_end`; a finished run joins the picture."""
        if session.run is not None and session.run.status == "done":
            self._joined[session.run.folder.name] = session.experiment, session.run.metrics()
        self._pick(None)

    def show_training(self, session: Session) -> None:
        """See `TrainingPanel.show_training`; it is drawn whatever the controls describe."""
        self.say(f"{session.title}: training ...")
        if len(session.rows):
            curves = self._comparison(session.experiment)
            curves[_label(session.experiment)] = (session.experiment.method, session.rows)
            self._draw(curves, session.experiment)

    def _comparison(self, experiment: Experiment) -> dict[str, tuple[str, pd.DataFrame]]:
        """KD at the same temperature, and the last runs trained here."""
        kd = experiment.replace(method="kd")
        here = Run(self.folder / kd.run_name())
        shown = {_label(kd): ("kd", here.metrics())} if here.status == "done" else {}
        for other, rows in list(self._joined.values())[-_JOINED:]:
            if other.family == experiment.family:
                shown[_label(other)] = (other.method, rows)
        shown.pop(_label(experiment), None)
        return shown

    def _draw(self, curves: dict[str, tuple[str, pd.DataFrame]], experiment: Experiment) -> None:
        data = [rows.assign(run=label) for label, (_, rows) in curves.items()]
        figure = training_curves(curves, total_epochs=experiment.epochs)
        parts: list[str] = [experiment.family, experiment.method]
        parts += [f"{name}{value}".removesuffix(".0") for name, value in _weights(experiment).items()]
        self.export_name = "_".join(["curves", *parts, f"s{experiment.seed}"])
        self.show(figure, pd.concat(data, ignore_index=True) if data else None)


def _label(experiment: Experiment) -> str:
    return run_label(experiment.method, experiment.hyperparameters)


def _weights(experiment: Experiment) -> dict[str, Any]:
    """Hyper-parameters that are part of the file name."""
    quiet = ("explain_every", "explain_part")
    return {name: value for name, value in experiment.hyperparameters.items() if name not in quiet}


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
    if ("explanation_cosine", group) in test:
        parts.append(f"explanation cosine {test['explanation_cosine', group]:.2f}")
    for name in sorted(set(test.index.get_level_values("metric")) - set(LAB_MEASURES)):
        key = (name, group) if (name, group) in test else (name, "all")
        parts += [f"{measure_title(name).title} {measure_title(name).text(test[key])}"] if key in test else []
    return ", ".join(parts)
