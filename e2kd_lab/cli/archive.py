"""``e2kd-lab archive``: runs in one file, to pass on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2kd_lab.cli.evaluate import found_run
from e2kd_lab.cli.options import RunsOption
from e2kd_lab.cli.tables import say


def archive(
    names: Annotated[
        list[str] | None, typer.Argument(help="Folders or names of runs (default: all)", metavar="RUNS")
    ] = None,
    to: Annotated[Path, typer.Option(help="The zip file")] = Path("runs.zip"),
    runs: RunsOption = None,
) -> None:
    """Pack runs and their teachers into a zip file, without data; unpacked, they are runs as before."""
    from e2kd_lab.runs.archive import archive_runs
    from e2kd_lab.runs.results import find_runs

    packed = archive_runs([found_run(name, runs) for name in names] if names else find_runs(runs), to)
    say(f"{to} holds {len(packed)} runs, {to.stat().st_size / 1e6:.1f} MB. Unpack it into a folder of runs.")
