import copy

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from e2kd_lab import adapt, build_model, explain
from e2kd_lab.models.memory_format import frozen_copy, set_memory_format

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


class Viewed(nn.Module):
    """A classifier that needs contiguous feature maps."""

    def __init__(self):
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 16 * 16, 2)

    def forward(self, x):
        return self.head(self.convolution(x).view(len(x), -1))


@pytest.mark.parametrize("name", ["resnet_mini", "bcos_resnet_mini", "bcos_vit_mini", "viewed"])
def test_a_frozen_copy_takes_images_of_any_format_and_leaves_the_network_alone(name):
    torch.manual_seed(0)
    model = adapt(Viewed(), image_size=16, layer="convolution") if name == "viewed" else build_model(name, 3)
    before = copy.deepcopy(model.state_dict())
    images = torch.rand(2, 3, 16, 16)
    frozen = frozen_copy(model, 16)
    expected = explain(model.eval(), images)
    for some in (images, images.contiguous(memory_format=torch.channels_last)):
        found = explain(frozen, some)
        torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.maps, expected.maps, rtol=1e-4, atol=1e-5)
    assert all(one.equal(model.state_dict()[name]) for name, one in before.items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_frozen_copy_of_a_bcos_network_computes_in_channels_last():
    frozen = frozen_copy(build_model("bcos_resnet_mini", 3), 64)
    seen = []
    frozen.get_submodule("conv1").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    frozen(frozen.preprocess(torch.rand(2, 3, 64, 64)))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
