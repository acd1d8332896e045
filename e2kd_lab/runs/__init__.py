"""Runs: folders that training, sweeps, evaluation and freezing write and read."""

from e2kd_lab.runs.results import (
    RESULT_COLUMNS,
    configurations_of,
    find_runs,
    load_runs,
    results_of,
    select_by_validation,
)
from e2kd_lab.runs.run_folder import Run, Status

__all__ = [
    "RESULT_COLUMNS",
    "Run",
    "Status",
    "configurations_of",
    "find_runs",
    "load_runs",
    "results_of",
    "select_by_validation",
]
