"""Labels of runs: method and hyper-parameters, whoever registered the method."""

import math

import pytest

from e2kd_lab.figures.labels import run_label


@pytest.mark.parametrize(
    ("method", "hyperparameters", "label"),
    [
        ("e2kd", {"lam": 5.0, "tau": 1.0}, "e²KD, λ = 5, τ = 1"),
        ("e2kd", {"lam": 5.0, "tau": 1.0, "explain_every": 2}, "e²KD, λ = 5, τ = 1, every 2 steps"),
        ("kd", {"lam": 5.0, "tau": 2.5}, "KD, τ = 2.5"),
        ("baseline", {"lam": 0.0, "tau": 1.0}, "Baseline"),
        ("theirs", {"lam": math.nan, "tau": 1.0, "beta": 8.0}, "theirs, τ = 1, beta = 8"),
    ],
)
def test_a_label_has_the_hyperparameters_that_the_method_has(method, hyperparameters, label):
    assert run_label(method, hyperparameters) == label
