"""The panel of shifted images, without a browser."""

import pandas as pd
import pytest
import torch

from e2kd_lab import build_model
from e2kd_lab.explanations import shift_curve
from e2kd_lab.widgets import ShiftBrowser

NETWORKS = {"teacher": "bcos_densenet_mini_deep", "kd": "bcos_vit_mini", "e2kd": "bcos_vit_mini"}


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return {name: build_model(network, 10).eval() for name, network in NETWORKS.items()}


@pytest.fixture(scope="module")
def images():
    return torch.randint(256, (2, 3, 96, 96), generator=torch.Generator().manual_seed(0)).byte()


def test_follows_its_controls_and_exports(networks, images, tmp_path):
    panel = ShiftBrowser(networks, images, ("mug", "car"), export_folder=tmp_path)
    pictures = [bytes(panel.image.value)]
    for control, value in ((panel.shift, 8), (panel.view, True), (panel.choice, 1)):
        control.value = value
        pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 4
    assert pictures[0].startswith(b"\x89PNG")
    classes = torch.tensor(
        [networks["teacher"](networks["teacher"].preprocess(images[1:, :, 32:, 32:] / 255)).argmax()]
    )
    expected = shift_curve(networks["kd"], images[1:] / 255, size=64, shifts=range(33), classes=classes)
    assert panel.data["kd"].tolist() == pytest.approx(expected[0].tolist(), abs=1e-5)
    assert panel.figure.get_figheight() < 0.9 * panel.figure.get_figwidth()  # all of it is on a small screen
    assert f"cosine {panel.data['kd'][8]:.2f}" in [axis.get_title() for axis in panel.figure.axes]
    panel.export_button.click()
    assert {path.name for path in tmp_path.glob("*.csv")} == {"shift_2_8px.csv"}
    assert pd.read_csv(tmp_path / "shift_2_8px.csv").columns.tolist() == ["shift", "teacher", "kd", "e2kd"]
    assert panel.last_error is None


def test_a_move_explains_nothing(networks, images):
    panel = ShiftBrowser(networks, images, ("mug", "car"))
    passes = []
    hooks = [model.register_forward_pre_hook(lambda *_: passes.append(1)) for model in networks.values()]
    for shift in (5, 6):
        panel.shift.value = shift
    panel.view.value = True
    for hook in hooks:
        hook.remove()
    assert not passes
    assert panel.last_error is None


def test_standard_networks_have_one_view():
    torch.manual_seed(0)
    networks = {name: build_model("resnet_mini", 4).eval() for name in ("teacher", "kd")}
    panel = ShiftBrowser(networks, torch.rand(1, 3, 40, 40), ("mug",), size=32, largest=8)
    assert panel.view.layout.display == "none"
    assert panel.last_error is None


def test_images_that_are_too_small_are_named_in_the_panel(networks):
    panel = ShiftBrowser(networks, torch.rand(1, 3, 80, 80), ("mug",))
    assert "80 x 80 can be shifted by 0 to 16 pixels" in panel.notice.value
    assert panel.last_error is not None
