import numpy as np
import pytest
import torch
from scipy.stats import bootstrap

from e2kd_lab.metrics import bootstrap_interval


def test_agrees_with_scipy():
    torch.manual_seed(0)
    values = torch.rand(80) ** 3
    found = bootstrap_interval(values, resamples=4000)
    expected = bootstrap(
        (values.double().numpy(),), np.mean, method="percentile", n_resamples=4000, rng=1
    ).confidence_interval
    assert found.mean == pytest.approx(values.double().mean().item())
    assert found.low == pytest.approx(expected.low, abs=0.005)
    assert found.high == pytest.approx(expected.high, abs=0.005)
    assert found == bootstrap_interval(values, resamples=4000)


def test_leaves_out_what_is_not_defined():
    assert bootstrap_interval(torch.tensor([torch.nan, 2.0])) == (2, 2, 2)
    assert all(np.isnan(bootstrap_interval(torch.tensor([torch.nan]))))
