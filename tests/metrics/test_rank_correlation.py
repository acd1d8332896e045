import pytest
import torch
from scipy.stats import spearmanr

from e2kd_lab.metrics import rank_correlation


@pytest.mark.parametrize("levels", [3, 10**6])
def test_equals_scipy_with_and_without_ties(levels):
    torch.manual_seed(0)
    first, second = (torch.randint(levels, (4, 1, 6, 7)).float() for _ in range(2))
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]
    torch.testing.assert_close(rank_correlation(first, second), torch.tensor(expected).float(), rtol=0, atol=1e-5)


def test_a_constant_map_has_none_and_shapes_are_checked():
    assert rank_correlation(torch.zeros(1, 5), torch.rand(1, 5)).item() == 0
    with pytest.raises(ValueError, match="maps of one shape"):
        rank_correlation(torch.zeros(1, 5), torch.zeros(1, 6))
