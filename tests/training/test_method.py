import pytest
import torch
from torch.nn import functional as F

from e2kd_lab import build_model, explain
from e2kd_lab.errors import ExperimentError
from e2kd_lab.losses import explanation_loss, kd_loss
from e2kd_lab.training import Method


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return build_model("resnet_mini", 3).eval(), build_model("resnet_mini", 3).eval()


def test_each_method_is_its_formula(pair):
    student, teacher = pair
    images, labels = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    z_s, z_t = student(student.preprocess(images)), teacher(teacher.preprocess(images))
    kd = kd_loss(z_s, z_t, 5.0)
    maps = explain(student, images, z_t.argmax(1)).maps, explain(teacher, images).maps
    expected = {
        "baseline": F.cross_entropy(z_s, labels),
        "kd": kd,
        "e2kd": kd + 3 * explanation_loss(*maps),
    }
    for name, value in expected.items():
        loss = Method(name, student, teacher, lam=3.0, tau=5.0).eval()(images, labels)["loss"]
        torch.testing.assert_close(loss, value)


def test_distillation_does_not_look_at_labels_and_leaves_the_teacher_alone(pair):
    student, teacher = pair
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    method = Method("e2kd", student, teacher, lam=5.0).train()
    assert not teacher.training
    images = torch.rand(4, 3, 32, 32)
    losses = [method.eval()(images, labels)["loss"] for labels in (torch.zeros(4).long(), torch.ones(4).long())]
    assert losses[0] == losses[1]
    method.train()(images, torch.zeros(4).long())["loss"].backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(before[key], value) for key, value in teacher.state_dict().items())
    assert not any(key.startswith("teacher") for key in method.state_dict())


def test_refuses_what_does_not_exist(pair):
    with pytest.raises(ExperimentError, match="no method 'magic'"):
        Method("magic", pair[0])
    with pytest.raises(ExperimentError, match="'kd' distils from a teacher"):
        Method("kd", pair[0])
    with pytest.raises(ExperimentError, match="tau = 0"):
        Method("kd", *pair, tau=0)
