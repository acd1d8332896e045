"""Map of lambda and tau as a panel: pick a student to see it, or a missing one to train it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import (
    Measure,
    explanation_comparison,
    export_figure,
    figure_bytes,
    measures_of,
    sweep_cells,
    sweep_map,
    training_curves,
)
from e2kd_lab.figures.labels import run_label
from e2kd_lab.runs import Run, load_runs
from e2kd_lab.runs.examples import explained_examples
from e2kd_lab.runs.session import Session
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.widgets.panel import muted, picture_frame, shows_errors
from e2kd_lab.widgets.training_panel import TrainingPanel
from e2kd_lab.widgets.value_slider import ValueSlider

Cell = tuple[float, float]
Drawn = tuple[Figure, pd.DataFrame | None, bytes]


class SweepMap(TrainingPanel):
    """Finished runs of an experiment over lambda and tau, all seeds, beside the student that is picked.

    lambda = 0 is plain KD. Two sliders pick a cell; its training curves and its explanations of a few test images are
    drawn beside the map. The button trains a cell without a finished run in the background, with live curves and a stop
    button.

    Parameters
    ----------
    experiment : Experiment
        Everything but method, lambda and tau; new runs use its seed. Cells are those of the paper's grid, of finished
        runs, and of the experiment's own lambda and tau.
    count : int
        Number of test images to explain.
    folder : Path or str, optional
        Folder of the runs.
    hardware : Hardware, optional
        Device and processes.
    watchers, metrics
        Passed to every training, see `e2kd_lab.run`.
    export_folder : Path or str
        Folder that the export button writes to: the map and, if a student is shown, its curves and explanations.

    Attributes
    ----------
    measure, lam, tau, seed : ipywidgets controls
        Measure of the map; picked cell; one of its seeds.
    train_button, stop_button, progress, time_left, session
        See `TrainingPanel`.
    curves, explanations : ipywidgets.Image
        PNG pictures of the picked student.
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of the map's finished runs and of their teacher.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> SweepMap(lab.experiments.get("waterbirds", "lab"))  # doctest: +SKIP
    """

    def __init__(
        self,
        experiment: Experiment,
        *,
        count: int = 4,
        folder: Path | str | None = None,
        hardware: Hardware | None = None,
        watchers: Iterable[Watcher] = (),
        metrics: Mapping[str, MeasureFunction] | None = None,
        export_folder: Path | str = "exports",
    ) -> None:
        told: dict[str, Any] = {"folder": folder, "hardware": hardware, "watchers": watchers, "metrics": metrics}
        super().__init__(f"{experiment.name}_sweep", export_folder, **told)
        self.base, self.count = experiment, count
        self._stem = functools.cache(self._stem_of)
        self._maps: dict[tuple[Measure, Cell], Drawn] = {}
        self._curves: dict[tuple[str, ...], Drawn] = {}
        self._explanations: dict[str, Drawn] = {}
        tried = [*experiment.grid("kd"), *experiment.grid("e2kd")]
        self.grid = [(one.lam if one.method == "e2kd" else 0.0, one.tau) for one in tried]
        self.results = self._finished()
        students = self.results[self.results["method"] != "teacher"]
        own = (experiment.lam, experiment.tau)
        self.measure = widgets.Dropdown(
            description="Measure", options=self._measures(), layout=widgets.Layout(width="380px")
        )
        lambdas, taus = zip(*self.grid, strict=True)
        self.lam = ValueSlider("λ", [*students["lam"], *lambdas], own[0], zero="0 (KD)", closed=True)
        self.tau = ValueSlider("τ", [*students["tau"], *taus], own[1], closed=True)
        self.seed = widgets.Dropdown(description="Seed", options=self._seeds(own), layout=widgets.Layout(width="160px"))
        self.curves, self.explanations = picture_frame(), picture_frame()
        for control in (self.lam, self.tau):
            control.observe(self._pick, "value")
        for control in (self.measure, self.seed):
            control.observe(self._draw, "value")
        self.arrange(
            [self.measure, self.export_button],
            [self.lam, self.tau, self.seed],
            [self.train_button, self.stop_button, self.progress, self.time_left],
        )
        *controls, picture = self.widget.children
        pictures = [picture, widgets.VBox([self.curves, self.explanations])]
        self.widget.children = [*controls, widgets.HBox(pictures, layout=widgets.Layout(flex_flow="row wrap"))]
        self._draw(None)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls describe."""
        return self._experiment((self.lam.value, self.tau.value), self.seed.value)

    @property
    def run(self) -> Run:
        """The run that the controls describe, finished or not."""
        return self._run((self.lam.value, self.tau.value), self.seed.value)

    def _experiment(self, cell: Cell, seed: int) -> Experiment:
        lam, tau = cell
        return self.base.replace(method="e2kd" if lam > 0 else "kd", lam=lam, tau=tau, seed=seed)

    def _stem_of(self, cell: Cell) -> str:
        """Name of a cell's runs without the seed; cached, since it fingerprints the data."""
        return self._experiment(cell, 0).run_name().removesuffix("-s0")

    def _run(self, cell: Cell, seed: int) -> Run:
        return Run(self.folder / f"{self._stem(cell)}-s{seed}")

    def _finished(self) -> pd.DataFrame:
        """Results of the finished runs with exactly this recipe, data and teacher, and the teacher's."""
        results = load_runs(self.folder)
        students = results.query(
            "status == 'done' and method in ('kd', 'e2kd') and experiment == @self.base.name "
            "and scale == @self.base.scale and family == @self.base.family and setting == @self.base.setting"
        )
        known = students[["run", "lam", "tau", "seed", "teacher"]].drop_duplicates()
        names: set[str] = set()
        for name, lam, tau, seed, teacher in known.itertuples(index=False):
            if self._run((lam, tau), seed).folder.name == name:
                names |= {name, teacher}
        return results[results["run"].isin(names)].reset_index(drop=True)

    def _measures(self) -> list[tuple[str, Measure]]:
        present = measures_of(self.results) or [Measure("f1" if self.base.multilabel else "accuracy")]
        return [(measure.title, measure) for measure in present]

    def _seeds(self, cell: Cell) -> list[int]:
        """Seeds of the cell's finished runs; if there are none, the seed to train."""
        own = self.results["run"].str.startswith(f"{self._stem(cell)}-s")
        return sorted(int(seed) for seed in self.results.loc[own, "seed"].unique()) or [self.base.seed]

    @shows_errors
    def _pick(self, _: Any) -> None:
        with self._lock:
            seeds = self._seeds((self.lam.value, self.tau.value))
            if list(self.seed.options) != seeds:
                with muted(self._draw, self.seed):
                    self.seed.options = seeds
            self._draw(None)

    @shows_errors
    def _draw(self, _: Any) -> None:
        with self._lock:
            session, experiment, here = self.session, self.experiment, self.run
            status = here.status
            if status == "done" and not self.results["run"].eq(here.folder.name).any():
                self._read_again()  # another process finished it
            self.offer(status)
            self.export_name = f"sweep_{experiment.family}_{self.measure.value.metric}_{self.measure.value.group}"
            self.show(*self._map())
            if status == "done":
                self.say(self._summary(experiment, here))
                self.curves.value = self._curves_of(experiment, here)[2]
                if here.folder.name not in self._explanations:
                    self.explanations.value = b""  # if these fail, another student's must not stay
                self.explanations.value = self._explanations_of(here)[2]
            elif session is not None and session.running and session.experiment == experiment:
                self.show_training(session)
            else:
                self.curves.value = b""
                self.explanations.value = b""
                advice = {
                    "stopped": "was stopped: press Resume to go on.",
                    "running": "is being trained by another process.",
                    "failed": f"failed: {here.error}",
                }
                self.say(f"{_label(experiment)} {advice.get(status, 'has no finished run yet: press Train.')}")

    def _map(self) -> Drawn:
        measure, picked = self.measure.value, (self.lam.value, self.tau.value)
        if (measure, picked) not in self._maps:
            figure = sweep_map(self.results, measure, grid=self.grid, picked=picked)
            cells = sweep_cells(self.results, measure, grid=self.grid)
            self._maps[measure, picked] = (figure, cells, figure_bytes(figure))
        return self._maps[measure, picked]

    def _curves_of(self, experiment: Experiment, here: Run) -> Drawn:
        """Training curves of a finished run, and of KD at the same temperature and seed."""
        curves: dict[str, tuple[str, pd.DataFrame]] = {_label(experiment): (experiment.method, here.metrics())}
        kd = self._run((0.0, experiment.tau), experiment.seed)
        if experiment.method == "e2kd" and kd.status == "done":
            curves = {_label(experiment.replace(method="kd")): ("kd", kd.metrics())} | curves
        key = (here.folder.name, *curves)
        if key not in self._curves:
            self._curves[key] = _drawn_curves(curves, experiment)
        return self._curves[key]

    def _explanations_of(self, here: Run) -> Drawn:
        name = here.folder.name
        if name not in self._explanations:
            comparison = explained_examples(self.base, [here], count=self.count, folder=self.folder)
            figure = explanation_comparison(comparison, contributions=self.base.multilabel)
            right = {f"{network} is right": marks.cpu().numpy() for network, marks in comparison.correct.items()}
            data = pd.DataFrame({"image": comparison.titles} | right)
            self._explanations[name] = (figure, data, figure_bytes(figure))
        return self._explanations[name]

    def _summary(self, experiment: Experiment, here: Run) -> str:
        measure = self.measure.value
        rows = self.results[(self.results["split"] == "test") & (self.results["metric"] == measure.metric)]
        rows = rows[rows["group"] == measure.group]
        own = rows.loc[rows["run"] == here.folder.name, "value"]
        said = f"{measure.text(own.mean())} {measure.unit}".rstrip() if len(own) else "not measured"
        return f"{_label(experiment)}: {measure.title} {said}. Run {here.folder.name}."

    def show_training(self, session: Session) -> None:
        """See `TrainingPanel.show_training`; a different picked student stays in the picture."""
        if session.experiment != self.experiment:
            return
        self.say(f"{session.title}: training ...")
        curves = {}
        if len(session.rows):
            curves[_label(session.experiment)] = (session.experiment.method, session.rows)
        self.curves.value = _drawn_curves(curves, session.experiment)[2] if curves else b""
        self.explanations.value = b""

    def show_end(self, session: Session) -> None:
        """See `TrainingPanel.show_end`."""
        self._read_again()
        self._pick(None)

    def _read_again(self) -> None:
        """Add newly finished runs to the map."""
        self.results = self._finished()
        self._maps.clear()
        if list(self.measure.options) != (measures := self._measures()):
            chosen = self.measure.value
            with muted(self._draw, self.measure):
                self.measure.options = measures
                self.measure.value = chosen if chosen in dict(measures).values() else measures[0][1]

    @shows_errors
    def _export(self, _: Any) -> None:
        with self._lock:
            parts = {"": self._map()}
            if self.run.status == "done":
                student = f"_lam{self.lam.value:g}_tau{self.tau.value:g}_s{self.seed.value}"
                parts[f"{student}_curves"] = self._curves_of(self.experiment, self.run)
                parts[f"{student}_explanations"] = self._explanations_of(self.run)
            written = [
                export_figure(figure, self.export_folder / f"{self.export_name}{suffix}", data, overwrite=False)
                for suffix, (figure, data, _png) in parts.items()
            ]
            names = ", ".join(files[0].stem for files in written)
            self.say(f"Wrote {names} as PDF, SVG, PNG and CSV to {self.export_folder}.")


def _label(experiment: Experiment) -> str:
    return f"{run_label(experiment.method, experiment.hyperparameters)}, seed {experiment.seed}"


def _drawn_curves(curves: Mapping[str, tuple[str, pd.DataFrame]], experiment: Experiment) -> Drawn:
    figure = training_curves(curves, total_epochs=experiment.epochs)
    rows = [rows.assign(run=label) for label, (_, rows) in curves.items()]
    return figure, pd.concat(rows, ignore_index=True), figure_bytes(figure)
