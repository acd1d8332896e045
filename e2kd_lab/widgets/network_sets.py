"""Sets of networks to choose from in a panel: an experiment and finished runs of its students, by title."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from e2kd_lab.data.splits import Split
from e2kd_lab.experiments import Experiment
from e2kd_lab.figures.labels import title_of
from e2kd_lab.figures.run_looks import distinguished
from e2kd_lab.figures.style import FAMILY_TITLES
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.evaluate import evaluate, load_teacher, outcomes_of
from e2kd_lab.runs.image_selection import views_of
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.workspace import runs_folder
from e2kd_lab.widgets.cached_runs import CachedRuns
from e2kd_lab.widgets.run_list import RunList

# Maps of two runs can be compared where these are equal.
_COMPARABLE = ("family", "image_size", "explanation")
_CHOICES_KEPT = 8
Sets = Mapping[str, tuple[Experiment, Sequence[Run]]]


def sets_of(experiments: Experiment | Sequence[Experiment] | Sets, runs: Sequence[Run]) -> Sets:
    """Experiment and runs by title: as given in a mapping, or by family of networks.

    Raises
    ------
    ExperimentError
        If an experiment has no runs or one of them twice, two experiments have the same family, or their classes
        differ.
    """
    if isinstance(experiments, Mapping):
        if runs:
            raise ExperimentError("Runs were given beside a mapping of experiments; expected them in its pairs.")
        sets: Sets = dict(experiments)
    else:
        listed = [experiments] if isinstance(experiments, Experiment) else list(experiments)
        families = [experiment.family for experiment in listed]
        if len(set(families)) < len(families):
            raise ExperimentError(
                f"The experiments' families of networks are {', '.join(families)}; expected one experiment of each, "
                "or a mapping of titles to experiments and runs."
            )
        own = {family: [run for run in runs if run.config["family"] == family] for family in families}
        sets = {FAMILY_TITLES[one.family].removesuffix(" networks"): (one, own[one.family]) for one in listed}
    _check_sets(sets)
    return sets


def _check_sets(sets: Sets) -> None:
    """Refuse sets without runs, with a run that is given twice, or with different classes."""
    if not sets:
        raise ExperimentError("No experiment was given to look at; expected at least one.")
    for title, (experiment, runs) in sets.items():
        if not runs:
            raise ExperimentError(f"'{title}' has no runs of students of '{experiment.name}'; expected at least one.")
        twice = [name for name, count in Counter(run.folder.name for run in runs).items() if count > 1]
        if twice:
            raise ExperimentError(f"'{title}' has the run {twice[0]} twice; expected each run once.")
    kinds = {title: (one.multilabel, one.classes()) for title, (one, _) in sets.items()}
    if len(set(kinds.values())) > 1:
        raise ExperimentError(
            f"The experiments of {', '.join(sets)} have different classes; expected the same ones in each."
        )


@dataclass(frozen=True)
class LookedAt:
    """What is known of chosen runs, by name: the method, or, where several runs are of one, what tells them apart.

    Attributes
    ----------
    models : dict
        The experiment's ``teacher``, then the students.
    outcomes, views : dict
        Each student's predictions on each image (see `e2kd_lab.runs.evaluate.evaluate`), and what can be looked at
        (see `e2kd_lab.runs.image_selection.views_of`).
    """

    models: dict[str, ExplainableModel]
    outcomes: dict[str, pd.DataFrame]
    views: dict[str, pd.DataFrame]


class NetworkSet:
    """A teacher and students to choose from a list: all finished runs that can be compared with those that were given.

    Their experiments have the same classes, and their maps are of the same kind and size; methods, hyper-parameters
    and seeds are any. What is known of a run is read, or computed, when it is chosen first.

    Parameters
    ----------
    experiment : Experiment
        Gives the images and the teacher.
    runs : sequence of Run
        Finished runs that are chosen first; they come first in any choice.
    split : str
        Split of the images.
    folder : Path or str, optional
        Folder of the runs.
    computing : callable
        Makes a context in which what is computed for the first time is said, see `Panel.computing`.

    Attributes
    ----------
    choice : RunList
        The list.
    """

    def __init__(
        self,
        experiment: Experiment,
        runs: Sequence[Run],
        *,
        split: Split,
        folder: Path | str | None,
        computing: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self.experiment, self.split, self.computing = experiment, split, computing
        self.folder = runs_folder() if folder is None else Path(folder)
        self._given = {run.folder.name: run for run in runs}
        self._cached = CachedRuns(self.folder)
        self._outcomes = functools.cache(self._predictions)
        self._chosen = functools.lru_cache(_CHOICES_KEPT)(self._look)
        self.choice = RunList(experiment, "Runs")
        self.offer()
        self.choice.value = tuple(self._given)

    def offer(self) -> None:
        """Put the runs that are finished now on the list."""
        given = {name: run.config for name, run in self._given.items()}
        found = {name: config for name, config in self._cached.finished().items() if self._comparable(config)}
        self.choice.offer(found | given, given=given)

    def look(self) -> LookedAt:
        """What is known of the chosen runs."""
        return self._chosen(self.choice.value)

    @property
    def runs(self) -> dict[str, Run]:
        """Chosen runs by name: those that were given in their order, then the others in that of the list."""
        places = {name: place for place, name in enumerate(self._given)}
        folders = sorted(self.choice.value, key=lambda name: places.get(name, len(places)))
        runs = [self._given.get(name, Run(self.folder / name)) for name in folders]
        methods = {folder: run.config["method"] for folder, run in zip(folders, runs, strict=True)}
        names = dict(methods)
        for method, count in Counter(methods.values()).items():
            if count > 1:
                own = [folder for folder in folders if methods[folder] == method]
                apart, _ = distinguished([self.choice.titles[folder] for folder in own])
                title = title_of("method", method)
                names |= {folder: f"{title}, {apart[self.choice.titles[folder]]}" for folder in own}
        return {names[folder]: run for folder, run in zip(folders, runs, strict=True)}

    @functools.cached_property
    def dataset(self) -> Any:
        """The images, with their objects where they are known."""
        with_objects = self.experiment.dataset_with_objects(self.split)
        return self.experiment.dataset(self.split) if with_objects is None else with_objects

    @functools.cached_property
    def _teacher(self) -> ExplainableModel:
        return load_teacher(self.experiment, folder=self.folder)

    @functools.cached_property
    def _config(self) -> dict[str, Any]:
        return self.experiment.config()

    def _comparable(self, config: Mapping[str, Any]) -> bool:
        alike = all(config.get(name) == self._config.get(name) for name in _COMPARABLE)
        return alike and config["method"] != "teacher"

    def _look(self, _: tuple[str, ...]) -> LookedAt:
        runs = self.runs
        students = {name: self._cached.network(run) for name, run in runs.items()}
        outcomes = {name: self._outcomes(run) for name, run in runs.items()}
        views = {name: views_of(table) for name, table in outcomes.items()}
        return LookedAt({"teacher": self._teacher, **students}, outcomes, views)

    def _predictions(self, run: Run) -> pd.DataFrame:
        name, config = run.folder.name, run.config
        with self.computing(f"predictions of {self.choice.titles[name]} on all images"):
            # A run's folder has its predictions on the images, and beside the teacher, of its own experiment.
            own = all(config.get(part) == self._config.get(part) for part in ("data", "teacher"))
            if own or name in self._given:
                return outcomes_of(run, self.experiment, split=self.split, folder=self.folder)
            return evaluate(self.experiment, self._cached.network(run), split=self.split, folder=self.folder)
