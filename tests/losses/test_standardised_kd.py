"""KD on standardised logits against the published formula."""

import pytest
import torch
from torch.nn import functional as F

from e2kd_lab.losses import kd_loss, standardised_kd_loss


def test_equals_the_published_formula_but_for_the_teachers_entropy():
    torch.manual_seed(0)
    student = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    teacher, tau = 4 * torch.randn(5, 6, dtype=torch.float64) + 3, 2.0
    z_s, z_t = ((z - z.mean(-1, keepdim=True)) / (1e-7 + z.std(-1, keepdim=True)) for z in (student, teacher))
    expected = F.kl_div(F.log_softmax(z_s / tau, 1), F.softmax(z_t / tau, 1), reduction="none").sum(1).mean() * tau**2
    ours = standardised_kd_loss(student, teacher)
    torch.testing.assert_close(ours, expected)
    grads = [torch.autograd.grad(loss, student, retain_graph=True)[0] for loss in (ours, expected)]
    torch.testing.assert_close(*grads)
    rows = []
    for s, t in zip(student.detach(), teacher, strict=True):
        z_s, z_t = ((z - z.sum() / 6) / ((z - z.sum() / 6).square().sum() / 5).sqrt() for z in (s, t))
        rows.append(kd_loss(z_s[None], z_t[None], tau))
    assert ours.item() == pytest.approx(torch.stack(rows).mean().item(), rel=1e-6)


def test_ignores_size_and_place_of_logits():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, 5, dtype=torch.float64)
    before = standardised_kd_loss(student, teacher).item()
    assert standardised_kd_loss(9 * student + 2, teacher / 3).item() == pytest.approx(before, rel=1e-5)


def test_equal_logits_have_a_finite_gradient():
    student = torch.zeros(2, 3, requires_grad=True)
    standardised_kd_loss(student, torch.randn(2, 3)).backward()
    assert student.grad.isfinite().all()
