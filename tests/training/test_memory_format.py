import copy

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from e2kd_lab import build_model, explain
from e2kd_lab.training.memory_format import set_memory_format

CPU = torch.device("cpu")


def contiguous(model):
    return {name for name, weight in model.named_parameters() if weight.ndim == 4 and weight.is_contiguous()}


@pytest.mark.parametrize("name", ["resnet18", "bcos_resnet18", "bcos_densenet_mini"])
def test_logits_explanations_and_gradients_stay(name):
    torch.manual_seed(0)
    plain = build_model(name, 5).double()
    ours = copy.deepcopy(plain)
    set_memory_format(ours, 64, CPU)
    assert ours.training
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    found = []
    for model in (plain, ours):
        explanation = explain(model, images, create_graph=True)
        (explanation.maps.square().sum() + explanation.logits.square().sum()).backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        found.append([explanation.logits, explanation.maps, *gradients])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


def test_only_convolutions_of_small_maps_are_contiguous_on_a_cpu():
    model = build_model("resnet18", 5)
    parameters = list(model.parameters())
    set_memory_format(model, 64, CPU)
    assert all(one is other for one, other in zip(model.parameters(), parameters, strict=True))
    # 64 px: 4 x 4 pixels behind the third stage, 2 x 2 behind the fourth.
    wide = {name for name in contiguous(model) if "downsample" not in name}
    assert {name.split(".conv")[0].removeprefix("network.") for name in wide} == {
        "layer3.0", "layer3.1", "layer4.0", "layer4.1"
    }  # fmt: skip
    assert not any("layer3.0.conv1" in name for name in wide)  # reads 8 x 8 pixels
    large, cuda = build_model("resnet18", 5), build_model("resnet18", 5)
    set_memory_format(large, 224, CPU)
    set_memory_format(cuda, 64, torch.device("cuda"))
    for model in (large, cuda):
        assert all("downsample" in name for name in contiguous(model))  # 1 x 1 filters are both


def test_maps_behind_a_contiguous_convolution_are_contiguous():
    model = build_model("resnet18", 5).eval()
    set_memory_format(model, 64, CPU)
    features = model.forward_features(torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last))
    assert features.is_contiguous()


def test_no_pass_through_contiguous_convolutions_converts_their_weights():
    """Neither the explanation nor its derivative meets a convolution in another layout than the forward pass did."""
    model = build_model("bcos_resnet18", 5)
    set_memory_format(model, 64, CPU)
    images = torch.rand(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as recorded:
        explanation = explain(model, images, create_graph=True)
        (explanation.maps.square().sum() + explanation.logits.square().sum()).backward()
    weights = dict(model.named_parameters())
    shapes = {tuple(weights[name].shape) for name in contiguous(model) if "downsample" not in name}
    copied = [tuple(event.input_shapes[0]) for event in recorded.events() if event.name == "aten::copy_"]
    assert shapes
    assert copied
    assert not shapes.intersection(copied)
