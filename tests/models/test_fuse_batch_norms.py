"""Folded networks say and explain what they said before."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from e2kd_lab.explanations import explain
from e2kd_lab.models import ExplainableModel, build_model, model_names
from e2kd_lab.models.bcos_layers import BatchNormUncentered2d, BcosConv2d
from e2kd_lab.models.fuse_batch_norms import fuse_batch_norms

SIZE = {"bcos_simple_vit_ti_patch16_224": 224, "bcos_vitc_ti_patch1_14": 224, "simple_vit_ti_patch16_224": 224}


def _with_random_norms(model: ExplainableModel) -> ExplainableModel:
    """In evaluation mode and float64, with norms that differ from the identity; some of their weights are negative."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.normal_(layer.weight, 1, 0.7)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.1)
    return model.eval().double()


def _norms(model: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())


@pytest.mark.parametrize("name", model_names())
def test_logits_stages_and_explanations_stay(name: str) -> None:
    size = SIZE.get(name, 64)
    model = _with_random_norms(build_model(name, 5))
    folded = copy.deepcopy(model)
    fuse_batch_norms(folded, size)
    images = torch.rand(2, 3, size, size, dtype=torch.float64)
    before, after = explain(model, images), explain(folded, images)
    for ours, expected in zip(after, before, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-10)
    if "vit" not in name:
        x = model.preprocess(images)
        for ours, expected in zip(folded.forward_stages(x), model.forward_stages(x), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-8, atol=1e-10)
    assert not any(parameter.requires_grad for parameter in folded.parameters())


@pytest.mark.parametrize(
    ("name", "left"),
    [("resnet18", 0), ("bcos_resnet18", 0), ("bcos_resnet50", 0), ("resnet_mini_deep", 0), ("bcos_resnet_mini", 0)],
)
def test_residual_networks_lose_all_norms(name: str, left: int) -> None:
    model = build_model(name, 5)
    fuse_batch_norms(model, 64)
    assert _norms(model) == left


@pytest.mark.parametrize(("name", "layers"), [("densenet169", 82), ("bcos_densenet169", 82)])
def test_dense_networks_keep_the_norms_in_front_of_convolutions(name: str, layers: int) -> None:
    model = build_model(name, 5)
    before = _norms(model)
    fuse_batch_norms(model, 64)
    assert before - _norms(model) == layers + 1  # norm2 of each dense layer and norm0


def test_weights_of_bcos_units_have_unit_norm_where_no_norm_follows() -> None:
    model = build_model("bcos_resnet_mini", 5)
    fuse_batch_norms(model, 64)
    assert isinstance(model.fc, BcosConv2d)
    torch.testing.assert_close(model.fc.linear.weight.flatten(1).norm(dim=1), torch.ones(5))


def test_folding_twice_changes_nothing() -> None:
    model = _with_random_norms(build_model("bcos_resnet_mini", 5))
    fuse_batch_norms(model, 64)
    once = copy.deepcopy(model.state_dict())
    fuse_batch_norms(model, 64)
    torch.testing.assert_close(dict(model.state_dict()), dict(once), rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"b": 1.5}, {"max_out": 2}])
def test_units_that_are_not_quadratic_keep_their_norm(options: dict[str, float]) -> None:
    model = build_model("bcos_resnet_mini", 5)
    model.conv1 = BcosConv2d(6, 16, 3, 2, 1, **options)
    folded = copy.deepcopy(_with_random_norms(model))
    fuse_batch_norms(folded, 64)
    assert isinstance(folded.bn1, BatchNormUncentered2d)
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(explain(folded, images).maps, explain(model, images).maps, rtol=1e-8, atol=1e-10)
