import pytest
import torch

from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import Recipe
from e2kd_lab.training.recipe import build_optimizer, learning_rate


def test_schedule_equals_torchs_warmup_and_cosine():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.01)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=5)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[5])
    for step in range(20):
        ours = learning_rate(step, peak=0.01, warmup_steps=5, total_steps=20)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        schedule.step()


def test_steps_equal_torchs_step_schedule():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=6, gamma=0.1)
    for step in range(20):
        ours = learning_rate(step, peak=0.1, warmup_steps=0, total_steps=20, steps_per_tenth=6)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("field", ["step_epochs", "epochs", "batch_size", "lr", "clip_norm", "validate_every"])
def test_refuses_values_out_of_range(field):
    with pytest.raises(ExperimentError, match=f"'{field}' is 0"):
        Recipe(**{"epochs": 1, "batch_size": 1, field: 0})


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_updates_in_one_pass_are_torchs_plain_ones(name):
    weights = []
    for fused in (True, False):
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 4).double()
        optimizer = build_optimizer(Recipe(epochs=1, batch_size=1, optimizer=name, lr=0.1), layer, fused=fused)
        assert bool(optimizer.defaults["fused"]) is fused
        for _ in range(5):
            layer(torch.ones(2, 3, dtype=torch.float64)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        weights.append(layer.weight.detach())
    torch.testing.assert_close(*weights, rtol=1e-12, atol=1e-12)


def test_scaled_half_precision_leaves_gradients_to_be_clipped():
    recipe = Recipe(epochs=1, batch_size=1, precision="16-mixed")
    assert not build_optimizer(recipe, torch.nn.Linear(1, 1)).defaults["fused"]
