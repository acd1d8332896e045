"""B-cos layers: golden numbers of the reference program, the formula, scales in both kinds of backward pass."""

import numpy as np
import pytest
import torch
from golden_weights import GOLDEN, relative
from hypothesis import given
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile

from e2kd_lab.models.bcos_layers import (
    AveragePool2d,
    BatchNormUncentered2d,
    BcosConv2d,
    BcosLinear,
    LayerNorm2dNoBias,
    LayerNormNoBias,
)
from e2kd_lab.models.dynamic_scales import constant_scales, switchable_scales

NUMBERS = np.load(GOLDEN / "bcos_layers.npz")
CASES = {
    "conv_s2p1": lambda: BcosConv2d(3, 4, 3, 2, 1),
    "conv_s2p1_tiny": lambda: BcosConv2d(3, 4, 3, 2, 1),
    "conv_groups2": lambda: BcosConv2d(4, 4, 3, 1, 1, groups=2),
    "conv_maxout2": lambda: BcosConv2d(3, 4, 1, max_out=2),
    "conv_b1.5": lambda: BcosConv2d(3, 4, 3, 1, 1, b=1.5),
    "linear": lambda: BcosLinear(6, 5),
    "linear_tiny": lambda: BcosLinear(6, 5),
    "bnu_eval": lambda: BatchNormUncentered2d(3).eval(),
    "bnu_train": lambda: BatchNormUncentered2d(3),
    "layernorm": lambda: LayerNormNoBias(6),
    "gn_layernorm2d": lambda: LayerNorm2dNoBias(4),
}


def golden(name):
    return {key.split("/")[1]: torch.as_tensor(NUMBERS[key]) for key in NUMBERS.files if key.startswith(name + "/")}


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference_program(name):
    numbers = golden(name)
    layer = CASES[name]().double()
    with torch.no_grad():
        next(layer.parameters()).copy_(numbers["weight"])
        if name.startswith("bnu"):
            layer.running_var.copy_(numbers["running_var_before"])
            layer.running_mean.fill_(9)  # must be ignored
    x = numbers["x"].requires_grad_()
    with switchable_scales() as switch:
        y = layer(x)
    assert relative(y, numbers["y"]) < 1e-12
    with switch.frozen():
        (frozen,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    assert relative(frozen, numbers["dsum_dx_expl"]) < 1e-12
    if "dsum_dx_full" in numbers:
        (full,) = torch.autograd.grad(y.sum(), x)
        assert relative(full, numbers["dsum_dx_full"]) < 1e-10
    if name.startswith("bnu"):
        assert relative(layer.running_var, numbers["running_var_after"]) < 1e-12
        assert torch.equal(layer.running_mean, numbers["running_mean_after"])
        assert layer.num_batches_tracked == numbers["num_batches_after"]


def test_is_the_papers_formula():
    torch.manual_seed(0)
    layer = BcosLinear(7, 3).double()
    x = torch.randn(5, 7, dtype=torch.float64)
    for n in range(5):
        for k in range(3):
            w = layer.linear.weight[k]
            cosine = torch.dot(x[n], w) / (x[n].norm() * w.norm())
            expected = x[n].norm() * cosine.abs() ** 2 * cosine.sign()
            assert layer(x)[n, k].item() == pytest.approx(expected.item(), rel=1e-9)


@given(st.integers(1, 4), st.integers(1, 3), st.booleans(), st.floats(0.1, 10))
def test_convolution_is_a_linear_layer_at_each_patch(kernel, stride, padded, factor):
    torch.manual_seed(kernel)
    padding = kernel // 2 if padded else 0
    conv, linear = BcosConv2d(3, 4, kernel, stride, padding).double(), BcosLinear(3 * kernel**2, 4).double()
    linear.linear.weight.data = conv.linear.weight.data.flatten(1) * factor  # the length of a filter does not matter
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    patches = torch.nn.functional.unfold(x, kernel, padding=padding, stride=stride)  # (2, 3 kernel^2, places)
    expected = linear(patches.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(conv(x).flatten(2), expected, rtol=1e-5, atol=1e-5)


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


# Side of the images: weights of 3 x 3 x 6 x 8 outweigh maps of 2 x 2 pixels, which outweigh those of 9 x 9.
@pytest.mark.parametrize("side", [2, 9])
def test_weights_get_the_gradients_of_all_explanations_and_of_the_logits_whatever_is_asked(side):
    torch.manual_seed(0)
    layer = BcosConv2d(6, 8, 3, 1, 1).double()
    weight = layer.linear.weight
    x = torch.rand(1, 6, side, side, dtype=torch.float64, requires_grad=True)
    directions = torch.randn(2, *x.shape, dtype=torch.float64)

    def terms(*, once):
        """Two explanations and the outputs: from one forward pass, or from one each."""
        found = []
        switched = None
        for number, direction in enumerate(directions):
            if switched is None or not once:
                with switchable_scales() as switch:
                    switched = layer(x)
            with switch.frozen():
                (frozen,) = torch.autograd.grad(switched[:, number].sum(), x, create_graph=True)
            found.append((frozen * direction).sum())
        return [*found, (switched if once else layer(x)).square().sum()]

    expected = [torch.autograd.grad(term, weight)[0] for term in terms(once=False)]
    together = terms(once=True)
    every = {"retain_graph": True}
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(sum(together), weight, **every)[0], sum(expected))
        for term, gradient in zip(together, expected, strict=True):
            torch.testing.assert_close(torch.autograd.grad(term, weight, **every)[0], gradient)


def test_a_loss_on_an_explanation_refuses_to_be_differentiated_twice():
    layer = BcosConv2d(6, 8, 3, 1, 1)
    x = torch.rand(1, 6, 2, 2, requires_grad=True)
    with switchable_scales() as switch:
        y = layer(x)
    with switch.frozen():
        (frozen,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        torch.autograd.grad(frozen.square().sum(), layer.linear.weight, create_graph=True)


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


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (2, 2, 0)])
def test_average_pooling_is_torchs_with_all_derivatives(kernel, stride, padding):
    x = torch.rand(2, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    ours = AveragePool2d(kernel, stride, padding)
    torch.testing.assert_close(ours(x), torch.nn.functional.avg_pool2d(x, kernel, stride, padding))
    assert torch.autograd.gradcheck(ours, x)
    assert torch.autograd.gradgradcheck(ours, x)


def computed(recorded):
    """Names of the operators that autograd called, without those that these called themselves."""
    names = set()
    for event in recorded.events():
        within = event.cpu_parent.name if event.cpu_parent else ""
        if event.name.startswith("aten::") and not within.startswith("aten::"):
            names.add(event.name)
    assert names
    return names
