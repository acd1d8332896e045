from e2kd_lab.figures import figure_bytes, training_curves
from e2kd_lab.runs import find_runs


def test_curves_of_any_runs_are_drawn(runs):
    curves = {run.folder.name: (run.config["method"], run.metrics()) for run in find_runs(runs)}
    assert figure_bytes(training_curves(curves)).startswith(b"\x89PNG")
    assert figure_bytes(training_curves({})).startswith(b"\x89PNG")
