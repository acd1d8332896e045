"""Map of lambda and tau as a panel: pick a student to see it, or a missing one to train it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import (
    Measure,
    comparison_table,
    explanation_comparison,
    measures_of,
    sweep_cells,
    sweep_map,
)
from e2kd_lab.figures.options import FigureOptions, current_options
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.runs.examples import examples_of
from e2kd_lab.runs.session import Session
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.trainer import METRICS
from e2kd_lab.widgets.cached_runs import CachedRuns, State, state_of
from e2kd_lab.widgets.cell_grid import Cell, CellGrid
from e2kd_lab.widgets.controls import muted
from e2kd_lab.widgets.outlined_cell import outlined_cell
from e2kd_lab.widgets.panel import picture_frame, shows_errors
from e2kd_lab.widgets.run_titles import run_title
from e2kd_lab.widgets.swept_runs import SweptRuns
from e2kd_lab.widgets.training_panel import Drawn, TrainingPanel, rendered, side_by_side
from e2kd_lab.widgets.value_slider import ValueSlider

_PICTURES = 64  # to keep


class SweepMap(TrainingPanel):
    """Finished runs of an experiment over lambda and tau, all seeds, beside the student that is picked.

    lambda = 0 is plain KD. A click or two sliders pick a cell; its training curves and its explanations of a few test
    images are drawn beside the map. The buttons train a cell without a finished run, or all of them, in the background,
    with live curves and a stop button; meanwhile others can be looked at, and the map fills.

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
    cells : CellGrid
        The map's cells as buttons.
    train_all_button : ipywidgets.Button
        Trains all cells of the grid without a finished run, the nearest to the picked one first.
    train_button, stop_button, training_line, progress, time_left, session, queue
        See `TrainingPanel`.
    curves, explanations : ipywidgets.Image
        PNG pictures of the picked student.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> SweepMap(lab.experiments.get("waterbirds", "lab"))  # doctest: +SKIP
    """

    figure_choices = (
        "width",
        "font_size",
        "title",
        "scale_note",
        "images_per_row",
        "maps_only",
        "opacity",
        "colour_map",
    )

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
        self._cached = CachedRuns(self.folder)
        self._teacher = functools.cache(lambda: load_teacher(experiment, folder=self.folder))
        self._examples = functools.cache(lambda: examples_of(experiment, count))
        self._maps: dict[tuple[Measure, FigureOptions], Drawn] = {}
        self._curves = functools.lru_cache(_PICTURES)(self._drawn_curves)
        self._explained = functools.lru_cache(_PICTURES)(self._drawn_explanations)
        self._swept = SweptRuns(experiment, self.folder)
        self._make_controls((experiment.lam, experiment.tau))
        self.arrange(
            [self.measure, self.train_button, self.train_all_button, self.export_button],
            [self.lam, self.tau, self.seed],
            [self.training_line],
        )
        *above, picture = self.widget.children
        self.widget.children = [*above, side_by_side([picture, self.cells], [self.curves, self.explanations])]
        self._draw(None)

    def _make_controls(self, own: Cell) -> None:
        lambdas, taus = zip(*self._swept.cells(), strict=True)
        self.measure = widgets.Dropdown(
            description="Measure", options=self._measures(), layout=widgets.Layout(width="380px")
        )
        self.lam = ValueSlider("λ", lambdas, own[0], zero="0 (KD)", closed=True)
        self.tau = ValueSlider("τ", taus, own[1], closed=True)
        self.seed = widgets.Dropdown(
            description="Seed", options=self._swept.seeds(own), layout=widgets.Layout(width="160px")
        )
        self.cells = CellGrid(own)
        self.train_all_button = widgets.Button(
            description="Train all missing",
            icon="forward",
            tooltip="Train all cells of the grid without a finished run, the nearest to this one first",
        )
        self.curves, self.explanations = picture_frame(), picture_frame()
        self.front_end.describe(self.curves, "Training curves of the chosen run")
        self.front_end.describe(self.explanations, "Explanations of a few images by teacher and student")
        for control in (self.lam, self.tau):
            control.observe(self._pick, "value")
        for control in (self.measure, self.seed):
            control.observe(self._draw, "value")
        self.cells.observe(self._click, "value")
        self.train_all_button.on_click(self._train_all)

    @property
    def experiment(self) -> Experiment:
        """The experiment that the controls describe."""
        return self._swept.experiment((self.lam.value, self.tau.value), self.seed.value)

    @property
    def run(self) -> Run:
        """The run that the controls describe, finished or not."""
        return self._swept.run((self.lam.value, self.tau.value), self.seed.value)

    @property
    def results(self) -> pd.DataFrame:
        """Rows of `e2kd_lab.load_runs` of the map's finished runs and of their teacher."""
        return self._swept.results

    def _measures(self) -> list[tuple[str, Measure]]:
        present = measures_of(self.results) or [Measure("f1" if self.base.multilabel else "accuracy")]
        return [(measure.title, measure) for measure in present]

    @shows_errors
    def _train_all(self, _: Any) -> None:
        with self._lock:
            missing, free = self._swept.missing(self.cells.value), self._swept.free(self.cells.value)
            if not missing:
                self.say("Each cell of the grid has a finished run.")
            elif len(free) < len(missing):
                self.say(
                    f"{len(missing) - len(free)} of {len(missing)} missing runs are, or may be, in training already."
                )
            self.train(self._swept.experiment(cell, self.base.seed) for cell in free)
            self.offer(self.run.status)

    @shows_errors
    def _click(self, change: Any) -> None:
        if change["new"] == (self.lam.value, self.tau.value):
            return
        with self._lock:
            with muted(self._pick, self.lam, self.tau):
                self.lam.value, self.tau.value = change["new"]
            self._pick(None)

    @shows_errors
    def _pick(self, _: Any) -> None:
        with self._lock:
            self.cells.value = self.lam.value, self.tau.value
            seeds = self._swept.seeds(self.cells.value)
            if list(self.seed.options) != seeds:
                with muted(self._draw, self.seed):
                    self.seed.options = seeds
            self._draw(None)

    @shows_errors
    def _draw(self, _: Any) -> None:
        with self._lock:
            experiment, here = self.experiment, self.run
            status = here.status
            if status == "done" and not self.results["run"].eq(here.folder.name).any():
                self._read_again()  # another process finished it
            self.offer(status)
            self.export_name = f"sweep_{experiment.family}_{self.measure.value.metric}_{self.measure.value.group}"
            self._show_map()
            if status == "done":
                self.say(self._summary(experiment, here))
                self.curves.value = self._curves_of(experiment, here).png
                try:
                    self.explanations.value = self._explanations_of(here).png
                except BaseException:
                    self.explanations.value = b""  # another student's must not stay
                    raise
            elif self.trains(experiment) and self.session is not None:
                self.show_training(self.session)
            else:
                self.curves.value = b""
                self.explanations.value = b""
                advice = {
                    "stopped": "was stopped: press Resume to go on.",
                    "running": "is being trained by another process.",
                    "failed": f"failed: {here.error}",
                    "unknown": f"may be finished or in training elsewhere: {here.whereabouts}.",
                }
                said = advice.get(status, "has no finished run yet: press Train.")
                said = "waits in the queue." if experiment in self.queue else said
                self.say(f"{run_title(experiment)} {said}")

    def draw(self) -> None:
        """Draw map, curves and explanations anew."""
        self._draw(None)

    def _cells(self) -> pd.DataFrame:
        return sweep_cells(self.results, self.measure.value, grid=self._swept.grid)

    def _map(self) -> Drawn:
        """The map without an outline, drawn once."""
        key = self.measure.value, current_options()
        if key not in self._maps:
            figure = sweep_map(self.results, self.measure.value, grid=self._swept.grid)
            self._maps[key] = rendered(figure, self._cells())
        return self._maps[key]

    def _show_map(self) -> None:
        """Show the map with the picked cell outlined, and its cells as buttons."""
        drawn = self._map()
        cells, png = drawn.data, drawn.png
        assert cells is not None
        places = [sorted(cells[name].unique()) for name in ("lam", "tau")]
        if all(one in known for one, known in zip(self.cells.value, places, strict=True)):
            column, row = (known.index(one) for one, known in zip(self.cells.value, places, strict=True))
            png = outlined_cell(drawn.figure, png, column, row)
        self.show(drawn.figure, cells, png)
        self.cells.show(cells, self.measure.value)
        self.show_queue()

    def show_queue(self) -> None:
        """See `TrainingPanel.show_queue`."""
        if self.cells.buttons:
            trained = self.session.experiment if self.session is not None and self.training else None
            self.cells.mark(None if trained is None else _cell_of(trained), map(_cell_of, self.queue))

    def _curves_of(self, experiment: Experiment, here: Run) -> Drawn:
        """Training curves of a finished run, and of KD at the same temperature and seed."""
        shown = {here: experiment}
        kd = self._swept.run((0.0, experiment.tau), experiment.seed)
        if experiment.method == "e2kd" and kd.status == "done":
            shown = {kd: experiment.replace(method="kd")} | shown
        parts = [(run_title(one), one.method, run, state_of(run.folder / METRICS)) for run, one in shown.items()]
        return self._curves(tuple(parts), current_options())

    def _drawn_curves(self, parts: tuple[Any, ...], _options: FigureOptions) -> Drawn:
        curves = {title: (method, self._cached.metrics(run)) for title, method, run, _ in parts}
        return self.drawn_curves(curves, self.base.epochs)

    def _explanations_of(self, here: Run) -> Drawn:
        return self._explained(here, state_of(here.checkpoint()), current_options())

    def _drawn_explanations(self, here: Run, _state: State, _options: FigureOptions) -> Drawn:
        with self.computing(f"maps of {self.count} images by {run_title(self.experiment)}"):
            networks = {"teacher": self._teacher(), here.config["method"]: self._cached.network(here)}
            comparison = self._examples().explained_by(networks)
        figure = explanation_comparison(comparison, contributions=self.base.multilabel)
        return rendered(figure, comparison_table(comparison, classes=self.base.classes()))

    def _summary(self, experiment: Experiment, here: Run) -> str:
        measure = self.measure.value
        rows = self.results[(self.results["split"] == "test") & (self.results["metric"] == measure.metric)]
        rows = rows[rows["group"] == measure.group]
        own = rows.loc[rows["run"] == here.folder.name, "value"]
        said = f"{measure.text(own.mean())} {measure.unit}".rstrip() if len(own) else "not measured"
        return f"{run_title(experiment)}: {measure.title} {said}. Run {here.folder.name}."

    def show_training(self, session: Session) -> None:
        """See `TrainingPanel.show_training`; a different picked student stays in the picture."""
        if session.experiment != self.experiment:
            return
        self.say(f"{run_title(session.experiment)} is in training.")
        curves = {}
        if len(session.rows) and session.title == session.experiment.title:  # not its teacher
            curves[run_title(session.experiment)] = (session.experiment.method, session.rows)
        self.curves.value = self.drawn_curves(curves, session.experiment.epochs).png if curves else b""
        self.explanations.value = b""

    def show_end(self, session: Session) -> None:
        """See `TrainingPanel.show_end`."""
        self._read_again()
        self._pick(None)

    def _read_again(self) -> None:
        """Add newly finished runs to the map."""
        self._swept.read()
        self._maps.clear()
        if list(self.measure.options) != (measures := self._measures()):
            chosen = self.measure.value
            with muted(self._draw, self.measure):
                self.measure.options = measures
                self.measure.value = chosen if chosen in dict(measures).values() else measures[0][1]

    def parts(self) -> dict[str, Drawn]:
        """See `TrainingPanel.parts`: the map, and curves and explanations if a student is shown."""
        parts = {"": self._map()}
        if self.run.status == "done":
            student = f"_lam{self.lam.value:g}_tau{self.tau.value:g}_s{self.seed.value}"
            parts[f"{student}_curves"] = self._curves_of(self.experiment, self.run)
            parts[f"{student}_explanations"] = self._explanations_of(self.run)
        return parts


def _cell_of(experiment: Experiment) -> Cell:
    return experiment.lam if experiment.method == "e2kd" else 0.0, experiment.tau
