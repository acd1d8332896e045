"""Finished runs of a folder, their measures and networks: read once for each state of their files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pandas as pd

from e2kd_lab.models import ExplainableModel
from e2kd_lab.runs import Run
from e2kd_lab.runs.results import find_runs
from e2kd_lab.runs.run_folder import STATUS
from e2kd_lab.system.errors import LabError, note
from e2kd_lab.system.paths import is_file
from e2kd_lab.training.trainer import METRICS

State = tuple[int, int, int]
_METRICS, _NETWORKS = 256, 16  # tables and networks to keep


class CachedRuns:
    """Runs of a folder.

    Parameters
    ----------
    folder : Path
        Folder of the runs.

    Examples
    --------
    >>> from pathlib import Path
    >>> CachedRuns(Path("runs")).finished()
    {}
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._configs: dict[str, tuple[State, dict[str, Any]]] = {}
        self._metrics = functools.lru_cache(_METRICS)(lambda run, state: run.metrics())
        self._networks = functools.lru_cache(_NETWORKS)(lambda run, state: run.load_model())

    def finished(self) -> dict[str, dict[str, Any]]:
        """Configurations of the finished runs by name; a run whose files are damaged is noted and left out."""
        found = {}
        for run in find_runs(self.folder):
            name = run.folder.name
            try:
                state, known = state_of(run.folder / STATUS), self._configs.get(name)
                if known is not None and known[0] == state:
                    found[name] = known[1]
                elif run.status == "done" and is_file(run.folder / METRICS):
                    self._configs[name] = state, run.config
                    found[name] = run.config
            except (LabError, OSError) as error:
                note(f"{run.folder} is left out: {error}")
        return found

    def metrics(self, run: Run) -> pd.DataFrame:
        """All rows of a run's ``metrics.csv``; not to be changed."""
        return self._metrics(run, state_of(run.folder / METRICS))

    def network(self, run: Run) -> ExplainableModel:
        """The trained network of a finished run, in evaluation mode; not to be changed."""
        return self._networks(run, state_of(run.checkpoint()))


def state_of(path: Path) -> State:
    """Identifies the state of a file: it changes whenever the file is written."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
