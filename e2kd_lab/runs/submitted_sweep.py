"""A sweep that jobs train: where it stands, waiting for it, ending it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs import Run
from e2kd_lab.runs.job_record import JobRecord, cancel, in_queue, records_of
from e2kd_lab.runs.sweep_status import RunState, states_html, states_of, states_table, summary
from e2kd_lab.system.ipython import ipython_shell

_BETWEEN = 3.0  # seconds between two looks


@dataclass(frozen=True)
class SubmittedSweep:
    """Runs that jobs train, here or on a cluster. In a notebook it shows as a table with progress.

    Attributes
    ----------
    folder : Path
        Folder of runs.
    runs : list of Run
        A run an experiment, in the order given, those of teachers first.
    titles : list of str
        Their titles.
    failures : list of (Experiment, str)
        Experiments that could not be given to a job, for instance for want of data, and why.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> swept = lab.sweep(lab.experiments.get("waterbirds", "smoke").grid("kd"), on="slurm")  # doctest: +SKIP
    >>> swept.wait().table()["state"].value_counts()  # doctest: +SKIP
    """

    folder: Path
    runs: list[Run]
    titles: list[str]
    failures: list[tuple[Experiment, str]] = field(default_factory=list)

    def states(self) -> list[RunState]:
        """Where each run stands, from the folder of runs alone."""
        named = [(run.folder.name, title) for run, title in zip(self.runs, self.titles, strict=True)]
        refused = [RunState("", one.title, "failed", sentence=error) for one, error in self.failures]
        return [*states_of(named, self.folder), *refused]

    def table(self) -> pd.DataFrame:
        """The same as a table: run, title, state, host, step, total_steps, seconds_left, sentence."""
        return states_table(self.states())

    def is_at_work(self) -> bool:
        """Whether a job of it still waits or runs."""
        return bool(in_queue(self._records()))

    def wait(
        self, timeout: float | None = None, *, show: Callable[[Sequence[RunState]], None] | None = None
    ) -> SubmittedSweep:
        """Wait until no job of it waits or runs; interrupting that leaves the jobs.

        Parameters
        ----------
        timeout : float, optional
            Seconds.
        show : callable, optional
            Told of the states every few seconds; a notebook shows the table by default.

        Raises
        ------
        TimeoutError
            If there are jobs after ``timeout`` seconds.
        """
        told, end = show or _shown_in_notebook(), None if timeout is None else time.monotonic() + timeout
        at_work = True
        while at_work:
            at_work = self.is_at_work()  # asked first: what is told last is the end
            told(self.states())
            if at_work:
                if end is not None and time.monotonic() > end:
                    raise TimeoutError(f"After {timeout} seconds there are jobs yet; {summary(self.states())}.")
                time.sleep(_BETWEEN)
        return self

    def cancel(self) -> int:
        """End its jobs, which save their runs' state first; how many runs they had yet to finish.

        On this machine, jobs share the runs of a sweep, and end with it.
        """
        return len(cancel(self._records(), self.folder))

    def _records(self) -> list[JobRecord]:
        return records_of(self.folder, [run.folder.name for run in self.runs])

    def __repr__(self) -> str:
        return f"SubmittedSweep in {self.folder}, {summary(self.states())}"

    def _repr_html_(self) -> str:
        return states_html(self.states())


def _shown_in_notebook() -> Callable[[Sequence[RunState]], None]:
    if not hasattr(ipython_shell(), "kernel"):
        return lambda states: None
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)

    def show(states: Sequence[RunState]) -> None:
        with suppress(Exception):  # a front end that is gone does not end the waiting
            handle.update(HTML(states_html(states)))

    return show
