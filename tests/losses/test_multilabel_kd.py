import json
import math

import pytest
import torch
from golden_weights import GOLDEN
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, kl_divergence

from e2kd_lab.losses import multilabel_kd_loss

CASES = json.loads((GOLDEN / "multilabel_kd.json").read_text())


def two_models(images, classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn(2, images, classes, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("tau", [1, 5])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference_programs_numbers(case, tau):
    student = torch.tensor(case["student_logits"], dtype=torch.float64)
    teacher = torch.tensor(case["teacher_logits"], dtype=torch.float64)
    # The program clamps probabilities to 1e-6 .. 1 - 1e-6; the equation, and this loss, doesn't.
    limit = tau * math.log(1e6 - 1)
    clamped = [logits.clamp(-limit, limit) for logits in (student, teacher)]
    plain, squared = case[f"tau{tau}"]["sum_mean"], case[f"tau{tau}"]["sum_mean_times_T2"]
    assert multilabel_kd_loss(*clamped, tau).item() == pytest.approx(tau * plain, rel=1e-9)
    assert multilabel_kd_loss(*clamped, tau, tau_power=2).item() == pytest.approx(squared, rel=1e-9)


@pytest.mark.parametrize("tau", [0.5, 1.0, 5.0])
def test_equals_the_divergence_of_torchs_binary_distributions(tau):
    student, teacher = two_models(6, 5)
    of_classes = kl_divergence(Bernoulli(logits=teacher / tau), Bernoulli(logits=student / tau))
    expected = tau * of_classes.sum(1).mean()
    assert multilabel_kd_loss(student, teacher, tau).item() == pytest.approx(expected.item(), rel=1e-10)


def test_gradient_equals_finite_differences_and_is_the_difference_of_the_probabilities():
    student, teacher = two_models(3, 4)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: multilabel_kd_loss(z, teacher, 2.0), student)
    assert torch.autograd.gradgradcheck(lambda z: multilabel_kd_loss(z, teacher, 2.0), student)
    (gradient,) = torch.autograd.grad(multilabel_kd_loss(student, teacher, 2.0), student)
    torch.testing.assert_close(gradient, ((student / 2).sigmoid() - (teacher / 2).sigmoid()).detach() / 3)


@given(
    images=st.integers(1, 6),
    classes=st.integers(1, 9),
    tau=st.floats(0.5, 20),
    index=st.integers(0, 1000),
    change=st.floats(0.1, 20),
    seed=st.integers(0, 99),
)
def test_is_zero_for_equal_models_only(images, classes, tau, index, change, seed):
    student, _ = two_models(images, classes, seed)
    assert multilabel_kd_loss(student, student, tau).item() == pytest.approx(0, abs=1e-12)
    teacher = student.clone()
    teacher.view(-1)[index % teacher.numel()] += change
    assert multilabel_kd_loss(student, teacher, tau) > 1e-11


@given(
    images=st.integers(1, 6),
    classes=st.integers(1, 9),
    tau=st.floats(0.5, 20),
    c=st.floats(1, 5),
    seed=st.integers(0, 99),
)
def test_ignores_order_and_the_sign_of_a_class_and_scales_with_temperature(images, classes, tau, c, seed):
    student, teacher = two_models(images, classes, seed)
    loss = multilabel_kd_loss(student, teacher, tau)
    assert loss >= 0
    for order in (torch.randperm(images), torch.arange(images)):
        columns = torch.randperm(classes)
        torch.testing.assert_close(
            multilabel_kd_loss(student[order][:, columns], teacher[order][:, columns], tau), loss
        )
    signs = torch.where(torch.arange(classes) % 2 == 0, 1.0, -1.0)  # "absent" in place of "present"
    torch.testing.assert_close(multilabel_kd_loss(signs * student, signs * teacher, tau), loss)
    torch.testing.assert_close(multilabel_kd_loss(c * student, c * teacher, c * tau), c * loss)
    torch.testing.assert_close(multilabel_kd_loss(student, teacher, tau, tau_power=2), tau * loss)


def test_is_exact_and_finite_for_large_logits_in_single_precision():
    student = torch.tensor([[1e4, -1e4, 1e4, 90.0]], requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 1e4, 91.0]])
    loss = multilabel_kd_loss(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(2e4, rel=1e-6)
    torch.testing.assert_close(student.grad, torch.tensor([[1.0, -1.0, 0.0, 0.0]]))


def test_teacher_receives_no_gradient_and_halves_are_computed_in_float32():
    student, teacher = torch.randn(2, 2, 3).requires_grad_().unbind()
    loss = multilabel_kd_loss(student, teacher)
    assert torch.autograd.grad(loss, teacher, allow_unused=True) == (None,)
    assert multilabel_kd_loss(student.bfloat16(), teacher.bfloat16()).dtype == torch.float32


def test_refuses_other_shapes_temperatures_and_powers():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        multilabel_kd_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="tau > 0, got 0"):
        multilabel_kd_loss(torch.zeros(2, 3), torch.zeros(2, 3), 0)
    with pytest.raises(ValueError, match="tau_power 1 or 2, got 3"):
        multilabel_kd_loss(torch.zeros(2, 3), torch.zeros(2, 3), tau_power=3)
