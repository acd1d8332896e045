"""Where a sweep's jobs run, and what each of them gets."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.training import Hardware

if TYPE_CHECKING:
    from submitit.core.core import PicklingExecutor

# Times that a job may run into its time limit and be put back into the queue.
_TIME_LIMITS = 100
# Seconds before the time limit at which a job saves its state.
_NOTICE = 120
_A_YEAR = 365 * 24 * 60  # minutes: submitit ends a local job after two by default


@dataclass(frozen=True)
class Cluster:
    """Where jobs run, and what each gets; for ``lab.sweep(experiments, on=Cluster(...))``.

    Attributes
    ----------
    on : str
        ``slurm``: an array of jobs, one a run; students wait for their teachers by dependency. ``local``: processes on
        this machine that share the runs.
    max_parallel : int, optional
        Jobs at once. On Slurm by default as many as the cluster gives; here as many as there are GPUs, and one without.
    partition : str, optional
        Slurm's partition; the cluster's default if not given.
    gpus_per_run : int
        GPUs of each run, one process each; 0 asks for none.
    time : str
        Time limit of a job, as Slurm writes it: ``90`` (minutes), ``4:00:00`` or ``1-12:00:00``. Two minutes before it,
        a run saves its state and its job goes back into the queue.
    extra : mapping of str to str
        Further options of ``sbatch``, for instance ``{"account": "vision", "mem": "32G"}``.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> cluster = lab.Cluster("slurm", max_parallel=8, partition="gpu", gpus_per_run=1, time="1-00:00:00")
    >>> cluster.minutes
    1440
    >>> experiments = lab.experiments.get("waterbirds", "lab").grid("e2kd")
    >>> lab.sweep(experiments, on=cluster)  # doctest: +SKIP
    """

    on: Literal["slurm", "local"] = "slurm"
    max_parallel: int | None = None
    partition: str | None = None
    gpus_per_run: int = 0
    time: str = "4:00:00"
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.on not in ("slurm", "local"):
            raise ExperimentError(f"There is no cluster '{shown(self.on)}'; expected slurm or local.")
        if self.max_parallel is not None and self.max_parallel < 1:
            raise ExperimentError(f"'max_parallel' is {self.max_parallel}; expected at least 1.")
        if self.gpus_per_run < 0:
            raise ExperimentError(f"'gpus_per_run' is {self.gpus_per_run}; expected 0 or more.")
        if self.on == "local" and self.gpus_per_run > 1:
            raise ExperimentError(
                f"'gpus_per_run' is {self.gpus_per_run}, and jobs on this machine have one device each; expected 1, or "
                "'slurm'."
            )
        if self.on == "local" and (self.partition is not None or self.extra):
            raise ExperimentError("'partition' and 'extra' are Slurm's; expected neither on this machine.")
        _ = self.minutes

    @property
    def minutes(self) -> int:
        """The time limit in minutes, rounded up."""
        match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", str(self.time))
        if match is None:
            raise ExperimentError(f"'time' is '{shown(self.time)}'; expected for instance 90, 4:00:00 or 1-12:00:00.")
        day, *parts = (None if part is None else int(part) for part in match.groups())
        if day is None and parts[2] is None:  # minutes, minutes:seconds
            parts = [0, *parts[:2]]
        hours, minutes, seconds = (part or 0 for part in parts)
        total = (day or 0) * 24 * 60 + hours * 60 + minutes + -(-seconds // 60)
        if total < 1:
            raise ExperimentError(f"'time' is '{self.time}'; expected at least a minute.")
        return total

    def hardware(self, wanted: Hardware | None) -> Hardware:
        """The hardware of each run.

        Raises
        ------
        ExperimentError
            If ``devices`` is not ``gpus_per_run``, or more than one here.
        """
        from dataclasses import replace

        wanted = wanted or Hardware()
        devices = self.gpus_per_run or wanted.devices
        if wanted.devices not in (1, devices) or (self.on == "local" and devices > 1):
            expected = "1 on this machine" if self.on == "local" else f"{devices}, or another gpus_per_run"
            raise ExperimentError(f"'devices' is {wanted.devices}; expected {expected}.")
        return replace(wanted, devices=devices)

    def executor(self, logs: Path, name: str, hardware: Hardware, **more: Any) -> PicklingExecutor:
        """submitit's executor of these jobs.

        Parameters
        ----------
        logs : Path
            Folder for what the jobs read and print.
        name : str
            Name of the jobs in the queue.
        hardware : Hardware
            See `hardware`.
        **more
            Further parameters of submitit's executor; those of ``extra`` go before them.

        Raises
        ------
        ExperimentError
            If submitit is not installed, or there is no Slurm.
        """
        try:
            import submitit
        except ImportError:
            raise ExperimentError("submitit is not installed; expected it for jobs: pip install submitit") from None
        executor: PicklingExecutor
        if self.on == "local":
            executor = submitit.LocalExecutor(logs)
            executor.update_parameters(timeout_min=_A_YEAR, **more)
            return executor
        if shutil.which("sbatch") is None:
            raise ExperimentError(
                "Slurm's sbatch is not on this machine; expected a machine that may submit jobs, or 'local'."
            )
        executor = submitit.SlurmExecutor(logs, max_num_timeout=_TIME_LIMITS)
        executor.update_parameters(**(self._slurm(name, hardware) | more))
        return executor

    def _slurm(self, name: str, hardware: Hardware) -> dict[str, Any]:
        options: dict[str, Any] = {
            "job_name": name,
            "time": self.minutes,
            "ntasks_per_node": hardware.devices,
            "cpus_per_task": hardware.workers + 1,
            "signal_delay_s": min(_NOTICE, self.minutes * 30),
            "additional_parameters": {
                "requeue": True,
                # What waits for a teacher that failed would otherwise stay in the queue for good.
                "kill_on_invalid_dep": "yes",
                # Words of sbatch have hyphens, submitit's have not: one of them must win.
                **{name.replace("-", "_"): value for name, value in self.extra.items()},
            },
        }
        if self.gpus_per_run:
            options["gpus_per_node"] = self.gpus_per_run
        if self.partition is not None:
            options["partition"] = self.partition
        return options
