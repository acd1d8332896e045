"""Which job a run was given to: written where the runs are, so that any machine can read it."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.json_files import read_json

JOBS = ".jobs"  # in the folder of runs
_RECORDS = "runs"
_CONTROLLER = "submitit.local._local"


@dataclass(frozen=True)
class JobRecord:
    """The jobs that a run was given to.

    Attributes
    ----------
    run, title : str
        The run's name and title.
    on : str
        ``slurm`` or ``local``.
    jobs : list of str
        Slurm's numbers, such as ``4711_3``, or processes on ``host`` that share the runs.
    host : str
        The machine that gave it.
    logs : str
        File with what the job prints.
    teacher : str or None
        The run that it waits for.
    time : int
        When it was given, in whole seconds since the epoch.
    """

    run: str
    title: str
    on: str
    jobs: list[str]
    host: str
    logs: str
    teacher: str | None
    time: int

    def write(self, folder: Path) -> None:
        """Write it into a folder of runs."""
        write_json(_path(folder, self.run), asdict(self))

    def remove(self, folder: Path) -> None:
        """Forget it."""
        _path(folder, self.run).unlink(missing_ok=True)


def read_record(folder: Path, run: str) -> JobRecord | None:
    """The record of a run, or None.

    Raises
    ------
    RunError
        If it is damaged.
    """
    path = _path(folder, run)
    if not path.is_file():
        return None
    read = read_json(path, RunError, missing="a run's job")
    try:
        return JobRecord(**read)
    except TypeError:
        raise RunError(f"{path} is no record of a job; expected what a sweep wrote there: delete it.") from None


def records_of(folder: Path, runs: Iterable[str]) -> list[JobRecord]:
    """The records of these runs that have one.

    Raises
    ------
    RunError
        If one is damaged.
    """
    return [record for run in runs if (record := read_record(folder, run)) is not None]


def all_records(folder: Path) -> list[JobRecord]:
    """The records in a folder of runs, by name.

    Raises
    ------
    RunError
        If one is damaged.
    """
    return records_of(folder, sorted(path.stem for path in (folder / JOBS / _RECORDS).glob("*.json")))


def in_queue(records: Iterable[JobRecord]) -> list[JobRecord]:
    """Those whose jobs wait or run, as Slurm or this machine says.

    Raises
    ------
    RunError
        If Slurm does not answer. Of other machines' processes, nothing is known: they count as ended.
    """
    records = list(records)
    queue = set(_slurm_queue()) if any(record.on == "slurm" for record in records) else set()

    def is_there(record: JobRecord) -> bool:
        return any(job in queue if record.on == "slurm" else _is_at_work(record, job) for job in record.jobs)

    return [record for record in records if is_there(record)]


def cancel(records: Iterable[JobRecord], folder: Path) -> list[JobRecord]:
    """End jobs, which save their runs' state first, and forget them; those that were in the queue.

    Raises
    ------
    RunError
        See `in_queue`.
    """
    records = list(records)
    ended = in_queue(records)
    if jobs := sorted({job for record in ended if record.on == "slurm" for job in record.jobs}):
        _answer(["scancel", *jobs])
    for record in ended:
        if record.on == "local":
            for job in record.jobs:
                if _is_at_work(record, job):
                    os.kill(int(job), signal.SIGTERM)
    for record in records:
        record.remove(folder)
    return ended


def _path(folder: Path, run: str) -> Path:
    return folder / JOBS / _RECORDS / f"{run}.json"


def _is_at_work(record: JobRecord, process: str) -> bool:
    """Whether a process on this machine is still that job: numbers of processes are used again."""
    if record.host != socket.gethostname():
        return False
    found = subprocess.run(["ps", "-o", "args=", "-p", process], capture_output=True, text=True, check=False)
    return _CONTROLLER in found.stdout


def _slurm_queue() -> list[str]:
    # -r: a line for each task of an array.
    return _answer(["squeue", "--user", getpass.getuser(), "-r", "-h", "-o", "%i"]).split()


def _answer(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        raise RunError(f"{command[0]} is not on this machine; expected one that may submit jobs to Slurm.") from None
    except subprocess.CalledProcessError as error:
        raise RunError(f"Slurm's {command[0]} says: {error.stderr.strip()}") from error
