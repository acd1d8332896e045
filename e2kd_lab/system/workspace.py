"""Default folders of data sets and runs.

The workspace is the folder named by the environment variable ``E2KD_LAB_HOME``; else the nearest folder, from the
current one upwards, that holds both ``notebooks`` and ``e2kd_lab`` (a checkout of the lab, wherever in it a notebook
runs); else the user's data folder for this program.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from e2kd_lab.system.errors import LabError
from e2kd_lab.system.paths import expanded


def workspace() -> Path:
    """The folder under which data sets (``data``) and runs (``runs``) lie by default.

    Raises
    ------
    LabError
        If the account has no home folder, as in some containers, and ``E2KD_LAB_HOME`` names no other.
    """
    if home := os.environ.get("E2KD_LAB_HOME"):
        return expanded(home).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "e2kd_lab").is_dir():
            return folder
    try:
        default = Path(platformdirs.user_data_dir("e2kd-lab", appauthor=False))
    except RuntimeError:
        default = Path("~")
    if default.is_absolute():  # an unknown ~ may stay as it is
        return default
    raise LabError(
        "This account has no home folder; expected the environment variable E2KD_LAB_HOME with a folder for data and "
        "runs."
    )


def data_folder() -> Path:
    """The default folder of data sets."""
    return workspace() / "data"


def runs_folder() -> Path:
    """The default folder of runs."""
    return workspace() / "runs"
