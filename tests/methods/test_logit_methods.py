"""DKD, DIST and logit standardisation: their formula, and e2KD's explanation loss added to each by one argument."""

import pytest
import torch
from torch.nn import functional as F

import e2kd_lab as lab
from e2kd_lab import build_model, explain
from e2kd_lab.losses import dist_loss, dkd_loss, explanation_loss, kd_loss, standardised_kd_loss
from e2kd_lab.methods import METHODS, LogitDistiller, build_method, defaults_of
from e2kd_lab.system.errors import ExperimentError

LOGIT_METHODS = [name for name, kind in METHODS.items() if issubclass(kind, LogitDistiller)]


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return build_model("resnet_mini", 3).eval(), build_model("resnet_mini", 3).eval()


@pytest.fixture
def batch():
    torch.manual_seed(1)
    return torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])


def test_each_method_is_its_formula(pair, batch):
    images, labels = batch
    z_s, z_t = (model(model.preprocess(images)) for model in pair)
    label_loss = F.cross_entropy(z_s, labels)
    expected = {
        "kd_labels": label_loss + kd_loss(z_s, z_t),
        "dkd": label_loss + dkd_loss(z_s, z_t, labels, 1, 8, 4) * 0.01,  # the first of 100 steps of warm-up
        "dist": label_loss + dist_loss(z_s, z_t, 2, 2, 1),
        "logit_standardisation": 0.1 * label_loss + 9 * standardised_kd_loss(z_s, z_t, 2),
        "e2kd": kd_loss(z_s, z_t) + 5 * explanation_loss(
            explain(pair[0], images, z_t.argmax(1)).maps, explain(pair[1], images).maps
        ),
    }  # fmt: skip
    assert expected.keys() == set(LOGIT_METHODS)
    for name, value in expected.items():
        torch.testing.assert_close(build_method(name, *pair).eval()(images, labels)["loss"], value)


@pytest.mark.parametrize("explanation", ["gradcam", "layercam", "input_x_gradient"])
@pytest.mark.parametrize("name", LOGIT_METHODS)
def test_one_argument_adds_the_explanation_loss(pair, batch, name, explanation):
    options = {"lam": 0.0} if name == "e2kd" else {}
    plain = build_method(name, *pair, explanation=explanation, **options).eval()(*batch, step=7)
    both = build_method(name, *pair, lam=3.0, explanation=explanation).eval()(*batch, step=7)
    torch.testing.assert_close(both["loss"], plain["loss"] + 3 * both["explanation_loss"])
    assert both["explanation_loss"] > 0
    assert ("explanation_loss" in plain) == (name == "e2kd")
    both["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in pair[0].parameters())


def test_warm_up_ends_and_may_be_none(pair, batch):
    losses = {
        (steps, step): build_method("dkd", *pair, warmup_steps=steps).eval()(*batch, step=step)
        for steps, step in ((10, 4), (10, 9), (10, 50), (0, 0))
    }
    kd, label_loss = (losses[0, 0][name] for name in ("kd_loss", "label_loss"))
    for key, weight in (((10, 4), 0.5), ((10, 9), 1), ((10, 50), 1), ((0, 0), 1)):
        torch.testing.assert_close(losses[key]["loss"], label_loss + weight * kd)


def test_without_explanations_networks_need_not_be_comparable(batch):
    student, teacher = build_model("resnet_mini", 3), build_model("bcos_resnet_mini", 3)
    assert build_method("dist", student, teacher)(*batch)["loss"] > 0
    with pytest.raises(ExperimentError, match="these maps cannot be compared"):
        build_method("dist", student, teacher, lam=1.0)


@pytest.mark.parametrize("name", ["dkd", "dist", "logit_standardisation"])
def test_images_of_several_classes_are_refused(pair, name):
    with pytest.raises(ExperimentError, match="compares softmax probabilities, but images may show several classes"):
        build_method(name, *pair, multilabel=True)
    weight = next(name for name in defaults_of(name) if name in ("alpha", "beta", "kd_weight"))
    with pytest.raises(ExperimentError, match=f"'{weight}' is -1"):
        build_method(name, *pair, **{weight: -1.0})


def test_labels_of_mixup_are_refused_by_the_one_that_needs_a_class(pair, batch):
    images, labels = batch
    mixed = F.one_hot(labels, 3).float()
    with pytest.raises(ExperimentError, match="'dkd' needs one class an image, but the labels are mixed"):
        build_method("dkd", *pair)(images, mixed)
    assert build_method("dist", *pair)(images, mixed)["loss"] > 0


def test_standardised_logits_of_two_classes_are_refused(batch):
    pair = build_model("resnet_mini", 2), build_model("resnet_mini", 2)
    with pytest.raises(ExperimentError, match="standardised logits of two classes are constants"):
        build_method("logit_standardisation", *pair)(batch[0], torch.zeros(4).long())


def test_titles_show_the_weight_where_something_is_explained():
    base = lab.experiments.get("waterbirds", "smoke")
    assert "λ" not in base.replace(method="kd_labels").title
    assert "DKD, λ = 2, τ = 4, alpha = 1, beta = 8" in base.replace(method="dkd", lam=2.0).title
    assert "e²KD, λ = 0, τ = 1" in base.replace(method="e2kd", lam=0.0).title
