import copy

import pytest
import torch
from by_name import method_of
from torch.nn import functional as F

from e2kd_lab import build_model, explain
from e2kd_lab.explanations import explanation_of
from e2kd_lab.losses import attention_transfer_loss, class_attention_loss, explanation_loss, kd_loss
from e2kd_lab.methods import E2KD
from e2kd_lab.system.errors import ExperimentError


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
        loss = method_of(name, student, teacher, lam=3.0, tau=5.0).eval()(images, labels)["loss"]
        torch.testing.assert_close(loss, value)


def test_prior_methods_are_label_loss_plus_feature_loss(pair):
    student, teacher = pair
    images, labels = torch.rand(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    x = student.preprocess(images)
    label_loss = F.cross_entropy(student(x), labels)
    own, other = ([torch.relu(stage) for stage in model.forward_stages(x)] for model in pair)
    cams = [model.class_maps(model.forward_features(x)) for model in pair]
    expected = {
        "at": label_loss + 3 * attention_transfer_loss(own, other),
        "catkd": label_loss + 3 * class_attention_loss(*cams),
    }
    for name, value in expected.items():
        losses = method_of(name, student, teacher, lam=3.0).eval()(images, labels)
        torch.testing.assert_close(losses["loss"], value)
        torch.testing.assert_close(losses["label_loss"], label_loss)
    # A student that is its own teacher has nothing to match.
    assert method_of("at", student, student).eval()(images, labels)["feature_loss"].item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("student", "teacher"),
    [
        ("resnet_mini", "resnet_mini"),
        ("resnet18", "resnet34"),
        ("resnet18", "resnet50"),
        ("resnet18", "densenet169"),
        ("bcos_resnet_mini", "bcos_densenet_mini"),
        ("bcos_densenet_mini", "bcos_resnet_mini"),
        ("bcos_resnet18", "bcos_densenet169"),
        ("bcos_resnet18", "bcos_resnet34"),
    ],
)
@pytest.mark.parametrize("name", ["at", "reviewkd", "catkd"])
def test_prior_methods_fit_any_pair_of_cnns(name, student, teacher):
    torch.manual_seed(0)
    method = method_of(name, build_model(student, 3), build_model(teacher, 3), lam=1.0).train()
    losses = method(torch.rand(2, 3, 64, 64), torch.tensor([0, 2]))
    losses["loss"].backward()
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["feature_loss"] > 0
    # All that is trained gets a gradient; the fusion of ReviewKD is trained, but no part of the student.
    assert all(parameter.grad is not None for parameter in method.parameters())
    assert any(key.startswith("fusion.") for key in method.state_dict()) == (name == "reviewkd")


@pytest.mark.parametrize("name", ["at", "reviewkd", "catkd"])
def test_prior_methods_refuse_transformers_with_a_sentence(name):
    student, teacher = build_model("bcos_vit_mini", 3), build_model("bcos_densenet_mini", 3)
    with pytest.raises(ExperimentError, match=r"BcosViT has no (stages|class activation maps)"):
        method_of(name, student, teacher)


def test_distillation_does_not_look_at_labels_and_leaves_the_teacher_alone(pair):
    student, teacher = pair
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    method = method_of("e2kd", student, teacher, lam=5.0).train()
    assert not teacher.training
    images = torch.rand(4, 3, 32, 32)
    losses = [method.eval()(images, labels)["loss"] for labels in (torch.zeros(4).long(), torch.ones(4).long())]
    assert losses[0] == losses[1]
    method.train()(images, torch.zeros(4).long())["loss"].backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(before[key], value) for key, value in teacher.state_dict().items())
    assert not any(key.startswith("teacher") for key in method.state_dict())


@pytest.mark.parametrize("name", ["resnet_mini", "bcos_resnet_mini", "bcos_densenet_mini", "bcos_vit_mini"])
def test_half_precision_gives_nearly_the_same_gradient(name):
    torch.manual_seed(0)
    student, teacher = build_model(name, 3), build_model(name, 3)
    method, images = method_of("e2kd", student, teacher, lam=5.0).train(), torch.rand(8, 3, 32, 32)
    gradients = []
    for half in (False, True):
        method.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            losses = method(images, torch.zeros(8).long())
        assert losses["loss"].dtype == torch.float32
        losses["loss"].backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in student.parameters()]))
    assert F.cosine_similarity(*gradients, dim=0) > 0.95


@pytest.mark.parametrize("prefix", ["", "bcos_"])
def test_a_teacher_that_explains_in_parts_teaches_the_same(monkeypatch, prefix):
    torch.manual_seed(0)
    student, teacher = (build_model(f"{prefix}resnet_mini", 3).double() for _ in range(2))
    images = torch.rand(5, 3, 32, 32, dtype=torch.float64)
    method = method_of("e2kd", student, teacher, lam=3.0)
    whole = method(images, None)["loss"]
    monkeypatch.setattr(type(explanation_of(teacher)), "pixels_at_once", 2 * 32**2)
    torch.testing.assert_close(method(images, None)["loss"], whole)


def test_refuses_what_does_not_exist(pair):
    with pytest.raises(ExperimentError, match="no method 'magic'"):
        method_of("magic", pair[0])
    with pytest.raises(ExperimentError, match="'kd' distils from a teacher"):
        method_of("kd", pair[0])
    with pytest.raises(ExperimentError, match="tau = 0"):
        method_of("kd", *pair, tau=0)


@pytest.mark.parametrize("family", ["", "bcos_"])
def test_explanations_on_some_steps_are_kd_on_the_others_and_the_same_on_average(family):
    torch.manual_seed(0)
    student, teacher = (build_model(f"{family}resnet_mini", 3).double() for _ in range(2))
    images, labels = torch.rand(6, 3, 16, 16, dtype=torch.float64), torch.zeros(6).long()

    def gradient(step, **values):
        method = method_of(values.pop("name", "e2kd"), student, teacher, lam=2.0, **values).eval()
        losses = method(images, labels, step=step)
        return losses, torch.autograd.grad(losses["loss"], next(student.parameters()))[0]

    always, never = gradient(0), gradient(0, name="kd")
    some = [gradient(step, explain_every=3) for step in range(6)]
    for step in (1, 2, 4, 5):
        torch.testing.assert_close(some[step][1], never[1], rtol=0, atol=0)
        assert "explanation_loss" not in some[step][0]
    torch.testing.assert_close(sum(gradient for _, gradient in some) / 6, always[1])
    mean = sum(losses.get("explanation_loss", 0) for losses, _ in some) / 6
    torch.testing.assert_close(mean, always[0]["explanation_loss"])


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("family", ["", "bcos_"])
def test_a_part_of_the_batch_is_explained_and_all_of_it_is_distilled(family, live):
    torch.manual_seed(0)
    student, teacher = (build_model(f"{family}resnet_mini", 3).double() for _ in range(2))
    images, labels = torch.rand(6, 3, 16, 16, dtype=torch.float64), torch.zeros(6).long()
    known = explain(teacher.eval(), images)
    frozen = None if live else (known.logits, known.maps)
    whole, first = (
        method_of("e2kd", student, teacher, lam=2.0).eval()(part, labels, None if live else (logits, maps))
        for part, logits, maps in ((images, known.logits, known.maps), (images[:2], known.logits[:2], known.maps[:2]))
    )
    part = method_of("e2kd", student, teacher, lam=2.0, explain_part=0.3).eval()(images, labels, frozen)
    # In evaluation mode images do not see each other.
    torch.testing.assert_close(part["kd_loss"], whole["kd_loss"])
    torch.testing.assert_close(part["explanation_loss"], first["explanation_loss"])
    torch.testing.assert_close(part["loss"], part["kd_loss"] + 2 * part["explanation_loss"])
    least = method_of("e2kd", student, teacher, lam=2.0, explain_part=1e-6).eval()(images, labels, frozen)
    assert least["explanation_loss"] > 0  # of one image


@pytest.mark.parametrize("family", ["", "bcos_"])
def test_running_statistics_are_those_of_whole_batches_seen_once(family):
    torch.manual_seed(0)
    teacher, student = (build_model(f"{family}resnet_mini", 3) for _ in range(2))
    images, labels = torch.rand(6, 3, 16, 16), torch.zeros(6).long()
    other = copy.deepcopy(student)
    method_of("kd", student, teacher).train()(images, labels)
    method_of("e2kd", other, teacher, lam=2.0, explain_part=0.3).train()(images, labels)["loss"].backward()
    for (name, buffer), expected in zip(other.named_buffers(), student.buffers(), strict=True):
        torch.testing.assert_close(buffer, expected, msg=name)


def test_refuses_shares_that_leave_nothing():
    pair = build_model("resnet_mini", 2), build_model("resnet_mini", 2)
    with pytest.raises(ExperimentError, match="'explain_every' is 0; expected at least 1"):
        method_of("e2kd", *pair, explain_every=0)
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(ExperimentError, match="'explain_part' is"):
            method_of("e2kd", *pair, explain_part=share)


def test_an_explanation_may_be_chosen_for_both_networks():
    torch.manual_seed(0)
    student, teacher = build_model("resnet_mini", 3), build_model("bcos_resnet_mini", 3)
    with pytest.raises(ExperimentError, match=r"GradCAM, the teacher BcosResNet by W\(x\), and these maps cannot"):
        E2KD(student, teacher)
    images = torch.rand(4, 3, 32, 32)
    losses = E2KD(student, teacher, lam=5.0, explanation="gradcam")(images)
    maps = (explain(model, images, teacher(teacher.preprocess(images)).argmax(1)).maps for model in (student, teacher))
    assert losses["explanation_loss"].item() == pytest.approx(explanation_loss(*maps).item(), abs=1e-6)
    with pytest.raises(ExperimentError, match=r"ResNetMini is not a B-cos network"):
        E2KD(student, teacher, explanation="bcos")


def test_images_that_are_not_rgb_in_the_unit_range_are_refused(pair):
    student, teacher = pair
    for images, says in (
        (torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8), "are torch.uint8; expected floating point"),
        (torch.randn(2, 3, 32, 32), r"have values from -.* to .*; expected RGB in \[0, 1\]"),
        (torch.rand(2, 1, 32, 32), "have the shape"),
    ):
        with pytest.raises(ExperimentError, match=says):
            E2KD(student, teacher)(images)
        with pytest.raises(ExperimentError, match=says):
            explain(student, images)


def test_a_network_that_is_none_of_the_labs_is_told_the_door(pair):
    with pytest.raises(ExperimentError, match=r"got a Linear; expected a network of .* or lab\.adapt"):
        E2KD(torch.nn.Linear(2, 2), pair[1])
    with pytest.raises(ExperimentError, match=r"Linear is no network of the lab; expected lab\.build_model"):
        explain(torch.nn.Linear(2, 2), torch.rand(1, 3, 8, 8))
