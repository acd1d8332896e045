"""DIST against its formula written out and numpy's correlation."""

import numpy as np
import pytest
import torch

from e2kd_lab.losses import dist_loss


def test_equals_the_formula_by_numpys_correlations():
    torch.manual_seed(0)
    student, teacher = 2 * torch.randn(2, 6, 5, dtype=torch.float64)
    tau = 2.0
    p_s, p_t = ((z / tau).softmax(1).numpy() for z in (student, teacher))
    inter = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p_s, p_t, strict=True)])
    intra = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(p_s.T, p_t.T, strict=True)])
    expected = tau**2 * (1.5 * inter + 3.0 * intra)
    # The authors' 1e-8 in the denominator is all that differs.
    assert dist_loss(student, teacher, 1.5, 3.0, tau).item() == pytest.approx(expected, rel=1e-5)


def test_equals_the_published_formula_and_is_differentiable():
    torch.manual_seed(0)
    student = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(4, 3, dtype=torch.float64)

    def pearson(a, b):
        a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
        return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-8)

    p_s, p_t = student.softmax(1), teacher.softmax(1)
    expected = 2 * (1 - pearson(p_s, p_t).mean()) + 2 * (1 - pearson(p_s.T, p_t.T).mean())
    torch.testing.assert_close(dist_loss(student, teacher), expected)
    assert torch.autograd.gradcheck(lambda z: dist_loss(z, teacher, tau=3.0), student)


def test_is_zero_for_equal_networks_and_finite_for_constant_probabilities():
    torch.manual_seed(0)
    teacher = torch.randn(5, 4, dtype=torch.float64)
    assert dist_loss(teacher, teacher).item() == pytest.approx(0, abs=1e-6)
    student = torch.zeros(5, 4, requires_grad=True)
    loss = dist_loss(student, teacher.float())
    loss.backward()
    assert loss.item() == pytest.approx(4)
    assert student.grad.isfinite().all()


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match="dist_loss needs student and teacher logits of one shape"):
        dist_loss(torch.zeros(2, 3), torch.zeros(2, 4))
