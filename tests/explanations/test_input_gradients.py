"""Input times gradient and integrated gradients: captum, completeness, and one step of running statistics."""

import copy

import pytest
import torch
from captum.attr import InputXGradient as CaptumInputXGradient
from captum.attr import IntegratedGradients as CaptumIntegratedGradients

from e2kd_lab import build_model, explain
from e2kd_lab.explanations import EXPLANATIONS, IntegratedGradients
from e2kd_lab.methods import E2KD
from e2kd_lab.system.errors import ExperimentError


@pytest.fixture(scope="module", params=["resnet_mini", "bcos_vit_mini"])
def model(request):
    torch.manual_seed(0)
    return build_model(request.param, 3).double().eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 32, 32, dtype=torch.float64)


def test_equal_captum(model, images):
    classes = torch.tensor([2, 0])

    def logits(x):
        return model(model.preprocess(x))

    theirs = CaptumInputXGradient(logits).attribute(images.clone().requires_grad_(), target=classes)
    ours = explain(model, images, classes, method="input_x_gradient")
    torch.testing.assert_close(ours.maps, theirs.sum(1, keepdim=True).detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(ours.logits, logits(images).detach())
    theirs = CaptumIntegratedGradients(logits).attribute(
        images, baselines=torch.full_like(images, 0.5), target=classes, n_steps=5, method="gausslegendre"
    )
    ours = explain(model, images, classes, method=IntegratedGradients(steps=5, baseline=0.5))
    # Their points are float32.
    torch.testing.assert_close(ours.maps, theirs.sum(1, keepdim=True).detach(), rtol=1e-4, atol=1e-9)
    assert (ours.maps < 0).any()


def test_integrated_gradients_are_complete(images):
    torch.manual_seed(0)
    model = build_model("bcos_vit_mini", 3).double().eval()  # smooth along the path, unlike a ReLU network
    logits, classes, maps = explain(model, images, method=IntegratedGradients(steps=64, baseline=0.3))
    black = model(model.preprocess(torch.full_like(images, 0.3))).detach()
    difference = (logits - black).gather(1, classes[:, None])[:, 0]
    torch.testing.assert_close(maps.sum((1, 2, 3)), difference, rtol=1e-4, atol=1e-6)


def test_running_statistics_see_the_images_alone():
    torch.manual_seed(0)
    model, images = build_model("resnet_mini", 3).train(), torch.rand(4, 3, 16, 16)
    other = copy.deepcopy(model)
    other(other.preprocess(images))
    maps = explain(model, images, method="integrated_gradients", create_graph=True).maps
    maps.square().sum().backward()
    for (name, buffer), expected in zip(model.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, msg=name)


@pytest.mark.parametrize("name", ["input_x_gradient", "integrated_gradients"])
def test_a_part_of_the_batch_of_a_plain_network_is_explained(name):
    torch.manual_seed(0)
    student, teacher = build_model("resnet_mini", 3).train(), build_model("resnet_mini", 3)
    method = E2KD(student, teacher, explain_part=0.5, explanation=name)
    losses = method(torch.rand(4, 3, 16, 16))
    losses["loss"].backward()
    assert losses["explanation_loss"] > 0
    assert all(parameter.grad is not None for parameter in student.parameters())


def test_pictures_are_signed(images):
    for name in ("input_x_gradient", "integrated_gradients"):
        drawing = EXPLANATIONS[name].draw(images, {"teacher": torch.randn(2, 1, 32, 32)})
        assert drawing.low == -drawing.high
        assert drawing.label == f"{EXPLANATIONS[name].title} {{of}}, divided by its L2 norm"


def test_fields_out_of_range_are_refused():
    with pytest.raises(ExperimentError, match="steps = 0; expected at least 1"):
        IntegratedGradients(steps=0)
    with pytest.raises(ExperimentError, match=r"baseline = 2; expected a grey value in \[0, 1\]"):
        IntegratedGradients(baseline=2)
