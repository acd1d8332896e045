import pytest
import torch
from bcos_layer_cases import CASES, golden
from torch.profiler import ProfilerActivity, profile

from e2kd_lab.models.bcos_layers import AveragePool2d, BatchNormUncentered2d, BcosConv2d
from e2kd_lab.models.dynamic_scales import (
    constant_scales,
    normalized_by_batch,
    scaled_by_cosine,
    switchable_scales,
)


@pytest.mark.parametrize("name", CASES)
def test_constant_scales_give_the_same_numbers_as_frozen_ones(name):
    torch.manual_seed(0)
    layer, x = CASES[name]().double(), golden(name)["x"].requires_grad_()
    with switchable_scales() as switch:
        y = layer(x)
    with switch.frozen():
        (frozen,) = torch.autograd.grad(y.sum(), x)
    with constant_scales():
        (constant,) = torch.autograd.grad(layer(x).sum(), x)
    torch.testing.assert_close(frozen, constant)
    with torch.no_grad():
        # W(x) x is the output: of these layers only the centring ones take part of x away, linearly.
        assert (constant * x).sum().item() == pytest.approx(layer(x).sum().item(), rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_naming_the_explained_input_changes_no_gradient_to_weights(name):
    torch.manual_seed(0)
    layer, x = CASES[name]().double(), golden(name)["x"].requires_grad_()
    direction = torch.randn_like(x)
    found = []
    for explained in (None, x):
        with switchable_scales(explained) as switch:
            y = layer(x)
        with switch.frozen():
            (frozen,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        loss = (frozen * direction).sum() + y.square().mean()
        found.append([y, frozen, *torch.autograd.grad(loss, list(layer.parameters()))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative_of_the_frozen_gradient_is_right(name):
    """d/dw of a function of W(x), where W(x) must keep depending on w through its scales."""
    torch.manual_seed(1)
    layer, x = CASES[name]().double(), golden(name)["x"].requires_grad_()
    weight = next(layer.parameters())
    direction = torch.randn_like(x)

    def explained(*, create_graph):
        with switchable_scales() as switch:
            y = layer(x)
        with switch.frozen():
            (frozen,) = torch.autograd.grad((y * y.detach().sign()).sum(), x, create_graph=create_graph)
        return (frozen * direction).sum() + y.square().mean()

    (ours,) = torch.autograd.grad(explained(create_graph=True), weight)
    probe = torch.randn_like(weight)
    step = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * step * probe)
        values.append(explained(create_graph=False).item())
        with torch.no_grad():
            weight.sub_(sign * step * probe)
    assert (ours * probe).sum().item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-7)


def test_explaining_computes_nothing_for_constant_scales_and_its_derivative_adds_no_zeros():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(BcosConv2d(6, 8, 3, 1, 1), BatchNormUncentered2d(8), AveragePool2d(3, 2, 1))
    x = torch.rand(2, 6, 16, 16, requires_grad=True)
    with switchable_scales(x) as switch:
        explained = layers(x).sum()
    with switch.frozen(), profile(activities=[ProfilerActivity.CPU]) as explaining:
        (frozen,) = torch.autograd.grad(explained, x, create_graph=True)
    with profile(activities=[ProfilerActivity.CPU]) as training:
        frozen.square().sum().backward()
    # The output's gradient, and that of pooling, scaling and convolution.
    allowed = {"ones_like", "expand", "avg_pool2d_backward", "mul", "convolution_backward"}
    assert computed(explaining) <= {f"aten::{name}" for name in allowed}
    assert "aten::conv2d" in computed(training)
    assert not {"aten::zeros", "aten::zeros_like"} & computed(training)


def computed(recorded):
    """Names of the operators that autograd called, without those that these called themselves."""
    names = set()
    for event in recorded.events():
        within = event.cpu_parent.name if event.cpu_parent else ""
        if event.name.startswith("aten::") and not within.startswith("aten::"):
            names.add(event.name)
    assert names
    return names


def test_whole_gradients_can_be_differentiated_too():
    """As second-order methods ask for them, and not only those with frozen scales."""
    torch.manual_seed(0)
    product = torch.randn(3, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    norm = (torch.rand(3, 1, 2, 2, dtype=torch.float64) + 0.5).requires_grad_()
    weight = torch.rand(4, dtype=torch.float64, requires_grad=True)
    for function, inputs in (
        (scaled_by_cosine, (product, norm)),
        (lambda x, weight: normalized_by_batch(x, weight, 1e-5)[0], (product, weight)),
    ):
        assert torch.autograd.gradcheck(function, inputs)
        assert torch.autograd.gradgradcheck(function, inputs)
        with switchable_scales():
            assert torch.autograd.gradgradcheck(function, inputs)
