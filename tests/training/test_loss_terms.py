"""Loss terms and their gradients against those of a training step, by autograd in float64."""

import math

import pytest
import torch
from by_name import method_of
from hypothesis import given
from hypothesis import strategies as st

import e2kd_lab as lab
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.training import loss_terms
from e2kd_lab.training.loss_terms import TermsAtTau, angle_between

FAMILIES = ["resnet_mini", "bcos_resnet_mini"]


def networks(name, classes=4):
    """Student, teacher and images in float64; the networks have seen some images, so that their logits differ."""
    torch.manual_seed(0)
    pair = [lab.build_model(network, classes).double() for network in (name, f"{name}_deep")]
    images = torch.rand(3, 3, 24, 24, dtype=torch.float64)
    with torch.no_grad():
        for network in pair:
            for _ in range(20):
                network.train()(network.preprocess(torch.rand(8, 3, 24, 24, dtype=torch.float64)))
    return pair[0].eval(), pair[1].eval(), images


def gradient(name, student, teacher, images, **values):
    """Loss and gradient of a training step in evaluation mode."""
    method = method_of(name, student, teacher, **values).eval()
    loss = method(images, torch.zeros(len(images)).long())["loss"]
    parts = torch.autograd.grad(loss, list(student.parameters()), materialize_grads=True)
    return loss.item(), torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("multilabel", [False, True])
def test_terms_are_those_of_a_training_step(name, multilabel):
    student, teacher, images = networks(name)
    terms = loss_terms(student, images, lab.explain(teacher, images), multilabel=multilabel)
    lam = 5.0
    for tau in (1.0, 3.0):
        at = terms.at(tau)
        kd, kd_gradient = gradient("kd", student, teacher, images, tau=tau, multilabel=multilabel)
        total, total_gradient = gradient("e2kd", student, teacher, images, tau=tau, lam=lam, multilabel=multilabel)
        pull = (total_gradient - kd_gradient) / lam
        assert at.kd_loss == pytest.approx(kd, rel=1e-9)
        assert at.explanation_loss == pytest.approx((total - kd) / lam, rel=1e-9)
        assert at.loss(lam) == pytest.approx(total, rel=1e-9)
        assert at.kd_gradient == pytest.approx(kd_gradient.norm().item(), rel=1e-9)
        assert at.explanation_gradient == pytest.approx(pull.norm().item(), rel=1e-8)
        assert at.gradient(lam) == pytest.approx(total_gradient.norm().item(), rel=1e-8)
        cosine = (kd_gradient @ pull / (kd_gradient.norm() * pull.norm())).item()
        assert math.cos(math.radians(at.angle)) == pytest.approx(cosine, abs=1e-8)
        assert at.kd_gradient > 1e-6
        assert at.explanation_gradient > 1e-6


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_is_the_mean_of_its_images(name):
    student, teacher, images = networks(name)
    whole = loss_terms(student, images, lab.explain(teacher, images))
    alone = [loss_terms(student, image[None], lab.explain(teacher, image[None])) for image in images]
    for term in ("kd_loss", "explanation_loss"):
        mean = sum(getattr(terms.at(2.0), term) for terms in alone) / len(alone)
        assert getattr(whole.at(2.0), term) == pytest.approx(mean, rel=1e-9)
    torch.testing.assert_close(whole.cosines, torch.cat([terms.cosines for terms in alone]))
    assert whole.at(2.0).explanation_loss == pytest.approx(1 - whole.cosines.mean().item(), rel=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_student_is_left_as_it_was(name):
    student, teacher, images = networks(name)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    target = lab.explain(teacher, images)
    evaluated = loss_terms(student, images, target).at(1.0)
    with torch.no_grad():  # a caller's mode does not matter
        terms = loss_terms(student.train(), images, target)
        assert terms.at(1.0) == evaluated  # evaluation mode meanwhile
    assert student.training
    assert all(parameter.grad is None for parameter in student.parameters())
    assert all(torch.equal(before[key], value) for key, value in student.state_dict().items())
    assert not terms.student.logits.requires_grad
    assert terms.at(1.0) is terms.at(1.0)  # one backward pass a temperature


def test_the_probabilities_are_those_that_the_loss_compares():
    student, teacher, images = networks("resnet_mini")
    target = lab.explain(teacher, images)
    terms = loss_terms(student, images, target)
    p, q = terms.probabilities(2.0)
    assert terms.at(2.0).kd_loss == pytest.approx(4 * (p * (p / q).log()).sum(1).mean().item(), rel=1e-9)
    terms = loss_terms(student, images, target, multilabel=True)
    p, q = terms.probabilities(2.0)
    divergence = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    assert terms.at(2.0).kd_loss == pytest.approx(2 * divergence.sum(1).mean().item(), rel=1e-9)


def test_without_weight_kd_is_left_alone():
    at = TermsAtTau(1.0, kd_loss=0.4, explanation_loss=0.7, kd_gradient=3.0, explanation_gradient=2.0, angle=120.0)
    assert at.loss(0) == 0.4
    assert at.gradient(0) == 3.0
    assert at.in_plane(0) == ((3.0, 0.0), (0.0, 0.0), (3.0, 0.0))
    _, explanation, total = at.in_plane(1.5)
    assert explanation == pytest.approx((-1.5, 1.5 * math.sqrt(3)))
    assert total == pytest.approx((1.5, 1.5 * math.sqrt(3)))


vectors = st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3).map(lambda x: torch.tensor(x, dtype=torch.float64))


@given(vectors, vectors)
def test_angles_are_symmetric_and_between_0_and_180(first, second):
    angle = angle_between(first, second)
    if not first.norm() or not second.norm():
        assert math.isnan(angle)
        return
    assert 0 <= angle <= 180
    assert angle == angle_between(second, first)
    assert angle_between(first, first) == 0
    assert angle + angle_between(first, -second) == pytest.approx(180)


def test_small_angles_are_accurate():
    tilted = torch.tensor([1.0, 1e-9], dtype=torch.float64)  # their cosine rounds to 1
    assert angle_between(torch.tensor([2.0, 0.0], dtype=torch.float64), tilted) == pytest.approx(math.degrees(1e-9))


def test_a_student_that_equals_its_teacher_is_not_pulled():
    student, _, images = networks("bcos_resnet_mini")
    at = loss_terms(student, images, lab.explain(student, images)).at(1.0)
    for value in (at.kd_loss, at.explanation_loss, at.kd_gradient, at.explanation_gradient, at.gradient(10.0)):
        assert value == pytest.approx(0, abs=1e-12)


def test_what_has_no_gradient_is_refused():
    student, teacher, images = networks("resnet_mini")
    target = lab.explain(teacher, images)
    with pytest.raises(ExperimentError, match="All parameters of this ResNetMini are frozen"):
        loss_terms(student.requires_grad_(False), images, target)
    with pytest.raises(ValueError, match="tau > 0"):
        loss_terms(student.requires_grad_(True), images, target).at(0.0)
    with pytest.raises(ValueError, match="maps of one shape"):
        loss_terms(student, images, lab.Explanation(target.logits, target.classes, target.maps.repeat(1, 6, 1, 1)))
