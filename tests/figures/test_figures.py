import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgba
from PIL import Image

from e2kd_lab.explain import Comparison
from e2kd_lab.explain.rendering import heat_overlay, unit_norm
from e2kd_lab.figures import (
    explanation_comparison,
    export_figure,
    figure_bytes,
    paper_results,
    training_curves,
    waterbirds_bars,
    waterbirds_table,
)
from e2kd_lab.figures.all_figures import write_all_figures
from e2kd_lab.figures.style import BOX_COLOUR, METHOD_COLOURS, TEXT_WIDTH
from e2kd_lab.runs import find_runs, load_runs, select_by_validation


@pytest.fixture(scope="module")
def selected(runs):
    return select_by_validation(load_runs(runs).query("family == 'standard'"))


def test_bars_are_as_high_as_the_means(selected):
    figure = waterbirds_bars(selected, settings=("base",))
    kd = selected.query("method == 'kd' and split == 'test' and group == 'out_of_distribution'").set_index("metric")
    heights = {round(bar.get_height(), 6) for axis in figure.axes for bar in axis.patches}
    for metric in ("accuracy", "agreement"):
        assert round(kd.loc[metric, "value"], 6) in heights
    drawn = [bar for bar in figure.axes[0].patches if bar.get_facecolor()[:3] != (0, 0, 0)]
    assert len(drawn) == 3


def test_export_is_byte_stable_of_exact_width_and_complete(selected, tmp_path):
    for folder in ("a", "b"):
        files = export_figure(waterbirds_bars(selected), tmp_path / folder / "bars", selected)
    assert [file.suffix for file in files] == [".pdf", ".svg", ".png", ".csv"]
    for file in files:
        assert file.read_bytes() == (tmp_path / "a" / file.name).read_bytes()
    with Image.open(tmp_path / "a" / "bars.png") as image:
        assert image.width == round(TEXT_WIDTH * 300)
    assert b"/FontFile2" in (tmp_path / "a" / "bars.pdf").read_bytes()
    assert pd.read_csv(tmp_path / "a" / "bars.csv").shape == selected.shape


def test_comparison_draws_every_map_on_one_scale():
    torch.manual_seed(0)
    maps = {name: torch.rand(3, 1, 16, 16) * scale for name, scale in (("teacher", 1), ("kd", 1e-3))}
    correct = {name: torch.tensor([True, True, False]) for name in maps}
    figure = explanation_comparison(Comparison(torch.rand(3, 3, 16, 16), maps, correct))
    assert figure_bytes(figure).startswith(b"\x89PNG")
    marks = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert marks.count("✓") == 4
    assert marks.count("✗") == 2


@pytest.mark.parametrize("contributions", [False, True])
def test_comparison_of_both_families_shows_all_networks_once(contributions):
    torch.manual_seed(0)
    images, correct = torch.rand(3, 3, 32, 32), torch.tensor([True, True, False])
    parts = []
    for channels in (1, 6):
        maps = {name: torch.randn(3, channels, 32, 32) for name in ("teacher", "e2kd")}
        parts.append(Comparison(images, maps, dict.fromkeys(maps, correct)))
    figure = explanation_comparison(parts, side_by_side=1, contributions=contributions)
    titles = [text.get_text() for text in figure.axes[0].texts if text.get_text() not in "✓✗"]
    assert titles == ["Image", "Teacher", "e²KD", "Teacher", "e²KD"]
    assert [text.get_text() for text in figure.texts] == ["Standard networks", "B-cos networks"]
    assert figure_bytes(figure).startswith(b"\x89PNG")


def test_a_comparison_is_drawn_once_when_saved(monkeypatch):
    maps = {"teacher": torch.rand(1, 1, 16, 16)}
    figure = explanation_comparison(Comparison(torch.rand(1, 3, 16, 16), maps, {"teacher": torch.tensor([True])}))
    drawn = []
    draw = figure.draw
    monkeypatch.setattr(figure, "draw", lambda renderer: (drawn.append(renderer), draw(renderer)))
    figure_bytes(figure)  # a second drawing would be to lay out what is placed by hand, and browsers would page slower
    assert len(drawn) == 1


def test_boxes_are_drawn_where_they_are_on_image_and_maps():
    maps = {name: torch.rand(1, 1, 16, 16) for name in ("teacher", "kd")}
    correct = {name: torch.tensor([True]) for name in maps}
    boxes = (torch.tensor([[2.0, 3.0, 10.0, 8.0]]),)
    figure = explanation_comparison(Comparison(torch.rand(1, 3, 16, 16), maps, correct, boxes=boxes), side_by_side=1)
    axis = figure.axes[0]
    drawn = [patch.get_bbox() for patch in axis.patches if patch.get_edgecolor() == to_rgba(BOX_COLOUR)]
    assert len(drawn) == 3
    for box, picture in zip(drawn, axis.images, strict=True):
        left, right, bottom, top = picture.get_extent()
        side = right - left
        assert top - bottom == pytest.approx(side)
        assert (box.x0 - left) / side == pytest.approx(2 / 16)
        assert (box.x1 - left) / side == pytest.approx(10 / 16)
        assert (top - box.y1) / side == pytest.approx(3 / 16)  # rows are counted from the top
        assert (top - box.y0) / side == pytest.approx(8 / 16)


def test_unit_norm_and_heat():
    maps = torch.rand(2, 1, 8, 8)
    maps[1] = 0
    normed = unit_norm(maps)
    assert normed[0].norm().item() == pytest.approx(1, abs=1e-6)
    assert normed[1].abs().max() == 0
    pictures = heat_overlay(torch.rand(2, 3, 8, 8), normed, vmax=0.2)
    assert pictures.shape == (2, 8, 8, 3)
    assert 0 <= pictures.min() <= pictures.max() <= 1


def test_curves_and_table(selected, runs):
    curves = {run.folder.name: (run.config["method"], run.metrics()) for run in find_runs(runs)}
    assert figure_bytes(training_curves(curves)).startswith(b"\x89PNG")
    assert figure_bytes(training_curves({})).startswith(b"\x89PNG")
    table = waterbirds_table(selected)
    assert set(table.index.get_level_values("method")) == {"teacher", "baseline", "kd", "e2kd"}
    assert (table[("seeds", "")] == 1).all()


def test_all_figures_come_from_runs(runs, tmp_path):
    names = {file.name for file in write_all_figures(load_runs(runs), tmp_path)}
    for family in ("standard", "bcos"):
        assert f"waterbirds_smoke_{family}_out_of_distribution.pdf" in names
        assert f"waterbirds_smoke_{family}_in_distribution.csv" in names


def test_paper_numbers():
    assert paper_results("figureB").query("family == 'standard'")["value"].tolist() == [99.0, 61.2, 94.9]
    assert len(paper_results()) > 100


def test_colours_differ():
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)
