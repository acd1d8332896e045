"""``e2kd-lab sweep --on``, ``--status`` and ``--cancel``: sweeps that jobs train."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.live import Live
from rich.table import Table

from e2kd_lab.cli.tables import console, say
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.workspace import runs_folder

if TYPE_CHECKING:
    from e2kd_lab.experiments import Experiment
    from e2kd_lab.runs.submitted_sweep import SubmittedSweep
    from e2kd_lab.runs.sweep_status import RunState


def follow(swept: SubmittedSweep) -> None:
    """Show a sweep until none of its jobs waits or runs; Ctrl-C leaves the jobs."""
    from e2kd_lab.runs.sweep_status import summary

    say(f"{summary(swept.states())}, in {swept.folder}. Ctrl-C leaves the jobs.")
    try:
        if console.is_terminal:
            with Live(console=console, transient=True) as live:
                swept.wait(show=lambda states: live.update(states_view(states)))
        else:
            swept.wait()
    except KeyboardInterrupt:
        say("The jobs go on: the same command with --status shows them, with --cancel ends them.")
        raise typer.Exit(130) from None
    states = swept.states()
    console.print(states_view(states))
    if any(state.state != "done" for state in states):
        say("The same command gives what is not done to jobs again.")
        raise typer.Exit(1)


def show_status(experiments: Sequence[Experiment] | None, runs: Path | None) -> None:
    """Print where runs stand: those of these experiments with their teachers, or all of the folder."""
    from e2kd_lab.runs.sweep_status import all_states, states_of

    folder = runs or runs_folder()
    states = all_states(folder) if experiments is None else states_of(_named(experiments), folder)
    console.print(states_view(states))


def cancel_jobs(experiments: Sequence[Experiment] | None, runs: Path | None) -> None:
    """End the jobs of these experiments and their teachers, or all of the folder."""
    from e2kd_lab.runs.job_record import all_records, cancel, records_of

    folder = runs or runs_folder()
    named = None if experiments is None else [name for name, _ in _named(experiments)]
    records = all_records(folder) if named is None else records_of(folder, named)
    ended = cancel(records, folder)
    say(f"Jobs of {len(ended)} runs are ended; what they have trained is saved: the sweep's command goes on from it.")


def states_view(states: Sequence[RunState]) -> Table:
    """A row a run."""
    from e2kd_lab.runs.sweep_status import summary

    table = Table(title=summary(states), title_justify="left")
    for heading in ("run", "state", ""):
        table.add_column(heading)
    for state in states:
        table.add_row(state.title, state.state, state.sentence or state.place)
    return table


def extra_options(texts: Sequence[str]) -> dict[str, str]:
    """Options of sbatch, such as ``account=vision``.

    Raises
    ------
    ExperimentError
        If one has no value.
    """
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ExperimentError(f"--extra {text} has no value; expected for instance account=vision.")
        options[name.lstrip("-")] = value
    return options


def _named(experiments: Sequence[Experiment]) -> list[tuple[str, str]]:
    """Names and titles, those of teachers first."""
    needed = [one.teacher_experiment() for one in experiments if one.needs_teacher_run]
    teachers = {teacher.run_name(): teacher.title for teacher in needed}
    return list((teachers | {one.run_name(): one.title for one in experiments}).items())
