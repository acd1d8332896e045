"""Runs of a sweep over lambda and tau: those that are finished, and those that are missing."""

from __future__ import annotations

import functools
from pathlib import Path

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs import Run, load_runs
from e2kd_lab.runs.run_folder import ELSEWHERE
from e2kd_lab.widgets.cell_grid import Cell


class SweptRuns:
    """Finished runs of KD and e2KD with exactly an experiment's recipe, data and teacher.

    Parameters
    ----------
    base : Experiment
        Everything but method, lambda and tau.
    folder : Path
        Folder of the runs.

    Attributes
    ----------
    grid : list of (lam, tau)
        Cells of the paper's grid; lambda = 0 is KD.
    results : DataFrame
        Rows of `e2kd_lab.load_runs` of these runs and of their teacher; `read` renews them.
    """

    def __init__(self, base: Experiment, folder: Path) -> None:
        self.base, self.folder = base, folder
        self._stem = functools.cache(self._stem_of)
        tried = [*base.grid("kd"), *base.grid("e2kd")]
        self.grid: list[Cell] = [(one.lam if one.method == "e2kd" else 0.0, one.tau) for one in tried]
        self.read()

    def read(self) -> None:
        """Read the results that are there now."""
        results, base = load_runs(self.folder), self.base
        students = results[(results["status"] == "done") & results["method"].isin(["kd", "e2kd"])]
        for column, value in (("experiment", base.name), ("scale", base.scale), ("family", base.family)):
            students = students[students[column] == value]
        known = students.loc[students["setting"] == base.setting, ["run", "lam", "tau", "seed", "teacher"]]
        names: set[str] = set()
        for name, lam, tau, seed, teacher in known.drop_duplicates().itertuples(index=False):
            if self.run((lam, tau), seed).folder.name == name:
                names |= {name, teacher}
        self.results = results[results["run"].isin(names)].reset_index(drop=True)

    def experiment(self, cell: Cell, seed: int) -> Experiment:
        """The experiment of a cell."""
        lam, tau = cell
        return self.base.replace(method="e2kd" if lam > 0 else "kd", lam=lam, tau=tau, seed=seed)

    def run(self, cell: Cell, seed: int) -> Run:
        """The run of a cell, finished or not."""
        return Run(self.folder / f"{self._stem(cell)}-s{seed}")

    def cells(self) -> list[Cell]:
        """Cells of the grid and of the finished runs."""
        students = self.results[self.results["method"] != "teacher"]
        return [*self.grid, *zip(students["lam"].astype(float), students["tau"].astype(float), strict=True)]

    def seeds(self, cell: Cell) -> list[int]:
        """Seeds of the cell's finished runs; if there are none, the seed to train."""
        own = self.results["run"].str.startswith(f"{self._stem(cell)}-s")
        return sorted(int(seed) for seed in self.results.loc[own, "seed"].unique()) or [self.base.seed]

    def missing(self, near: Cell) -> list[Cell]:
        """Cells of the grid without a finished run, by their distance from a cell in steps on the map."""
        lams, taus = (sorted({*values}) for values in zip(*self.cells(), near, strict=True))

        def distance(cell: Cell) -> tuple[int, Cell]:
            across = abs(lams.index(cell[0]) - lams.index(near[0]))
            return across + abs(taus.index(cell[1]) - taus.index(near[1])), cell

        finished = set(self.results["run"].str.replace(r"-s\d+$", "", regex=True))
        return sorted((cell for cell in {*self.grid} if self._stem(cell) not in finished), key=distance)

    def free(self, near: Cell) -> list[Cell]:
        """The `missing` cells whose runs no other process trains, as far as this one may see."""
        return [cell for cell in self.missing(near) if self.run(cell, self.base.seed).status not in ELSEWHERE]

    def _stem_of(self, cell: Cell) -> str:
        """Name of a cell's runs without the seed; cached, since it fingerprints the data."""
        return self.experiment(cell, 0).run_name().removesuffix("-s0")
