"""Finished runs of one scale: which are there, which are missing, and their networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from e2kd_lab import experiments
from e2kd_lab.experiments import Experiment, Family
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run, select_by_validation
from e2kd_lab.runs.examples import networks_of
from e2kd_lab.system.errors import DataError, LabError
from e2kd_lab.system.workspace import runs_folder

# Instead of a setting's name: all settings of the experiment, or the first, which has the fewest shots.
EVERY, FEWEST = "*", "fewest"
_OTHERS = " (finished ones have other data or another recipe)"


@dataclass(frozen=True)
class RequiredRuns:
    """Students of one experiment that a figure or table needs.

    Attributes
    ----------
    experiment, family : str
        See `e2kd_lab.experiments.get`.
    methods : tuple of str
        The students' methods.
    settings : tuple of str
        Settings of the experiment, or ``EVERY`` or ``FEWEST``.
    complete : bool
        All of these runs are needed; otherwise one suffices.
    networks : bool
        The networks are needed, the teacher's too; otherwise results suffice.
    """

    experiment: str
    family: Family
    methods: tuple[str, ...] = ("kd", "e2kd")
    settings: tuple[str, ...] = ("base",)
    complete: bool = True
    networks: bool = True


class FinishedRuns:
    """Finished runs of one scale. A run counts for an experiment if it has the experiment's data and recipe.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    scale : str
        ``smoke``, ``lab``, ``paper`` or ``own``.
    folder : Path or str, optional
        Folder of the runs; the workspace's ``runs`` by default.
    own : sequence of Experiment
        Experiments in their base setting that replace the lab's, for instance with a ``data_root``.

    Attributes
    ----------
    done : DataFrame
        Rows of the finished runs.
    networks : callable
        Networks of `RequiredRuns` of one setting, all of which are there: ``teacher`` and the students by method.
        Loaded once.
    """

    def __init__(
        self, results: pd.DataFrame, scale: str, *, folder: Path | str | None = None, own: Sequence[Experiment] = ()
    ) -> None:
        self.scale = scale
        self.folder = runs_folder() if folder is None else Path(folder)
        self.done = results[(results["status"] == "done") & (results["scale"] == scale)]
        self._own = {(given.name, given.family): given for given in own if given.scale == scale}
        self._expected = functools.cache(self._find_expected)
        self.networks: Callable[[RequiredRuns], dict[str, ExplainableModel]] = functools.cache(self._load_networks)

    def experiment(self, required: RequiredRuns, setting: str | None = None) -> Experiment:
        """The experiment of the required runs, in a setting; by default the first one required."""
        base = self._own.get((required.experiment, required.family))
        if base is None:
            base = experiments.get(required.experiment, self.scale, required.family)
        if setting is None:
            setting = _expanded(required, base)[0]
        return base if setting == "base" else base.with_setting(setting)

    def missing(self, required: RequiredRuns) -> str:
        """Name the required runs that are not finished; empty if there are none."""
        counted, known = self._counted(required), self._students(required)
        absent: dict[tuple[str, ...], list[str]] = {}
        for setting in _expanded(required, self.experiment(required, "base")):
            finished = set(counted.loc[counted["setting"] == setting, "method"])
            lacking = tuple(method for method in required.methods if method not in finished)
            if required.networks and not lacking and not self._teacher_is_there(required, setting):
                lacking = ("teacher",)
            if lacking:
                absent.setdefault(lacking, []).append(setting)
        parts = []
        for methods, settings in absent.items():
            others = known["setting"].isin(settings) & known["method"].isin(methods)
            remark = _OTHERS if others.any() else ""
            parts.append(
                f"{required.experiment} ({required.family}, {'/'.join(settings)}): {', '.join(methods)}{remark}"
            )
        return "; ".join(parts)

    def has(self, required: RequiredRuns) -> bool:
        """Whether enough of the required runs are finished."""
        if required.complete:
            return not self.missing(required)
        counted = self._counted(required)
        settings = _expanded(required, self.experiment(required, "base"))
        return bool((counted["method"].isin(required.methods) & counted["setting"].isin(settings)).any())

    def results(self, *required: RequiredRuns) -> pd.DataFrame:
        """All results of these experiments' students, whatever their method and setting, and of their teachers.

        Runs of other data or another recipe are left out, unless the experiment's own data are not there to compare.
        """
        students = pd.concat([self._counted(one) for one in required])
        return self.done[self.done["run"].isin({*students["run"], *students["teacher"]})]

    def left_out(self, required: RequiredRuns) -> str:
        """Say which runs `results` leaves out or cannot tell apart; empty if there are none."""
        students, expected = self._students(required), self._expected(required.experiment, required.family)
        named = f"{required.experiment} ({required.family})"
        if expected is None:
            return f"from all runs of {named}, whose data and recipes are not compared"
        others = len(set(students["run"]) - expected)
        return f"without {others} run(s) of {named} with other data or another recipe" if others else ""

    def students(self, required: RequiredRuns) -> dict[str, Run]:
        """A run of each required method in the first required setting: selected by validation, lowest seed."""
        experiment = self.experiment(required)
        rows = self._counted(required)
        rows = select_by_validation(rows[rows["setting"] == experiment.setting]).sort_values("seed", kind="stable")
        first = rows.drop_duplicates("method").set_index("method")["run"]
        return {method: Run(self.folder / first[method]) for method in required.methods}

    def teacher(self, required: RequiredRuns) -> Run | None:
        """The teacher's run; None if its weights are given."""
        experiment = self.experiment(required)
        if experiment.teacher_weights is not None:
            return None
        return Run(self.folder / experiment.teacher_experiment().run_name())

    def _students(self, required: RequiredRuns) -> pd.DataFrame:
        rows = self.done[(self.done["experiment"] == required.experiment) & (self.done["family"] == required.family)]
        return rows[rows["method"] != "teacher"]

    def _counted(self, required: RequiredRuns) -> pd.DataFrame:
        """The experiment's students that count."""
        rows, expected = self._students(required), self._expected(required.experiment, required.family)
        if expected is None and not required.networks:
            return rows
        return rows[rows["run"].isin(expected or ())]

    def _find_expected(self, name: str, family: Family) -> frozenset[str] | None:
        """Names of the finished runs with exactly the experiment's data and recipe; None if its data are not there."""
        required, names = RequiredRuns(name, family), set()
        alike: Any = self._students(required).groupby(["setting", "method", "lam", "tau"])
        if not len(alike):
            return frozenset()
        try:
            self.experiment(required, "base").data_fingerprint()
        except DataError:
            return None
        for (setting, method, lam, tau), part in alike:
            try:
                wanted = self.experiment(required, setting).by_method(method, lam=float(lam), tau=float(tau))
                stem = wanted.run_name().rpartition("s")[0]  # without the seed
            except LabError:  # no teacher, or a setting that the experiment does not have
                continue
            names |= {run for run in part["run"].unique() if run.rpartition("s")[0] == stem}
        return frozenset(names)

    def _teacher_is_there(self, required: RequiredRuns, setting: str) -> bool:
        experiment = self.experiment(required, setting)
        if experiment.teacher_weights is not None:
            return True
        return Run(self.folder / experiment.teacher_experiment().run_name()).status == "done"

    def _load_networks(self, required: RequiredRuns) -> dict[str, ExplainableModel]:
        return networks_of(self.experiment(required), list(self.students(required).values()), self.folder)


def _expanded(required: RequiredRuns, experiment: Experiment) -> list[str]:
    """Settings by name, without repetition."""
    own = experiment.settings()
    special = {EVERY: own, FEWEST: own[:1]}
    return list(dict.fromkeys(name for setting in required.settings for name in special.get(setting, (setting,))))
