"""Where the runs of a sweep stand, from the folder of runs alone."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from e2kd_lab.runs import Run, find_runs
from e2kd_lab.runs.job_record import JobRecord, all_records, read_record
from e2kd_lab.runs.progress_file import read_progress
from e2kd_lab.runs.run_folder import STATUS
from e2kd_lab.system.errors import LabError, RunError
from e2kd_lab.system.json_files import read_json
from e2kd_lab.training.progress import duration_text

State = Literal["done", "running", "waiting", "stopped", "failed", "missing"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class RunState:
    """Where a run stands.

    Attributes
    ----------
    run, title : str
        Its name, and its title, if that is known.
    state : str
        ``done``; ``running``; ``waiting`` for its job to begin, or to begin again; ``stopped``, with its state saved;
        ``failed``; ``missing``, if no job was given it.
    host : str
        Where it runs, or ran last.
    step, total_steps : int or None
        How far it is, if it is running and that is known.
    seconds_left : float or None
        Estimated time to its last step.
    sentence : str
        Why it failed, or what it waits for.
    """

    run: str
    title: str
    state: State
    host: str = ""
    step: int | None = None
    total_steps: int | None = None
    seconds_left: float | None = None
    sentence: str = ""

    @property
    def share(self) -> float:
        """The share of its steps that are done, from 0 to 1."""
        if self.state == "done":
            return 1.0
        return (self.step or 0) / self.total_steps if self.total_steps else 0.0

    @property
    def place(self) -> str:
        """Host, step and time left in words."""
        parts = [self.host] if self.host and self.state != "done" else []
        if self.step is not None:
            parts.append(f"step {self.step} of {self.total_steps}")
        if self.seconds_left is not None:
            parts.append(f"about {duration_text(self.seconds_left)} left")
        return ", ".join(parts)


def states_of(runs: Iterable[tuple[str, str]], folder: Path) -> list[RunState]:
    """Where these runs stand.

    Parameters
    ----------
    runs : iterable of (str, str)
        Name and title of each.
    folder : Path
        Folder of runs.
    """
    return [_state(name, title, folder) for name, title in runs]


def all_states(folder: Path) -> list[RunState]:
    """Where all runs of a folder stand, and those that jobs were given but that have not begun.

    Parameters
    ----------
    folder : Path
        Folder of runs.

    Raises
    ------
    RunError
        If the folder cannot be read.
    """
    titles = {run.folder.name: run.folder.name for run in find_runs(folder)} if folder.is_dir() else {}
    titles |= {record.run: record.title for record in all_records(folder)}
    return states_of(sorted(titles.items()), folder)


def summary(states: Sequence[RunState]) -> str:
    """How many runs are in which state, in a line.

    Examples
    --------
    >>> summary([RunState("a", "A", "done"), RunState("b", "B", "waiting"), RunState("c", "C", "done")])
    '3 runs: 2 done, 1 waiting'
    """
    counts = Counter(state.state for state in states)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    return f"{len(states)} run{'' if len(states) == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")


def states_table(states: Sequence[RunState]) -> pd.DataFrame:
    """One row a run, with the attributes of `RunState` as columns."""
    return pd.DataFrame([astuple(state) for state in states], columns=[field.name for field in fields(RunState)])


def states_html(states: Sequence[RunState]) -> str:
    """The table as notebooks show it."""
    rows = "".join(
        f"<tr><td style='text-align:left'>{html.escape(state.title)}</td><td>{state.state}</td>"
        f"<td><progress value='{state.share:.3f}' max='1' aria-label='{state.share:.0%}'></progress></td>"
        f"<td style='text-align:left'>{html.escape(state.sentence or state.place)}</td></tr>"
        for state in states
    )
    head = "<tr><th style='text-align:left'>run</th><th>state</th><th>steps</th><th style='text-align:left'></th></tr>"
    return f"<div>{html.escape(summary(states))}<table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"


def _state(name: str, title: str, folder: Path) -> RunState:
    run = Run(folder / name)
    try:
        status, record = run.status, read_record(folder, name)
        written: dict[str, Any] = {}
        with suppress(LabError):
            written = read_json(folder / name / STATUS, RunError, missing="a run's status")
        host = str(written.get("host", ""))
        if status == "failed" and not _given_later(record, written):
            return RunState(name, title, "failed", host, sentence=run.error or "")
        if status == "done":
            return RunState(name, title, "done", host)
        if status in ("running", "unknown"):
            return _running(run, title, host, written)
        if status == "stopped" and not written.get("back_in_queue") and not _given_later(record, written):
            return RunState(name, title, "stopped", host)
        return _before_it_runs(name, title, host, folder, record)
    except LabError as error:
        return RunState(name, title, "failed", sentence=str(error))


def _running(run: Run, title: str, host: str, written: dict[str, Any]) -> RunState:
    progress = read_progress(run.folder, written.get("pid"), written.get("host"))
    if progress is None:
        return RunState(run.folder.name, title, "running", host)
    numbers = progress.step, progress.total_steps, progress.seconds_left
    return RunState(run.folder.name, title, "running", host, *numbers)


def _before_it_runs(name: str, title: str, host: str, folder: Path, record: JobRecord | None) -> RunState:
    if record is None:
        return RunState(name, title, "missing", sentence="no job was given it")
    if record.teacher is not None:
        teacher = Run(folder / record.teacher)
        if teacher.status == "failed":
            return RunState(name, title, "failed", sentence=f"its teacher {record.teacher} failed: {teacher.error}")
        if teacher.status != "done":
            return RunState(name, title, "waiting", host, sentence=f"waits for its teacher {record.teacher}")
    logs = Path(record.logs)
    if record.on == "slurm" and logs.with_name(logs.name.replace("_log.err", "_result.pkl")).is_file():
        return RunState(name, title, "failed", sentence=f"its job ended before it began: {_last_line(logs)} ({logs})")
    return RunState(name, title, "waiting", host, sentence=f"in the queue as {', '.join(record.jobs)}")


def _given_later(record: JobRecord | None, written: dict[str, Any]) -> bool:
    """Whether a job was given the run after it stopped or failed."""
    if record is None or "time" not in written:
        return False
    return record.time > pd.Timestamp(str(written["time"])).timestamp()


def _last_line(file: Path) -> str:
    with suppress(OSError):
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""
