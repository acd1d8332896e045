"""GradCAM against captum, the grad-cam package, golden numbers of the reference program, and finite differences."""

import numpy as np
import pytest
import torch
from by_name import method_of
from captum.attr import LayerGradCam
from golden_weights import GOLDEN as GOLDEN_FOLDER
from golden_weights import fill, relative
from golden_weights import images as golden_images
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch.nn import functional as F

import e2kd_lab as lab
from e2kd_lab import build_model, explain
from e2kd_lab.losses import explanation_loss, kd_loss
from e2kd_lab.system.errors import ExperimentError

GOLDEN = np.load(GOLDEN_FOLDER / "gradcam_resnet18.npz")


@pytest.fixture(scope="module")
def resnet18():
    return fill(build_model("resnet18", 10), 5000)


@pytest.fixture(scope="module")
def resnet34():
    return fill(build_model("resnet34", 10), 6000)


@pytest.fixture(scope="module")
def images():
    return golden_images(64)


def test_weights_are_those_of_the_golden_numbers(resnet18):
    floats = [t for t in resnet18.state_dict().values() if t.is_floating_point()]
    checksum = torch.stack([sum(t.sum() for t in floats), sum(t.abs().sum() for t in floats)])
    assert relative(checksum, GOLDEN["weight_checksum"]) < 1e-9


@pytest.mark.parametrize("method", ["gradcam", "gradcam_general"])
def test_equals_golden_numbers(resnet18, images, method):
    # The network's constants are float32; the golden numbers were computed with float64 ones.
    resnet18.preprocess.mean, resnet18.preprocess.std = (
        torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    explanation = explain(resnet18, images, method=method)
    assert relative(explanation.logits, GOLDEN["logits"]) < 1e-9
    assert explanation.classes.tolist() == GOLDEN["class_idx"].tolist()
    assert relative(explanation.maps, GOLDEN["cam"]) < 1e-6  # stored as float32
    assert relative(explanation.maps.sum(dim=(1, 2, 3)), GOLDEN["cam_sum"]) < 1e-9


def test_e2kd_step_of_a_pair_equals_golden_numbers(resnet18, resnet34, images):
    for model in (resnet18, resnet34):
        model.preprocess.mean, model.preprocess.std = (
            torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
    target = explain(resnet34, images)
    student = explain(resnet18, images, target.classes, create_graph=True)
    assert target.classes.tolist() == GOLDEN["pair_class_idx"].tolist()
    assert kd_loss(student.logits, target.logits).item() == pytest.approx(GOLDEN["pair_kd_tau1"].item(), rel=1e-9)
    assert kd_loss(student.logits, target.logits, 5).item() == pytest.approx(GOLDEN["pair_kd_tau5"].item(), rel=1e-9)
    loss = explanation_loss(student.maps, target.maps)
    assert loss.item() == pytest.approx(GOLDEN["pair_exp_loss"].item(), rel=1e-9)
    method = method_of("e2kd", resnet18, resnet34, lam=5.0).eval()
    losses = method(images, torch.zeros(2, dtype=torch.long))
    assert losses["loss"].item() == pytest.approx(GOLDEN["pair_total_tau1_lam5"].item(), rel=1e-9)
    gradients = torch.autograd.grad(losses["loss"], list(resnet18.parameters()))
    norm = torch.stack([g.norm() for g in gradients]).norm().item()
    assert norm == pytest.approx(GOLDEN["pair_grad_norm_total"].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "layer"), [("resnet18", "layer4"), ("densenet169", "final_relu"), ("resnet_mini", "layer3")]
)
def test_equals_captum_and_grad_cam(name, layer):
    torch.manual_seed(3)
    model = build_model(name, 5).double().eval()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    classes = torch.tensor([1, 4])
    x = model.preprocess(images)
    ours = explain(model, images, classes).maps
    general = explain(model, images, classes, method="gradcam_general").maps
    torch.testing.assert_close(ours, general, rtol=1e-9, atol=1e-12)
    captum = LayerGradCam(model, getattr(model, layer)).attribute(x, target=classes, relu_attributions=True)
    captum = F.interpolate(captum, size=(64, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(ours, captum.detach(), rtol=1e-9, atol=1e-12)
    # The grad-cam package rescales each map to [0, 1]: compare up to that.
    with GradCAM(model=model, target_layers=[getattr(model, layer)]) as cam:
        theirs = torch.as_tensor(cam(x, targets=[ClassifierOutputTarget(k) for k in classes.tolist()])).double()
    for mine, other in zip(ours[:, 0], theirs, strict=True):
        if mine.max() > mine.min():
            cosine = F.cosine_similarity((mine - mine.min()).flatten(), other.flatten(), dim=0)
            assert cosine > 0.99


@pytest.mark.parametrize("method", ["gradcam", "gradcam_general"])
def test_gradient_in_the_students_parameters_equals_finite_differences(method):
    torch.manual_seed(0)
    model = build_model("resnet_mini", 3, width=4).double().train()
    images, target = torch.rand(3, 3, 16, 16, dtype=torch.float64), torch.rand(3, 1, 16, 16, dtype=torch.float64)
    classes = torch.tensor([0, 1, 2])

    def loss():
        return explanation_loss(explain(model, images, classes, method=method, create_graph=True).maps, target)

    parameters = [model.conv1.weight, model.layer2[0].bn1.weight, model.fc.weight]
    gradients = torch.autograd.grad(loss(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn_like(parameter)
        step = 1e-6
        with torch.no_grad():
            parameter += step * direction
            above = loss()
            parameter -= 2 * step * direction
            below = loss()
            parameter += step * direction
        assert (gradient * direction).sum().item() == pytest.approx(
            (above - below).item() / (2 * step), rel=1e-5, abs=1e-9
        )


def test_another_head_takes_the_general_path():
    torch.manual_seed(0)
    model = build_model("resnet_mini", 4).eval()
    model.fc = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4))
    images = torch.rand(2, 3, 32, 32)
    explanation = explain(model, images)
    assert explanation.maps.shape == (2, 1, 32, 32)
    captum = LayerGradCam(model, model.layer3).attribute(
        model.preprocess(images), target=explanation.classes, relu_attributions=True
    )
    captum = F.interpolate(captum, size=(32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(explanation.maps, captum.detach())


def test_a_frozen_network_can_be_explained_and_keeps_no_graph():
    model = build_model("resnet_mini", 4).eval().requires_grad_(False)
    for method in ("gradcam", "gradcam_general"):
        explanation = explain(model, torch.rand(2, 3, 32, 32), method=method)
        assert not explanation.maps.requires_grad
        assert not explanation.logits.requires_grad


def test_batch_norm_moves_once_a_step():
    model = build_model("resnet_mini", 4).train()
    explain(model, torch.rand(4, 3, 32, 32), create_graph=True)
    assert model.bn1.num_batches_tracked == 1


def test_refuses_an_unknown_method():
    with pytest.raises(ExperimentError, match="no explanation 'lime'"):
        explain(build_model("resnet_mini", 2), torch.rand(1, 3, 32, 32), method="lime")


class Gated(torch.nn.Module):
    """A block as MobileNets have it, whose hard sigmoid has no second derivative in torch."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = torch.nn.Conv2d(3, 4, 3, 2), torch.nn.Conv2d(4, 4, 1)
        self.head = torch.nn.Linear(4, 3)

    def forward(self, x):
        x = torch.nn.functional.silu(self.conv(x))
        x = x * torch.nn.functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        return self.head(x.mean((2, 3)))


def test_hard_sigmoids_behind_the_map_are_differentiated_twice():
    torch.manual_seed(0)
    model = lab.adapt(Gated().double(), layer="conv", mean=[0.0] * 3, std=[1.0] * 3, image_size=16)
    images, target = torch.rand(2, 3, 16, 16, dtype=torch.float64), torch.rand(2, 1, 16, 16, dtype=torch.float64)
    classes = torch.tensor([0, 2])
    weight = model.wrapped.gate.weight

    def loss():
        return explanation_loss(explain(model, images, classes, create_graph=True).maps, target)

    (gradient,) = torch.autograd.grad(loss(), weight)
    direction = torch.randn_like(weight)
    with torch.no_grad():
        weight += 1e-6 * direction
        above = loss()
        weight -= 2e-6 * direction
        below = loss()
    assert (gradient * direction).sum().item() == pytest.approx((above - below).item() / 2e-6, rel=1e-5)
