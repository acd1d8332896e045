"""The loss panel's callbacks, without a browser."""

import pytest
import torch
from by_name import method_of
from matplotlib.figure import Figure

import e2kd_lab as lab
from e2kd_lab.figures.export import screen_png
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.widgets import LossLab

PNG = b"\x89PNG"


def networks(family=""):
    torch.manual_seed(0)
    return {
        "teacher": lab.build_model(f"{family}resnet_mini_deep", 3),
        "kd": lab.build_model(f"{family}resnet_mini", 3),
        "e2kd": lab.build_model(f"{family}resnet_mini", 3),
    }


@pytest.fixture
def images():
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def values(panel, part):
    return panel.data[panel.data["part"] == part].set_index("name")["value"]


def test_every_control_changes_the_picture(images, tmp_path):
    panel = LossLab(
        networks("bcos_"), images, titles=["a", "b", "b", "c"], classes=["x", "y", "z"], export_folder=tmp_path
    )
    assert panel.student.value == "e2kd"
    assert (panel.tau.value, panel.lam.value) == (1.0, 1.0)
    assert panel.lam.options[0] == ("0", 0.0)
    pictures = [bytes(panel.image.value)]
    for control, value in (
        (panel.tau, 5.0),
        (panel.lam, 10.0),
        (panel.number, 2),
        (panel.view, True),
        (panel.whole_batch, True),
        (panel.student, "kd"),
        (panel.lam, 0.0),
    ):
        control.value = value
        assert panel.last_error is None
        pictures.append(bytes(panel.image.value))
    assert all(picture.startswith(PNG) for picture in pictures)
    assert len(set(pictures)) == len(pictures)
    assert set(panel.data["images_in_loss"]) == {4}
    assert values(panel, "loss")["total"] == values(panel, "loss")["kd"]
    panel.export_button.click()
    name = "loss_kd_image3_all_lam0_tau5_contributions"
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.{kind}" for kind in ("pdf", "svg", "png", "csv")}
    bundle, _ = panel._repr_mimebundle_()
    assert bundle["image/png"].startswith(PNG)
    assert panel.last_error is None


def test_a_dragged_picture_is_that_of_its_values_drawn_from_nothing(images):
    nets, chosen = networks("bcos_"), {"titles": list("abcd"), "classes": ["x", "y", "z"]}
    panel = LossLab(nets, images, **chosen)
    assert panel.lam.slider.continuous_update
    assert panel.tau.slider.continuous_update
    for number, whole, student, lam, tau in (
        (0, False, "e2kd", 0.0, 20.0),
        (2, False, "e2kd", 5.0, 1.0),
        (3, True, "kd", 0.1, 2.0),
    ):
        panel.number.value, panel.whole_batch.value, panel.student.value = number, whole, student
        for dragged in (7.0, lam):
            panel.lam.value = dragged
        for dragged in (4.0, tau):
            panel.tau.value = dragged
        fresh = LossLab(nets, images, lam=lam, tau=tau, **chosen)
        fresh.number.value, fresh.whole_batch.value, fresh.student.value = number, whole, student
        fresh._pictures.clear()
        fresh.redraw()
        assert bytes(panel.image.value) == bytes(fresh.image.value) == screen_png(fresh.figure)
    assert panel.exports() == fresh.exports()


def test_a_drag_draws_only_what_it_changes(images, monkeypatch):
    panel, whole = LossLab(networks(), images), []
    panel.tau.value = 1.0
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda *values: (whole.append(values), draw(*values)))
    for lam in (0.0, 1.0, 50.0):
        panel.lam.value = lam
    assert not whole
    panel.whole_batch.value = True
    for number in (1, 2, 0):
        panel.number.value = number
    assert len(whole) <= 3  # once for each end of the axis of probabilities


def test_what_takes_a_moment_is_said(images, monkeypatch):
    panel, said = LossLab(networks(), images), []
    panel.message.observe(lambda change: said.append(change["new"]), "value")
    panel.number.value = 1
    assert "Computing maps and gradients of e²KD on image 2 ..." in said[0]
    assert "Computing" not in panel.message.value
    said.clear()
    panel.number.value = 0
    assert not any("Computing" in text for text in said)


def test_the_numbers_are_those_of_training(images):
    nets = networks()
    panel = LossLab(nets, images, lam=2.0, tau=2.0)
    panel.whole_batch.value = True
    step = method_of("e2kd", nets["e2kd"].eval(), nets["teacher"], lam=2.0, tau=2.0).eval()(
        images, torch.zeros(4).long()
    )
    assert values(panel, "loss")["total"] == pytest.approx(step["loss"].item(), rel=1e-5)
    step["loss"].backward()
    size = torch.cat([p.grad.flatten() for p in nets["e2kd"].parameters() if p.grad is not None]).norm().item()
    assert values(panel, "gradient norm")["total"] == pytest.approx(size, rel=1e-4)


def test_a_weight_costs_no_network_and_a_temperature_no_explanation(images, monkeypatch):
    panel = LossLab(networks("bcos_"), images)
    monkeypatch.setattr("e2kd_lab.widgets.loss_lab.loss_terms", None)  # an error from here on, if it were called
    panel.lam.value = 5.0
    panel.tau.value = 2.0
    panel.view.value = True
    assert panel.last_error is None
    panel.student.value = "kd"
    assert isinstance(panel.last_error, TypeError)


def test_the_panel_keeps_its_own_networks(images):
    nets = networks()
    panel = LossLab(nets, images)
    before = values(panel, "loss")["kd"]
    with torch.no_grad():
        for parameter in nets["e2kd"].parameters():
            parameter.mul_(2)
    panel.tau.value = 2.0
    panel.tau.value = 1.0
    assert values(panel, "loss")["kd"] == before
    assert panel.last_error is None


def test_controls_without_a_choice_are_not_shown(images):
    pair = dict(list(networks().items())[:2])
    panel = LossLab(pair, images)
    assert panel.view.layout.display == panel.student.layout.display == "none"
    assert [label for label, _ in panel.number.options] == ["1", "2", "3", "4"]
    assert LossLab(networks("bcos_"), images, multilabel=True).view.layout.display == "flex"


def test_a_dead_map_is_named(images):
    nets = networks()
    with torch.no_grad():
        nets["e2kd"].fc.weight.fill_(-1.0)
    panel = LossLab(nets, images)
    assert "zero everywhere" in panel.message.value
    assert values(panel, "explanation cosine").item() == 0
    assert values(panel, "gradient norm")["explanation"] == 0
    assert panel.last_error is None


def test_errors_are_shown_in_place(images):
    mixed = {**networks(), "B-cos": networks("bcos_")["kd"]}
    panel = LossLab(mixed, images)
    panel.student.value = "B-cos"
    assert isinstance(panel.last_error, ValueError)
    assert "maps of one shape" in panel.notice.value
    panel.lam.value = 5.0
    assert "maps of one shape" in panel.notice.value
    panel.student.value = "kd"
    assert "evaluation mode" in panel.message.value
    with pytest.raises(ExperimentError, match="got 1 networks and 4 images"):
        LossLab({"teacher": mixed["teacher"]}, images)
    with pytest.raises(ExperimentError, match="2 titles for 4 images"):
        LossLab(networks(), images, titles=["a", "b"])
