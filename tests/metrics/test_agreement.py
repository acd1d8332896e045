import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional import cosine_similarity
from torchmetrics.functional.classification import multiclass_accuracy

from e2kd_lab.metrics import agreement, dead_maps, explanation_cosine


@given(images=st.integers(1, 40), classes=st.integers(2, 7), seed=st.integers(0, 99))
def test_agreement_equals_torchmetrics_accuracy_with_the_teacher_as_target(images, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, images, classes, generator=generator)
    expected = multiclass_accuracy(student, teacher.argmax(1), classes, average="micro").item()
    assert agreement(student, teacher) == pytest.approx(expected, abs=1e-6)
    assert agreement(teacher, teacher) == 1


def test_agreement_refuses_no_images():
    with pytest.raises(ValueError, match="N >= 1"):
        agreement(torch.zeros(0, 3), torch.zeros(0, 3))


def test_explanation_cosine_equals_torchmetrics():
    student, teacher = torch.rand(2, 9, 2, 5, 5)
    expected = cosine_similarity(student.flatten(1), teacher.flatten(1), reduction="none")
    torch.testing.assert_close(explanation_cosine(student, teacher), expected)


def test_dead_maps_are_those_without_any_value():
    maps = torch.zeros(3, 1, 4, 4)
    maps[1, 0, 2, 2] = 1e-30
    assert dead_maps(maps).tolist() == [True, False, True]
    assert explanation_cosine(maps, torch.ones_like(maps))[0] == 0
