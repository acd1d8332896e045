"""Finished runs of the paper's experiments at one scale: which there are, which are missing, and their networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from e2kd_lab import experiments
from e2kd_lab.experiments import Experiment, Family, Scale
from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run, select_by_validation
from e2kd_lab.runs.examples import networks_of
from e2kd_lab.system.errors import DataError, LabError
from e2kd_lab.system.workspace import runs_folder

# In place of a setting's name: all of the experiment's, and the first of them, which has the fewest shots.
EVERY, FEWEST = "*", "fewest"
_OTHERS = " (finished ones have other data or another recipe)"


@dataclass(frozen=True)
class Needs:
    """Students of one experiment that a figure or table shows.

    Attributes
    ----------
    experiment, family : str
        See `e2kd_lab.experiments.get`.
    methods : tuple of str
        The students' methods.
    settings : tuple of str
        The experiment's settings, ``EVERY`` or ``FEWEST`` among them.
    whole : bool
        Whether all of these runs are needed; else one of them suffices.
    networks : bool
        Whether the networks themselves are needed, the teacher's too; else their results suffice.
    """

    experiment: str
    family: Family
    methods: tuple[str, ...] = ("kd", "e2kd")
    settings: tuple[str, ...] = ("base",)
    whole: bool = True
    networks: bool = True


class FinishedRuns:
    """What is finished at one scale, where a run counts for the experiment whose data and recipe it has.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`.
    scale : str
        ``lab``, ``paper`` or ``smoke``.
    folder : Path or str, optional
        Where these runs lie; the workspace's ``runs`` by default.
    own : sequence of Experiment
        Experiments in their base setting that take the place of the lab's, for instance with a ``data_root``.

    Attributes
    ----------
    networks : callable
        For `Needs` of one setting, which must be met: the teacher by the name ``teacher`` and the students by their
        methods; loaded once.
    """

    def __init__(
        self, results: pd.DataFrame, scale: Scale, *, folder: Path | str | None = None, own: Sequence[Experiment] = ()
    ) -> None:
        self.scale = scale
        self.folder = runs_folder() if folder is None else Path(folder)
        self._done = results[(results["status"] == "done") & (results["scale"] == scale)]
        self._own = {(given.name, given.family): given for given in own if given.scale == scale}
        self._expected = functools.cache(self._find_expected)
        self.networks: Callable[[Needs], dict[str, ExplainableModel]] = functools.cache(self._load_networks)

    def experiment(self, needs: Needs, setting: str | None = None) -> Experiment:
        """The experiment whose runs are needed, in a setting, by default the first one that is needed."""
        base = self._own.get((needs.experiment, needs.family))
        if base is None:
            base = experiments.get(needs.experiment, self.scale, needs.family)
        if setting is None:
            setting = _expanded(needs, base)[0]
        return base if setting == "base" else base.with_setting(setting)

    def missing(self, needs: Needs) -> str:
        """Which of the needed runs are not finished, in words; empty if none is missing."""
        counted, known = self._counted(needs), self._students(needs)
        absent: dict[tuple[str, ...], list[str]] = {}
        for setting in _expanded(needs, self.experiment(needs, "base")):
            finished = set(counted.loc[counted["setting"] == setting, "method"])
            lacking = tuple(method for method in needs.methods if method not in finished)
            if needs.networks and not lacking and not self._teacher_is_there(needs, setting):
                lacking = ("teacher",)
            if lacking:
                absent.setdefault(lacking, []).append(setting)
        parts = []
        for methods, settings in absent.items():
            others = known["setting"].isin(settings) & known["method"].isin(methods)
            remark = _OTHERS if others.any() else ""
            parts.append(f"{needs.experiment} ({needs.family}, {'/'.join(settings)}): {', '.join(methods)}{remark}")
        return "; ".join(parts)

    def meets(self, needs: Needs) -> bool:
        """Whether there are enough of the needed runs."""
        if needs.whole:
            return not self.missing(needs)
        counted = self._counted(needs)
        settings = _expanded(needs, self.experiment(needs, "base"))
        return bool((counted["method"].isin(needs.methods) & counted["setting"].isin(settings)).any())

    def results(self, *needs: Needs) -> pd.DataFrame:
        """All results of these experiments' students, whatever their method and setting, and of their teachers.

        Runs of other data or another recipe are left out, except where the experiment has no data to compare with.
        """
        students = pd.concat([self._counted(one) for one in needs])
        return self._done[self._done["run"].isin({*students["run"], *students["teacher"]})]

    def left_out(self, needs: Needs) -> str:
        """What `results` of these needs leaves out, or cannot tell apart, in words; empty if that is nothing."""
        students, expected = self._students(needs), self._expected(needs.experiment, needs.family)
        named = f"{needs.experiment} ({needs.family})"
        if expected is None:
            return f"from all runs of {named}, whose data and recipes are not compared"
        others = len(set(students["run"]) - expected)
        return f"without {others} run(s) of {named} with other data or another recipe" if others else ""

    def students(self, needs: Needs) -> dict[str, Run]:
        """A run of each needed method in the first needed setting: chosen by validation, of the lowest seed."""
        experiment = self.experiment(needs)
        rows = self._counted(needs)
        rows = select_by_validation(rows[rows["setting"] == experiment.setting]).sort_values("seed", kind="stable")
        first = rows.drop_duplicates("method").set_index("method")["run"]
        return {method: Run(self.folder / first[method]) for method in needs.methods}

    def teacher(self, needs: Needs) -> Run | None:
        """The run of the teacher; None where its weights are given."""
        experiment = self.experiment(needs)
        if experiment.teacher_weights is not None:
            return None
        return Run(self.folder / experiment.teacher_experiment().run_name())

    def _students(self, needs: Needs) -> pd.DataFrame:
        rows = self._done[(self._done["experiment"] == needs.experiment) & (self._done["family"] == needs.family)]
        return rows[rows["method"] != "teacher"]

    def _counted(self, needs: Needs) -> pd.DataFrame:
        """The experiment's students that count."""
        rows, expected = self._students(needs), self._expected(needs.experiment, needs.family)
        if expected is None and not needs.networks:
            return rows
        return rows[rows["run"].isin(expected or ())]

    def _find_expected(self, name: str, family: Family) -> frozenset[str] | None:
        """Names of the finished runs that have exactly the experiment's data and recipe; None where it has no data."""
        needs, names = Needs(name, family), set()
        alike: Any = self._students(needs).groupby(["setting", "method", "lam", "tau"])
        if not len(alike):
            return frozenset()
        try:
            self.experiment(needs, "base").data_fingerprint()
        except DataError:
            return None
        for (setting, method, lam, tau), part in alike:
            try:
                wanted = self.experiment(needs, setting).by_method(method, lam=float(lam), tau=float(tau))
                stem = wanted.run_name().rpartition("s")[0]  # without the seed
            except LabError:  # no teacher, or a setting that the experiment does not have
                continue
            names |= {run for run in part["run"].unique() if run.rpartition("s")[0] == stem}
        return frozenset(names)

    def _teacher_is_there(self, needs: Needs, setting: str) -> bool:
        experiment = self.experiment(needs, setting)
        if experiment.teacher_weights is not None:
            return True
        return Run(self.folder / experiment.teacher_experiment().run_name()).status == "done"

    def _load_networks(self, needs: Needs) -> dict[str, ExplainableModel]:
        return networks_of(self.experiment(needs), list(self.students(needs).values()), self.folder)


def _expanded(needs: Needs, experiment: Experiment) -> list[str]:
    """Names of the settings, each once."""
    own = experiment.settings()
    special = {EVERY: own, FEWEST: own[:1]}
    return list(dict.fromkeys(name for setting in needs.settings for name in special.get(setting, (setting,))))
