"""Infidelity and sensitivity against captum, with the same changes."""

import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max

from e2kd_lab.metrics import infidelity, sensitivity


@pytest.fixture
def case():
    torch.manual_seed(0)
    images, maps, changes = torch.rand(3, 2, 4), torch.randn(3, 2, 4), 0.3 * torch.randn(10, 3, 2, 4)
    weights = torch.randn(8)
    return images, maps, changes, lambda x: (x.flatten(1) @ weights).tanh()


@pytest.mark.parametrize("scaled", [False, True])
def test_infidelity_equals_captum(case, scaled):
    images, maps, changes, logit = case
    falls = torch.stack([logit(images) - logit(images - change) for change in changes])
    left = iter(changes)

    def perturb(inputs):
        change = next(left)
        return change, inputs - change

    expected = captum_infidelity(
        logit, perturb, images, maps, n_perturb_samples=10, max_examples_per_batch=3, normalize=scaled
    )
    torch.testing.assert_close(infidelity(changes, maps, falls, scaled=scaled), expected, rtol=1e-4, atol=1e-6)


def test_sensitivity_equals_captum(case):
    images, _, changes, _ = case

    def explain(x):
        return x**2

    left = iter(changes)
    expected = sensitivity_max(
        lambda x: (explain(x[0] if isinstance(x, tuple) else x),),
        images,
        perturb_func=lambda x: (x[0] if isinstance(x, tuple) else x) + next(left),
        n_perturb_samples=10,
        max_examples_per_batch=3,
    )
    found = sensitivity(explain(images), torch.stack([explain(images + change) for change in changes]))
    torch.testing.assert_close(found, expected)


def test_a_linear_model_is_described_exactly():
    torch.manual_seed(0)
    weights, changes = torch.randn(2, 6), torch.randn(20, 2, 6)
    falls = (changes * weights).sum(-1)
    assert infidelity(changes, weights, falls).max() < 1e-10
    assert infidelity(changes, 7 * weights, falls).min() > 1
    assert infidelity(changes, 7 * weights, falls, scaled=True).max() < 1e-9
    assert infidelity(changes, 0 * weights, falls, scaled=True).isfinite().all()
    assert sensitivity(torch.zeros(1, 3), torch.ones(2, 1, 3)).isnan().all()
