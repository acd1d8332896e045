"""What a job does: train its runs, and, when its time is over, save them and go back into the queue."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2kd_lab.experiments import Experiment
from e2kd_lab.runs import Run
from e2kd_lab.runs.sweep import sweep
from e2kd_lab.system.errors import RunError
from e2kd_lab.training import Hardware, Watcher
from e2kd_lab.training.own_measures import MeasureFunction
from e2kd_lab.training.stop_signals import STOP_SIGNALS, stopped_by

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

# Sent before a job's time limit; submitit's handler of it puts the job back into the queue.
_TIME_LIMIT = "SIGUSR2"


@dataclass(frozen=True)
class Job:
    """Trains runs one after the other; submitit calls it in a process of its own.

    A job that is ended by a signal saves the state first. If that signal says that its time is over, the job goes back
    into the queue; if it says that the job is cancelled or makes way for another, Slurm decides.

    Attributes
    ----------
    experiments : sequence of Experiment
        What to train.
    folder : Path
        Folder of runs.
    hardware, watchers, metrics
        See `e2kd_lab.run`.
    """

    experiments: Sequence[Experiment]
    folder: Path
    hardware: Hardware
    watchers: Sequence[Watcher] = ()
    metrics: Mapping[str, MeasureFunction] = field(default_factory=dict)

    def __call__(self) -> list[str]:
        """Names of the runs, all of them done.

        Raises
        ------
        RunError
            If a run failed.
        SystemExit
            If a signal stopped it.
        """
        back_into_the_queue: Any = signal.getsignal(getattr(signal, _TIME_LIMIT))
        with stopped_by([name for name in STOP_SIGNALS if name != "SIGINT"]) as stop:
            swept = sweep(
                self.experiments,
                folder=self.folder,
                hardware=self.hardware,
                watchers=[stop, *self.watchers],
                metrics=self.metrics,
            )
        if swept.failures:
            raise RunError("; ".join(error for _, error in swept.failures))
        if stop.received:
            if stop.received[0] == getattr(signal, _TIME_LIMIT) and callable(back_into_the_queue):
                self._say_so(swept.runs)
                back_into_the_queue(stop.received[0], None)
            raise SystemExit(128 + stop.received[0])
        return [run.folder.name for run in swept.runs]

    def _say_so(self, runs: Sequence[Run]) -> None:
        """Write into what was stopped that it goes on later, so that it counts as waiting."""
        from submitit import JobEnvironment

        if JobEnvironment().global_rank == 0:
            for run in runs:
                if run.status == "stopped":
                    run.set_status("stopped", back_in_queue=True)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit puts into the queue again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
