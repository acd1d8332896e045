"""Every explanation can be trained: its gradient in the parameters equals finite differences, on all networks."""

import pytest
import torch
from torchvision.models import mobilenet_v3_small

import e2kd_lab as lab
from e2kd_lab import build_model, explain
from e2kd_lab.explanations import EXPLANATIONS, IntegratedGradients
from e2kd_lab.losses import explanation_loss
from e2kd_lab.models.standard import DenseNet
from e2kd_lab.models.vit import StandardViT
from e2kd_lab.system.errors import ExperimentError

NETWORKS = {
    "resnet": lambda: build_model("resnet_mini", 3, width=4).train(),
    "densenet": lambda: DenseNet(4, (2, 2), 8, num_classes=3).train(),
    "vit": lambda: StandardViT(3, patch_size=8, dim=16, depth=2, heads=2, hidden=32),
    "bcos_resnet": lambda: build_model("bcos_resnet_mini", 3, width=4).train(),
    "bcos_densenet": lambda: build_model("bcos_densenet_mini", 3, growth=4, blocks=(2, 2), width=8).train(),
    "bcos_vit": lambda: build_model("bcos_vit_mini", 3, dim=16, depth=2),
    "torchvision": lambda: lab.adapt(mobilenet_v3_small(num_classes=3).eval(), image_size=32),
}
# The shortest path that is still a sum of several points.
METHODS = {name: name for name in EXPLANATIONS} | {"integrated_gradients": IntegratedGradients(steps=2)}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    model = NETWORKS[request.param]().double()
    for parameter in model.parameters():  # no zeros, such as those of biases, and no values of one size
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


def skip_what_is_refused(model, name):
    """W(x) is that of B-cos networks, and CNNs have no attention."""
    if (name == "bcos" and model.family != "bcos") or (
        name == "attention_rollout" and not hasattr(model, "transformer")
    ):
        with pytest.raises(ExperimentError):
            explain(model, torch.rand(1, 3, 32, 32, dtype=torch.float64), method=name)
        pytest.skip("refused")


@pytest.mark.parametrize("name", METHODS)
def test_gradient_in_the_parameters_equals_finite_differences(network, name):
    skip_what_is_refused(network, name)
    torch.manual_seed(1)
    images = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    classes = torch.tensor([0, 1, 2])

    def loss():
        maps = explain(network, images, classes, method=METHODS[name], create_graph=True).maps
        return explanation_loss(maps, target)

    offset = 0.5 if EXPLANATIONS[name].is_signed else 0
    target = torch.rand(3, EXPLANATIONS[name].channels, 32, 32, dtype=torch.float64) - offset
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    slope, direction = 0.0, [torch.randn_like(parameter) for parameter in parameters]
    for gradient, along in zip(gradients, direction, strict=True):
        slope += 0 if gradient is None else (gradient * along).sum().item()
    values = []
    for step in (1e-7, -2e-7):
        for parameter, along in zip(parameters, direction, strict=True):
            parameter.data += step * along
        values.append(loss().item())
    for parameter, along in zip(parameters, direction, strict=True):
        parameter.data += 1e-7 * along
    assert abs(slope) > 1e-6
    assert slope == pytest.approx((values[0] - values[1]) / 2e-7, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", METHODS)
def test_a_graph_changes_no_number_and_none_is_kept_unasked(network, name):
    skip_what_is_refused(network, name)
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    plain = explain(network, images, method=METHODS[name])
    trained = explain(network, images, plain.classes, method=METHODS[name], create_graph=True)
    torch.testing.assert_close(trained.maps.detach(), plain.maps)
    torch.testing.assert_close(trained.logits.detach(), plain.logits)
    assert trained.maps.requires_grad
    assert not plain.maps.requires_grad
    assert not plain.logits.requires_grad
    assert not images.requires_grad
