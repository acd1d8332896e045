import pytest
import torch

from e2kd_lab.bench.pairs import Pair, in_double, plain_pair
from e2kd_lab.bench.reference import PlainStep
from e2kd_lab.bench.steps import check_steps
from e2kd_lab.bench.timing import BenchError
from e2kd_lab.explanations import explain

CPU = torch.device("cpu")


@pytest.mark.parametrize("family", ["", "bcos_"])
def test_the_reference_explains_and_trains_as_the_lab_does(family):
    pair = Pair(f"{family}resnet_mini_deep", f"{family}resnet_mini", 5, 32, 4)
    teacher, student = pair.build(CPU)
    check_steps(pair, teacher, student)  # compares losses and gradients
    own_teacher, own_student = in_double(teacher, student)
    plain, _ = plain_pair(own_teacher, own_student)
    images = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    expected = explain(own_teacher, images)
    logits, classes, maps = plain.explained(images, train=False)
    torch.testing.assert_close(logits, expected.logits)
    torch.testing.assert_close(maps, expected.maps)
    assert classes.tolist() == expected.classes.tolist()


def test_a_reference_that_computes_something_else_is_not_timed(monkeypatch):
    monkeypatch.setattr(
        "e2kd_lab.bench.steps.PlainStep",
        lambda name, student, teacher, *, lam, tau: PlainStep(name, student, teacher, lam=1.01 * lam, tau=tau),
    )
    pair = Pair("resnet_mini_deep", "resnet_mini", 5, 32, 4)
    with pytest.raises(BenchError, match="The e2kd step of resnet_mini"):
        check_steps(pair, *pair.build(CPU))
