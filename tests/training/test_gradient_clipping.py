import json

import pytest
import torch
from golden_weights import GOLDEN, relative
from torch import nn

from e2kd_lab.training.gradient_clipping import clip_gradients_adaptively

CASES = json.loads((GOLDEN / "bcos_training.json").read_text())["agc"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "x".join(map(str, case["shape"])))
def test_equals_the_reference_programs_numbers(case):
    parameter = nn.Parameter(torch.tensor(case["param"], dtype=torch.float64).reshape(case["shape"]))
    parameter.grad = torch.tensor(case["grad"], dtype=torch.float64).reshape(case["shape"])
    clip_gradients_adaptively([parameter], 0.01)
    assert relative(parameter.grad, torch.tensor(case["clipped"]).reshape(case["shape"])) < 1e-6


def test_no_filter_gets_more_than_its_share_and_small_gradients_stay():
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(6, 3, 3, 3))
    parameter.grad = torch.randn(6, 3, 3, 3) * torch.tensor([1e-4, 1e-3, 1e-2, 0.1, 1, 10]).view(-1, 1, 1, 1)
    before = parameter.grad.clone()
    clip_gradients_adaptively([parameter, nn.Parameter(torch.ones(2))], 0.01)
    ratio = parameter.grad.flatten(1).norm(dim=1) / parameter.detach().flatten(1).norm(dim=1)
    assert ratio.max() <= 0.01 * (1 + 1e-5)
    assert torch.equal(parameter.grad[:2], before[:2])
    cosine = nn.functional.cosine_similarity(parameter.grad.flatten(1), before.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(6))  # only lengths change


def test_refuses_a_factor_that_is_not_positive():
    with pytest.raises(ValueError, match="factor > 0, got 0"):
        clip_gradients_adaptively([], 0)
