"""Finished runs that several figures show."""

import pytest

from e2kd_lab.runs import load_runs, select_by_validation


@pytest.fixture(scope="session")
def selected(runs):
    """The best runs of standard networks."""
    return select_by_validation(load_runs(runs).query("family == 'standard'"))
