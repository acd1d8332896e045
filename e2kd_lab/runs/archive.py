"""Runs in one zip file, without data, to pass on."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from e2kd_lab.runs.run_folder import ELSEWHERE, Run
from e2kd_lab.system.atomic_write import atomic_write
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.paths import is_folder


def archive_runs(runs: Sequence[Run], to: Path | str) -> list[Run]:
    """Pack runs into a zip file: configurations, measures and checkpoints, and the runs of their teachers.

    Unpacked in a folder, they are runs as before (see `e2kd_lab.load_runs`). Pictures are not packed, but
    ``training_files.csv``, where a run has one, holds their names.

    Parameters
    ----------
    runs : sequence of Run
        Finished or stopped runs. A teacher's run is packed, too, if it lies beside its student's.
    to : Path or str
        The zip file; replaced if it exists.

    Returns
    -------
    list of Run
        What was packed.

    Raises
    ------
    RunError
        If there are no runs, two have one name, one is being trained, or the file cannot be written.

    Examples
    --------
    >>> archive_runs(find_runs("runs"), "runs.zip")  # doctest: +SKIP
    """
    packed = {run.folder.resolve(): run for run in runs}
    for run in runs:
        teacher = run.folder.parent / str(run.config.get("teacher", "")).removeprefix("run:")
        if str(run.config.get("teacher", "")).startswith("run:") and is_folder(teacher):
            packed.setdefault(teacher.resolve(), Run(teacher))
    if not packed:
        raise RunError(f"There are no runs to pack into {to}; train some first.")
    for run in packed.values():
        if run.status in ELSEWHERE:
            raise RunError(f"{run.folder} is {run.whereabouts}; expected a finished or stopped run to pack.")
    if len({folder.name for folder in packed}) < len(packed):
        raise RunError(f"Two runs for {to} have the same name; expected each run once.")

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for folder in packed:
                for part in sorted(folder.iterdir()):
                    if part.is_file() and not part.name.startswith("."):  # locks and unfinished files are hidden
                        archive.write(part, f"{folder.name}/{part.name}")

    atomic_write(Path(to), write)
    return list(packed.values())
