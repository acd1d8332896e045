"""Smooth strides: W(x) without the strides' grid, and what must not change or be mixed up."""

import copy

import pytest
import torch
from torch.nn.utils import parametrize

from e2kd_lab import build_model, experiments, explain
from e2kd_lab.models import bcos_densenet, bcos_resnet
from e2kd_lab.models.bcos_layers import BcosConv2d
from e2kd_lab.models.registry import MODELS
from e2kd_lab.models.smooth_strides import smooth_strides
from e2kd_lab.system.errors import CheckpointError

MINIS = ["bcos_resnet_mini", "bcos_resnet_mini_deep", "bcos_densenet_mini", "bcos_densenet_mini_deep"]


@pytest.fixture
def plain_strides(monkeypatch):
    for module in (bcos_densenet, bcos_resnet):
        monkeypatch.setattr(module, "smooth_strides", lambda model: model)


def grid_share(name):
    """Share of the variance of |W(x)| over pixels that is explained by row and column modulo 8; chance is 0.015."""
    torch.manual_seed(0)
    model = build_model(name, 5).eval()
    images = torch.nn.functional.interpolate(torch.rand(16, 3, 8, 8), size=64, mode="bilinear")
    strength = explain(model, images).maps.norm(dim=1)
    strength = strength - strength.mean((1, 2), keepdim=True)
    by_place = strength.reshape(-1, 8, 8, 8, 8).mean((1, 3))  # (N, row modulo 8, column modulo 8)
    return (by_place.square().mean((1, 2)) / strength.square().mean((1, 2))).mean().item()


@pytest.mark.parametrize("name", MINIS)
def test_no_grid(name):
    assert grid_share(name) < 0.05


@pytest.mark.parametrize("name", MINIS)
@pytest.mark.usefixtures("plain_strides")
def test_plain_strides_print_a_grid(name):
    assert grid_share(name) > 0.1


@pytest.mark.parametrize(("size", "padding"), [(1, 0), (3, 1), (7, 3)])
def test_a_constant_gradient_stays_constant(size, padding):
    torch.manual_seed(0)
    layer = BcosConv2d(2, 3, size, 2, padding, b=1)
    images = torch.zeros(1, 2, 32, 32, requires_grad=True)
    inside = slice(8, 24)

    def spread():
        (gradient,) = torch.autograd.grad(layer(images)[:, 0].sum(), images)
        return gradient[0, :, inside, inside].std((1, 2)).max() / gradient.abs().max()

    assert spread() > 0.1
    smooth_strides(layer)
    assert layer(images).shape == (1, 3, 16, 16)
    assert spread() < 1e-5


def test_published_networks_keep_their_strides():
    for name in ("bcos_resnet18", "bcos_densenet169"):
        assert not any(parametrize.is_parametrized(layer) for layer in build_model(name, 2).modules())


def test_a_frozen_copy_leaves_the_network_alone():
    model = build_model("bcos_resnet_mini", 3)
    frozen = copy.deepcopy(model)
    expected = frozen.conv1.weight()
    frozen.conv1.freeze_weight()
    assert not parametrize.is_parametrized(frozen.conv1.linear)
    assert torch.equal(frozen.conv1.linear.weight, expected)
    assert torch.equal(model.conv1.weight(), expected)


@pytest.mark.parametrize("name", MINIS)
def test_weights_of_plain_strides_are_refused(monkeypatch, tmp_path, name):
    with monkeypatch.context() as patch:
        for module in (bcos_densenet, bcos_resnet):
            patch.setattr(module, "smooth_strides", lambda model: model)
        torch.save(build_model(name, 2).state_dict(), tmp_path / "plain.pt")
    with pytest.raises(CheckpointError, match="parametrizations"):
        build_model(name, 2, weights=str(tmp_path / "plain.pt"))


def test_runs_of_plain_strides_are_not_taken_for_runs_of_smooth_ones(monkeypatch):
    new = experiments.get("waterbirds", "smoke", "bcos")
    names = new.run_name(), new.teacher_experiment().run_name()
    with monkeypatch.context() as patch:
        patch.setitem(MODELS._versions, "bcos_resnet_mini", 0)
        old = new.run_name(), new.teacher_experiment().run_name()
    assert not set(names) & set(old)
    assert experiments.get("waterbirds", "smoke").config()["results_version"] == 1  # of another network
