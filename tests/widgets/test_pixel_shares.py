"""The panel of inserted and deleted pixels, without a browser."""

import pytest

from e2kd_lab.figures import PixelShares as Picture
from e2kd_lab.figures.export import screen_png
from e2kd_lab.runs import Run
from e2kd_lab.widgets import PixelShares


@pytest.fixture
def panel(runs, tiny, tiny_bcos, tmp_path):
    students = [
        Run(runs / experiment.replace(method=method, lam=5.0).run_name())
        for experiment in (tiny, tiny_bcos)
        for method in ("kd", "e2kd")
    ]
    return PixelShares([tiny, tiny_bcos], students, folder=runs, count=4, export_folder=tmp_path)


def test_follows_its_controls_and_exports(panel, tmp_path):
    pictures = [bytes(panel.image.value)]
    for control, value in ((panel.share, 0.5), (panel.choice, 1), (panel.networks, "bcos"), (panel.share, 1.0)):
        control.value = value
        pictures.append(bytes(panel.image.value))
        assert panel.last_error is None
    assert len(set(pictures)) == 5
    assert set(panel.data["method"]) == {"teacher", "kd", "e2kd"}
    assert set(panel.data["curve"]) == {"insertion", "deletion"}
    panel.export_button.click()
    assert {path.name for path in tmp_path.glob("*.csv")} == {"pixels_bcos_2_100.csv"}


def test_a_moved_picture_is_the_one_drawn_from_nothing(panel):
    ranked = panel._ranked()
    panel.share.value = 0.75
    fresh = Picture(panel._examples.images[0], ranked, share=0.75)
    assert bytes(panel.image.value) == screen_png(fresh.figure)


def test_a_step_back_computes_nothing(panel, monkeypatch):
    panel.choice.value = 1
    monkeypatch.setattr("e2kd_lab.widgets.pixel_shares.pixel_rankings", None)
    panel.choice.value = 0
    assert panel.last_error is None
