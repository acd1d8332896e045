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
from e2kd_lab.figures import comparison_table, explanation_comparison
from e2kd_lab.figures.labels import counted
from e2kd_lab.figures.options import FigureOptions, current_options
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.runs.examples import examples_of
from e2kd_lab.runs.session import Session
from e2kd_lab.system.errors import RunError
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.trainer import METRICS
from e2kd_lab.widgets.cached_runs import CachedRuns, State, state_of
from e2kd_lab.widgets.controls import muted
from e2kd_lab.widgets.panel import by_family, picture_frame, shows_errors
from e2kd_lab.widgets.run_controls import RunControls
from e2kd_lab.widgets.run_list import RunList
from e2kd_lab.widgets.run_summary import run_summary
from e2kd_lab.widgets.run_titles import run_title
from e2kd_lab.widgets.training_panel import Drawn, TrainingPanel, rendered, side_by_side

LAMBDAS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0)
TAUS = (1.0, 2.0, 5.0, 10.0)
_EXAMPLES = 8
_PICTURES = 64  # to keep
# Title, method, run and the state of its metrics.
_Curve = tuple[str, str, Run, State]


class TrainLab(TrainingPanel):
    """Pick a run by method, lambda, tau, epochs and seed; see it, or train it.

    e2KD with lambda = 0 is plain KD. An existing run is drawn at once, beside those chosen from a list. The button
    trains a missing one in the background, with live curves, the changing explanation of an image, and a stop button;
    meanwhile others can be looked at.

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
        Folder that the export button writes to: the curves, and the explanation.

    Attributes
    ----------
    family, method, lam, tau, epochs, seed : ipywidgets controls
        The run to show or train.
    compare : RunList
        Runs to draw beside it: any finished run of the folder whose experiment has the same classes. Those that are
        trained here join it, and until it is taken out, KD at the same temperature is chosen.
    number : ipywidgets.IntSlider
        Number of the test image to explain, counted from 1.
    explanation : ipywidgets.Image
        That image, explained by the teacher and by the shown run's network.
    train_button, stop_button, training_line, progress, time_left, session, queue
        See `TrainingPanel`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> TrainLab(lab.experiments.get("waterbirds", "lab"))  # doctest: +SKIP
    """

    figure_choices = ("width", "font_size", "maps_only", "opacity", "colour_map")

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
        self._examples = functools.cache(lambda family: examples_of(self.bases[family], _EXAMPLES))
        self._curves = functools.lru_cache(_PICTURES)(self._drawn_curves)
        self._explained = functools.lru_cache(_PICTURES)(self._drawn_explanation)
        self._cached = CachedRuns(self.folder)
        self._names: dict[str, str] = {}
        self._teachers: dict[str, ExplainableModel] = {}
        self._usual: str | None = ""  # KD at the same temperature; None once it was taken out
        self._student: ExplainableModel | None = None  # as it was after the last epoch of the training
        self._in_training: dict[str, dict[str, Any]] = {}
        self._shown: Drawn | None = None
        self._explanation: Drawn | None = None
        self.controls = RunControls(experiment, self.bases, lambdas, taus, self._pick)
        self.family, self.method = self.controls.family, self.controls.method
        self.lam, self.tau = self.controls.lam, self.controls.tau
        self.epochs, self.seed = self.controls.epochs, self.controls.seed
        self.compare = RunList(experiment)
        self.number = widgets.IntSlider(description="Image", min=1, max=_EXAMPLES, continuous_update=False)
        self.explanation = picture_frame()
        self.front_end.describe(self.explanation, "Explanations of a few images by teacher and student")
        self.compare.observe(self._choose, "value")
        self.number.observe(self._explain, "value")
        self.arrange(
            [self.family, self.method, self.epochs, self.seed],
            [self.lam, self.tau, self.controls.option_row],
            [self.train_button, self.export_button, self.number],
            [self.training_line],
        )
        *above, picture = self.widget.children
        self.widget.children = [*above, side_by_side([picture, self.compare], [self.explanation])]
        self._pick(None)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls describe."""
        return self.controls.experiment

    @property
    def options(self) -> dict[str, Any]:
        """Sliders of hyper-parameters that only the chosen method has, by name."""
        return self.controls.options

    def _run(self, experiment: Experiment) -> Run:
        """Its run; the name is kept, since it fingerprints the data."""
        key = repr(experiment)
        if key not in self._names:
            self._names[key] = experiment.run_name()
        return Run(self.folder / self._names[key])

    @shows_errors
    def _pick(self, _: Any) -> None:
        with self._lock:
            experiment = self.experiment
            here = self._run(experiment)
            status = here.status
            self.offer(status)
            self._offer_runs(experiment)
            title = run_title(experiment)
            if status == "done":
                self.say(f"{title}: {run_summary(self._cached.metrics(here))}")
            elif status == "failed":
                self.say(f"{title} failed: {here.error}")
            elif status == "unknown":
                self.say(f"{title} may be finished or in training elsewhere: {here.whereabouts}.")
            else:
                advice = {"stopped": "press Resume to go on", "running": "another process trains it"}
                said = "it trains now" if self.trains(experiment) else advice.get(status, "press Train")
                said = "it waits in the queue" if experiment in self.queue else said
                self.say(f"{title}, {counted(experiment.epochs, 'epoch')} has no result yet: {said}.")
            self._draw()
            self._explain(None)

    def _offer_runs(self, experiment: Experiment) -> None:
        """Refresh the list, and choose KD at the same temperature unless it was taken out."""
        with muted(self._choose, self.compare):
            self.compare.offer(self._cached.finished() | self._in_training)
            usual = self._run(experiment.replace(method="kd")).folder.name
            if self._usual is None or usual == self._usual:
                return
            kept = [name for name in self.compare.value if name != self._usual]
            self._usual = usual if usual in self.compare.titles else ""
            self.compare.value = tuple(name for name in self.compare.titles if name in {*kept, self._usual})

    @shows_errors
    def _choose(self, _: Any) -> None:
        with self._lock:
            if self._usual and self._usual not in self.compare.value:
                self._usual = None
            self._draw()

    def draw(self) -> None:
        """Draw curves and explanation anew."""
        with self._lock:
            self._draw()
            self._explain(None)

    def _draw(self) -> None:
        """Draw the curves of the chosen runs and of the one that the controls describe."""
        experiment = self.experiment
        names = dict.fromkeys([*self.compare.value, self._run(experiment).folder.name])
        session, live = self.session, {}
        if session is not None and session.running and len(session.rows) and session.title == session.experiment.title:
            live = {self._run(session.experiment).folder.name: session}
        parts: list[_Curve] = []
        curves: dict[str, tuple[str, pd.DataFrame]] = {}
        for name in names:
            run = Run(self.folder / name)
            title = self.compare.titles.get(name) or run_title(experiment, self.compare.experiment)
            title = f"{title} ({name.split('-')[-2]})" if title in curves else title
            if name in live:
                curves[title] = live[name].experiment.method, live[name].rows
            elif run.status in ("done", "stopped", "failed") and (run.folder / METRICS).is_file():
                method = run.config["method"]
                curves[title] = method, self._cached.metrics(run)
                parts.append((title, method, run, state_of(run.folder / METRICS)))
        self.export_name = _export_name(experiment)
        if len(parts) == len(curves):  # nothing that changes
            self._shown = self._curves(tuple(parts), experiment.epochs, current_options())
        else:
            self._shown = self.drawn_curves(curves, experiment.epochs)
        drawn = self._shown
        self.show(lambda: drawn.figure, drawn.data, drawn.png)

    def _drawn_curves(self, parts: tuple[_Curve, ...], epochs: int, _options: FigureOptions) -> Drawn:
        return self.drawn_curves(
            {title: (method, self._cached.metrics(run)) for title, method, run, _ in parts}, epochs
        )

    @shows_errors
    def _explain(self, _: Any) -> None:
        """Explain the chosen image by the network of the run that the controls describe, finished or in training."""
        with self._lock:
            experiment = self.experiment
            here = self._run(experiment)
            if self.trains(experiment) and self._student is not None:
                self._show_explanation(experiment, self._student)
            elif self._teacher(experiment) is None and here.status != "done":
                self._show(None)
            else:
                run = (here, state_of(here.checkpoint())) if here.status == "done" else None
                self._show(self._explained(run, experiment.family, self.number.value, current_options()))

    def _drawn_explanation(
        self, run: tuple[Run, State] | None, _family: str, number: int, _options: FigureOptions
    ) -> Drawn | None:
        """By the teacher and the network of a finished run, or by the teacher alone."""
        title = run_title(self.experiment) if run is not None else "the teacher"
        with self.computing(f"map of image {number} by {title}"):
            return self._explanation_by(
                self.experiment, self._cached.network(run[0]) if run is not None else None, number
            )

    def _show_explanation(self, experiment: Experiment, network: ExplainableModel) -> None:
        self._show(self._explanation_by(experiment, network, self.number.value))

    def _show(self, drawn: Drawn | None) -> None:
        self._explanation = drawn
        self.explanation.value = b"" if drawn is None else drawn.png

    def _explanation_by(self, experiment: Experiment, network: ExplainableModel | None, number: int) -> Drawn | None:
        teacher = self._teacher(experiment)
        networks = {} if teacher is None else {"teacher": teacher}
        if network is not None:
            networks[run_title(experiment)] = network
        if not networks:
            return None
        comparison = self._examples(experiment.family)[number - 1 : number].explained_by(networks)
        figure = explanation_comparison(comparison, side_by_side=1, contributions=True)
        return rendered(figure, comparison_table(comparison, indices=[number], classes=experiment.classes()))

    def _teacher(self, experiment: Experiment) -> ExplainableModel | None:
        if experiment.family not in self._teachers:
            try:
                self._teachers[experiment.family] = load_teacher(experiment, folder=self.folder)
            except RunError:  # not trained yet
                return None
        return self._teachers[experiment.family]

    def show_network(self, experiment: Experiment, network: ExplainableModel) -> None:
        """See `TrainingPanel.show_network`: its current explanation of the chosen image, if its run is shown."""
        self._student = copy.deepcopy(network).cpu().eval()
        if experiment == self.experiment:
            self._show_explanation(experiment, self._student)

    def show_training(self, session: Session) -> None:
        """See `TrainingPanel.show_training`; its run joins the list, and is chosen, when it starts."""
        name = self._run(session.experiment).folder.name
        if name not in self._in_training:
            self._student = None
            self._in_training = {name: session.experiment.config()}
            with muted(self._choose, self.compare):
                self.compare.offer(self._cached.finished() | self._in_training)
                self.compare.value = (*self.compare.value, name)
        if self.trains(self.experiment):
            epochs = counted(self.experiment.epochs, "epoch")
            self.say(f"{run_title(self.experiment)}, {epochs} has no result yet: it trains now.")
        if name in (*self.compare.value, self._run(self.experiment).folder.name):
            self._draw()

    def show_end(self, session: Session) -> None:
        """See `TrainingPanel.show_end`."""
        if not self.trains(session.experiment):
            self._in_training.pop(self._run(session.experiment).folder.name, None)
        self._names.clear()  # the data may have been made only now
        self._pick(None)

    def parts(self) -> dict[str, Drawn]:
        """See `TrainingPanel.parts`."""
        curves = {} if self._shown is None else {"": self._shown}
        return curves | ({} if self._explanation is None else {"_explanation": self._explanation})


def _export_name(experiment: Experiment) -> str:
    quiet = ("explain_every", "explain_part")
    weights = {name: value for name, value in experiment.hyperparameters.items() if name not in quiet}
    parts = [experiment.family, experiment.method]
    parts += [f"{name}{value}".removesuffix(".0") for name, value in weights.items()]
    return "_".join(["curves", *parts, f"s{experiment.seed}"])
