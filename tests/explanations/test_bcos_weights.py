"""B-cos explanations: golden numbers, completeness, and the true gradient of a loss on them."""

import threading

import numpy as np
import pytest
import torch
from by_name import method_of
from golden_weights import GOLDEN, fill, images, relative

from e2kd_lab import build_model, explain
from e2kd_lab.explanations import contribution_maps
from e2kd_lab.losses import explanation_loss, kd_loss
from e2kd_lab.models import model_names
from e2kd_lab.system.errors import ExperimentError

MINIS = [name for name in model_names() if name.startswith("bcos") and name.endswith("mini")]


@pytest.fixture(scope="module")
def student():
    return fill(build_model("bcos_resnet18", 10), 1000, bcos=True)


@pytest.fixture(scope="module")
def teacher():
    return fill(build_model("bcos_resnet50", 10), 2000, bcos=True)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_equals_the_reference_program(name, student, teacher):
    model, golden = {"resnet18": student, "resnet50": teacher}[name], np.load(GOLDEN / f"bcos_{name}.npz")
    assert relative(sum(v.sum() for v in model.state_dict().values()), golden["weight_checksum"][0]) < 1e-12
    explanation = explain(model, images(64))
    contributions = contribution_maps(explanation.maps, model.preprocess(images(64)))
    assert relative(explanation.logits, golden["logits"]) < 1e-9
    assert explanation.classes.tolist() == golden["class_idx"].tolist()
    assert relative(explanation.maps, golden["W"]) < 1e-6  # stored as float32
    assert relative(explanation.maps.flatten(1).norm(dim=1), golden["W_norm"]) < 1e-9
    assert relative(explanation.maps.abs().sum((1, 2, 3)), golden["W_abs_sum"]) < 1e-9
    assert relative(contributions[:, 0], golden["contribution_map"]) < 1e-6
    assert relative(contributions.sum((1, 2, 3)), golden["contribution_sum"]) < 1e-9


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_losses_and_gradients_equal_the_reference_program(mode, teacher):
    golden = np.load(GOLDEN / "bcos_e2kd_resnet18_resnet50.npz")
    prefix = "" if mode == "eval" else "train_"
    for tau in (1, 5):
        student = fill(build_model("bcos_resnet18", 10), 1000, bcos=True)
        method = method_of("e2kd", student, teacher, lam=5.0, tau=tau)
        student.train(mode == "train")
        losses = method(images(64), torch.tensor(golden["labels"]))
        losses["loss"].backward()
        norms = torch.stack([parameter.grad.norm() for parameter in student.parameters()])
        assert relative(losses["kd_loss"], golden[f"{prefix}kd_tau{tau}"]) < 1e-9
        assert relative(losses["explanation_loss"], golden[f"{prefix}exp_loss"]) < 1e-9
        assert relative(losses["loss"], golden[f"{prefix}total_tau{tau}_lam5"]) < 1e-9
        if (mode, tau) != ("train", 5):
            assert relative(norms.norm(), golden[f"{prefix}grad_norm_total_tau{tau}_lam5"]) < 1e-6
        if mode == "eval" and tau == 1:
            assert [name for name, _ in student.named_parameters()] == golden["param_names"].tolist()
            assert relative(norms, golden["grad_norm_per_param"]) < 1e-6
            assert relative(student.conv1.linear.weight.grad, golden["grad_conv1"]) < 1e-6
        if mode == "train":
            assert relative(student.bn1.running_var, golden["train_bn1_running_var_after"]) < 1e-12
            assert student.bn1.num_batches_tracked == 1  # once per step


def test_explanation_term_alone_has_the_true_gradient(student, teacher):
    golden = np.load(GOLDEN / "bcos_e2kd_resnet18_resnet50.npz")
    target = explain(teacher, images(64))
    own = explain(student, images(64), target.classes, create_graph=True)
    assert relative(own.maps, golden["W_student"]) < 1e-6
    gradients = torch.autograd.grad(explanation_loss(own.maps, target.maps), list(student.parameters()))
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    assert relative(norm, golden["grad_norm_exp_only"]) < 1e-6
    # With scales detached in the forward pass it would be this one.
    assert relative(norm, golden["WRONG_grad_norm_exp_only_scales_detached"]) > 1


def _loss(model, target, rgb, *, create_graph):
    own = explain(model, rgb, target.classes, create_graph=create_graph)
    return kd_loss(own.logits, target.logits, 2.0) + 5 * explanation_loss(own.maps, target.maps)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", MINIS)
def test_gradient_equals_finite_differences(name, training):
    torch.manual_seed(0)
    model, teacher = (build_model(name, 4).double().eval() for _ in range(2))
    rgb = torch.rand(3, 3, 16, 16, dtype=torch.float64)
    target = explain(teacher, rgb)
    model.train(training)
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(_loss(model, target, rgb, create_graph=True), parameters)
    for seed in range(2):
        torch.manual_seed(seed)
        probe = [torch.randn_like(parameter) * parameter.detach().abs().mean() for parameter in parameters]
        slope = sum((g * p).sum() for g, p in zip(gradients, probe, strict=True)).item()
        step, values = 1e-7, []  # small, because |cos| has kinks
        for sign in (1, -1):
            with torch.no_grad():
                for parameter, p in zip(parameters, probe, strict=True):
                    parameter.add_(sign * step * p)
            values.append(_loss(model, target, rgb, create_graph=False).item())
            with torch.no_grad():
                for parameter, p in zip(parameters, probe, strict=True):
                    parameter.sub_(sign * step * p)
        assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", [n for n in model_names() if n.startswith("bcos")])
def test_w_x_times_x_is_the_logit_up_to_a_constant(name, training):
    torch.manual_seed(0)
    model = build_model(name, 6).double().train(training)
    side = 224 if "vit" in name and "mini" not in name else 64
    rgb = torch.rand(2, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        logits, classes, maps = explain(model, rgb, torch.tensor([4, 2]))
        total = contribution_maps(maps, model.preprocess(rgb)).sum((1, 2, 3))
        constant = logits.gather(1, classes[:, None])[:, 0] - total
    if "vit" not in name:
        torch.testing.assert_close(constant, torch.full_like(constant, model.logit_bias), rtol=0, atol=1e-9)
        return
    # The position features add a bias; without them nothing but the logit bias is left.
    features = f"{type(model.transformer).__module__}.position_features"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, lambda rows, columns, dim: torch.zeros(rows * columns, dim))
        logits, classes, maps = explain(model, rgb, torch.tensor([4, 2]))
    total = contribution_maps(maps, model.preprocess(rgb)).sum((1, 2, 3))
    bare = logits.gather(1, classes[:, None])[:, 0] - total
    torch.testing.assert_close(bare, torch.full_like(bare, model.logit_bias), rtol=0, atol=1e-9)


def test_one_forward_pass_serves_logits_and_map(student):
    passes = []
    hook = student.conv1.register_forward_hook(lambda *_: passes.append(1))
    explain(student, images(64), create_graph=True)
    hook.remove()
    assert len(passes) == 1


@pytest.mark.parametrize("name", MINIS)
def test_same_numbers_with_and_without_graph_and_as_a_plain_forward_pass(name):
    torch.manual_seed(0)
    model = build_model(name, 4).eval()
    rgb = torch.rand(2, 3, 32, 32)
    plain, trained = explain(model, rgb), explain(model, rgb, create_graph=True)
    torch.testing.assert_close(plain.maps, trained.maps.detach())
    torch.testing.assert_close(plain.logits, model(model.preprocess(rgb)))
    assert not plain.maps.requires_grad
    assert trained.maps.requires_grad


def test_a_training_step_is_not_disturbed_by_explanations_on_another_thread():
    torch.manual_seed(0)
    model, watched = build_model("bcos_resnet_mini", 4).eval(), build_model("bcos_resnet_mini", 4).eval()
    rgb = torch.rand(4, 3, 32, 32)

    def gradient():
        loss = model(model.preprocess(rgb)).square().mean() + explain(model, rgb, create_graph=True).maps.square().sum()
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])

    alone, stop = gradient(), threading.Event()

    def keep_explaining():
        while not stop.is_set():
            explain(watched, rgb)
            explain(watched, rgb, create_graph=True)

    thread = threading.Thread(target=keep_explaining)
    thread.start()
    try:
        for _ in range(10):
            torch.testing.assert_close(gradient(), alone)
    finally:
        stop.set()
        thread.join()


def test_a_standard_network_has_no_dynamic_weights():
    with pytest.raises(ExperimentError, match="ResNetMini is not a B-cos network"):
        explain(build_model("resnet_mini", 2), torch.rand(1, 3, 32, 32), method="bcos")
