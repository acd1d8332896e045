"""B-cos layers: golden numbers of the reference program, the formula, scales in both kinds of backward pass."""

import pytest
import torch
from bcos_layer_cases import CASES, golden
from golden_weights import relative
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.models.bcos_layers import AveragePool2d, BcosConv2d, BcosLinear
from e2kd_lab.models.dynamic_scales import switchable_scales


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


def test_with_b_of_one_it_is_linear_with_unit_weights():
    torch.manual_seed(0)
    layer, x = BcosLinear(7, 3, b=1.0), torch.randn(5, 7)
    torch.testing.assert_close(layer(x), x @ torch.nn.functional.normalize(layer.linear.weight).T)


def test_padding_beyond_half_the_kernel_is_refused():
    with pytest.raises(ValueError, match="padding <= kernel_size / 2, got 2 and 3"):
        BcosConv2d(3, 4, 3, padding=2)


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


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 1), (2, 2, 0)])
def test_average_pooling_is_torchs_with_all_derivatives(kernel, stride, padding):
    x = torch.rand(2, 3, 7, 7, dtype=torch.float64, requires_grad=True)
    ours = AveragePool2d(kernel, stride, padding)
    torch.testing.assert_close(ours(x), torch.nn.functional.avg_pool2d(x, kernel, stride, padding))
    assert torch.autograd.gradcheck(ours, x)
    assert torch.autograd.gradgradcheck(ours, x)
