"""Losses of prior methods against plain loops, and what they must not depend on."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from e2kd_lab.losses import attention_transfer_loss, class_attention_loss, review_kd_loss


def stages(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def pooled(plane, rows, columns):
    """Average of equal blocks, written out; for sizes that divide."""
    height, width = plane.shape
    a, b = height // rows, width // columns
    blocks = [plane[i * a : (i + 1) * a, j * b : (j + 1) * b].mean() for i in range(rows) for j in range(columns)]
    return torch.stack(blocks).view(rows, columns)


def test_attention_transfer_equals_a_plain_loop():
    student, teacher = stages((2, 3, 8, 8), (2, 5, 4, 4)), stages((2, 6, 8, 8), (2, 7, 8, 8), seed=1)
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        differences = []
        for n in range(2):
            side = min(s.shape[2], t.shape[2])
            maps = [pooled((f[n] ** 2).mean(0), side, side).flatten() for f in (s, t)]
            a, b = (m / m.norm() for m in maps)
            differences.append((a - b) ** 2)
        total += torch.stack(differences).mean().item()
    assert attention_transfer_loss(student, teacher).item() == pytest.approx(total, rel=1e-12)


def test_class_attention_equals_a_plain_loop():
    student, teacher = stages((2, 3, 4, 4), (2, 3, 8, 8))
    total = 0.0
    for n in range(2):
        for k in range(3):
            a, b = (pooled(maps[n, k], 2, 2).flatten() for maps in (student, teacher))
            total += ((a / a.norm() - b / b.norm()) ** 2).sum().item()
    assert class_attention_loss(student, teacher).item() == pytest.approx(total / (2 * 3 * 4), rel=1e-12)


def test_review_equals_a_plain_loop():
    shapes = ((2, 3, 8, 8), (2, 4, 4, 4), (2, 5, 2, 2), (2, 6, 1, 1))
    student, teacher = stages(*shapes), stages(*shapes, seed=1)
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        level, weights, weight = ((s - t) ** 2).mean(), 1.0, 1.0
        for size in (4, 2, 1):
            if size < s.shape[2]:
                weight *= 0.5
                blocks = [
                    torch.stack([torch.stack([pooled(plane, size, size) for plane in f[n]]) for n in range(2)])
                    for f in (s, t)
                ]
                level, weights = level + weight * ((blocks[0] - blocks[1]) ** 2).mean(), weights + weight
        total += (level / weights).item()
    assert review_kd_loss(student, teacher).item() == pytest.approx(total, rel=1e-12)


@given(st.floats(0.01, 100), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))
def test_attention_does_not_see_scale_sign_or_order_of_channels(factor, channels, own, other):
    (student,), (teacher,) = stages((2, channels, own, own)), stages((2, 3, other, other), seed=1)
    loss = attention_transfer_loss([student], [teacher])
    changed = attention_transfer_loss([-factor * student.flip(1)], [teacher])
    torch.testing.assert_close(loss, changed)
    side = min(own, other)
    assert 0 <= loss.item() <= 2 / side**2 + 1e-12
    assert attention_transfer_loss([teacher], [teacher]).item() == pytest.approx(0, abs=1e-15)


@given(st.floats(0.01, 100), st.integers(1, 5), st.integers(1, 6))
def test_class_attention_does_not_see_the_scale_of_a_class(factor, classes, side):
    student, teacher = stages((2, classes, side, side), (2, classes, 4, 4))
    scaled = student.clone()
    scaled[:, 0] *= factor
    torch.testing.assert_close(class_attention_loss(scaled, teacher), class_attention_loss(student, teacher))
    assert 0 <= class_attention_loss(student, teacher) <= 1
    assert class_attention_loss(-teacher, teacher).item() == pytest.approx(1, rel=1e-6)  # the far end of the range


def test_teachers_are_constants_and_students_learn():
    for loss in (attention_transfer_loss, review_kd_loss):
        (student,), (teacher,) = stages((2, 3, 4, 4)), stages((2, 3, 4, 4), seed=1)
        student.requires_grad_()
        teacher.requires_grad_()
        loss([student], [teacher]).backward()
        assert teacher.grad is None
        assert student.grad.abs().max() > 0


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="got 1 and 2"):
        attention_transfer_loss(stages((1, 1, 2, 2)), stages((1, 1, 2, 2), (1, 1, 2, 2)))
    with pytest.raises(ValueError, match=r"equal shapes, got \(1, 1, 2, 2\) and \(1, 2, 2, 2\)"):
        review_kd_loss(stages((1, 1, 2, 2)), stages((1, 2, 2, 2)))
    with pytest.raises(ValueError, match="same N and K"):
        class_attention_loss(torch.zeros(1, 2, 2, 2), torch.zeros(1, 3, 2, 2))


def test_finite_under_half_precision():
    halves = [stage.half() for stage in stages((2, 3, 4, 4))]
    assert math.isfinite(attention_transfer_loss(halves, halves).item())
    assert attention_transfer_loss(halves, halves).dtype == torch.float32
