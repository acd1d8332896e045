import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from e2kd_lab.losses import kd_loss

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "kd_softmax.json").read_text())


@pytest.mark.parametrize("case", GOLDEN)
def test_equals_the_reference_programs_numbers(case):
    student = torch.tensor(case["student_logits"], dtype=torch.float64)
    teacher = torch.tensor(case["teacher_logits"], dtype=torch.float64)
    for tau in (1, 5):
        assert kd_loss(student, teacher, tau).item() == pytest.approx(case[f"tau{tau}"], rel=1e-9)


def test_equals_the_formula_written_out():
    torch.manual_seed(0)
    student, teacher = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 5, dtype=torch.float64)
    tau, total = 3.0, 0.0
    for s, t in zip(student, teacher, strict=True):
        p_s, p_t = torch.softmax(s / tau, 0), torch.softmax(t / tau, 0)
        total += sum(p_t[k] * (p_t[k].log() - p_s[k].log()) for k in range(5))
    assert kd_loss(student, teacher, tau).item() == pytest.approx(tau**2 * float(total) / 7, rel=1e-12)


def test_gradient_is_that_of_the_papers_cross_entropy_form():
    torch.manual_seed(0)
    student = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(4, 6, dtype=torch.float64)
    (ours,) = torch.autograd.grad(kd_loss(student, teacher, 5.0), student)
    paper = 25 * F.cross_entropy(student / 5, torch.softmax(teacher / 5, 1))  # Eq. 1 without the teacher's entropy
    (expected,) = torch.autograd.grad(paper, student)
    torch.testing.assert_close(ours, expected)


def test_gradient_equals_finite_differences():
    torch.manual_seed(1)
    student = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(3, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: kd_loss(z, teacher, 2.0), student)


@given(
    classes=st.integers(2, 9),
    images=st.integers(1, 6),
    tau=st.floats(0.5, 20),
    shift=st.floats(-50, 50),
    seed=st.integers(0, 99),
)
def test_is_zero_for_equal_models_and_ignores_shifts(classes, images, tau, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, images, classes, generator=generator, dtype=torch.float64) * 4
    assert kd_loss(student, teacher, tau) >= -1e-12
    assert kd_loss(teacher + shift, teacher, tau).item() == pytest.approx(0, abs=1e-9)
    assert kd_loss(student + shift, teacher, tau).item() == pytest.approx(
        kd_loss(student, teacher, tau).item(), abs=1e-8
    )


def test_teacher_receives_no_gradient_and_halves_are_computed_in_float32():
    student = torch.randn(2, 3, requires_grad=True)
    teacher = torch.randn(2, 3, requires_grad=True)
    kd_loss(student, teacher).backward()
    assert teacher.grad is None
    assert kd_loss(student.bfloat16(), teacher.bfloat16()).dtype == torch.float32


def test_refuses_other_shapes_and_temperatures():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        kd_loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="tau > 0, got 0"):
        kd_loss(torch.zeros(2, 3), torch.zeros(2, 3), 0)
