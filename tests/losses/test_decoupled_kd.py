"""DKD against its formula written out and against the published formula."""

import pytest
import torch
from torch.nn import functional as F

from e2kd_lab.losses import dkd_loss, kd_loss


@pytest.fixture
def case():
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 7, 5, dtype=torch.float64)
    return student.requires_grad_(), teacher, torch.tensor([0, 4, 2, 2, 1, 3, 0])


def test_equals_the_formula_written_out(case):
    student, teacher, labels = case
    student, tau, total = student.detach(), 3.0, 0.0
    for s, t, k in zip(student, teacher, labels.tolist(), strict=True):
        p_s, p_t = ((z / tau).exp() / (z / tau).exp().sum() for z in (s, t))
        tckd = p_t[k] * (p_t[k] / p_s[k]).log() + (1 - p_t[k]) * ((1 - p_t[k]) / (1 - p_s[k])).log()
        nckd = 0.0
        for i in set(range(5)) - {k}:
            hat_s, hat_t = p_s[i] / (1 - p_s[k]), p_t[i] / (1 - p_t[k])
            nckd += hat_t * (hat_t / hat_s).log()
        total += tau**2 * (1.5 * tckd + 6.0 * nckd)
    assert dkd_loss(student, teacher, labels, 1.5, 6.0, tau).item() == pytest.approx(float(total) / 7, rel=1e-12)


def test_equals_the_published_formula_with_masks(case):
    student, teacher, labels = case
    own, tau = F.one_hot(labels, 5).double(), 4.0
    p_s, p_t = (F.softmax(z / tau, 1) for z in (student, teacher))
    two_s, two_t = (torch.stack([(p * own).sum(1), (p * (1 - own)).sum(1)], 1) for p in (p_s, p_t))
    tckd = F.kl_div(two_s.log(), two_t, reduction="batchmean")
    rest_s, rest_t = F.log_softmax(student / tau - 1000 * own, 1), F.softmax(teacher / tau - 1000 * own, 1)
    expected = tau**2 * (tckd + 8 * F.kl_div(rest_s, rest_t, reduction="batchmean"))
    ours = dkd_loss(student, teacher, labels)
    torch.testing.assert_close(ours, expected)
    grads = [torch.autograd.grad(loss, student)[0] for loss in (ours, expected)]
    torch.testing.assert_close(*grads)


def test_it_is_kd_with_the_papers_weights(case):
    student, teacher, labels = (one[:1] for one in case)  # for one image beta is a number
    rest = 1 - F.softmax(teacher / 2, 1)[0, labels[0]].item()
    torch.testing.assert_close(dkd_loss(student, teacher, labels, 1.0, rest, 2.0), kd_loss(student, teacher, 2.0))


def test_confident_logits_stay_finite():
    student = torch.tensor([[500.0, 0.0, -500.0]], requires_grad=True)
    loss = dkd_loss(student, torch.tensor([[0.0, 300.0, 0.0]]), torch.tensor([1]))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_refuses_mixed_labels_and_temperatures(case):
    student, teacher, labels = case
    with pytest.raises(ValueError, match="one class index an image"):
        dkd_loss(student, teacher, F.one_hot(labels, 5).float())
    with pytest.raises(ValueError, match="dkd_loss needs a temperature tau > 0, got 0"):
        dkd_loss(student, teacher, labels, tau=0)
    assert dkd_loss(student.bfloat16(), teacher.bfloat16(), labels).dtype == torch.float32
