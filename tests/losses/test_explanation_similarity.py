import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.losses import explanation_loss


def test_equals_the_formula_written_out():
    torch.manual_seed(0)
    student, teacher = torch.rand(2, 5, 1, 4, 6, dtype=torch.float64)
    cosines = [
        torch.dot(s.flatten(), t.flatten()) / (s.norm() * t.norm()) for s, t in zip(student, teacher, strict=True)
    ]
    assert explanation_loss(student, teacher).item() == pytest.approx(1 - float(sum(cosines)) / 5, rel=1e-12)


@given(scale=st.floats(1e-3, 1e3), channels=st.integers(1, 6), seed=st.integers(0, 99))
def test_ignores_length_and_lies_between_zero_and_two(scale, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, 3, channels, 5, 5, generator=generator, dtype=torch.float64)
    loss = explanation_loss(student, teacher).item()
    assert 0 <= loss <= 2
    assert explanation_loss(scale * student, teacher).item() == pytest.approx(loss, abs=1e-9)
    assert explanation_loss(scale * teacher, teacher).item() == pytest.approx(0, abs=1e-9)
    assert explanation_loss(-teacher, teacher).item() == pytest.approx(2, abs=1e-9)


def test_gradient_equals_finite_differences():
    torch.manual_seed(1)
    student = torch.rand(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    teacher = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda maps: explanation_loss(maps, teacher), student)


def test_a_dead_map_has_loss_one_and_a_finite_gradient():
    dead = torch.zeros(1, 1, 4, 4, requires_grad=True)
    loss = explanation_loss(torch.relu(dead - 1), torch.rand(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == 1
    assert torch.isfinite(dead.grad).all()


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 4\) and \(2, 6, 4, 4\)"):
        explanation_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 6, 4, 4))
