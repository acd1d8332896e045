import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from e2kd_lab.figures import Measure, export_figure, figure_bytes, sweep_map, waterbirds_bars
from e2kd_lab.figures.export import light_png
from e2kd_lab.figures.style import TEXT_WIDTH


def test_export_is_byte_stable_of_exact_width_and_complete(selected, tmp_path):
    for folder in ("a", "b"):
        files = export_figure(waterbirds_bars(selected), tmp_path / folder / "bars", selected)
    assert [file.suffix for file in files] == [".pdf", ".svg", ".png", ".csv"]
    for file in files:
        assert file.read_bytes() == (tmp_path / "a" / file.name).read_bytes()
    with Image.open(tmp_path / "a" / "bars.png") as image:
        assert image.width == round(TEXT_WIDTH * 300)
    assert b"/FontFile2" in (tmp_path / "a" / "bars.pdf").read_bytes()
    svg = (tmp_path / "a" / "bars.svg").read_text()
    assert ">Accuracy (%)</text>" in svg  # text stays text
    assert "font-family: 'DejaVu Sans', 'Arial', sans-serif" in svg


def test_bars_are_exported_with_the_numbers_that_they_show(selected, tmp_path):
    figure = waterbirds_bars(selected, settings=("base",), methods=("kd", "e2kd"))
    table = pd.read_csv(export_figure(figure, tmp_path / "bars", selected)[-1])
    students = table[table["method"] != "teacher"]
    heights = {round(bar.get_height(), 9) for axis in figure.axes for bar in axis.patches}
    assert set(students["mean"].round(9)) == heights
    assert len(students) == 4
    assert list(table.columns[-5:]) == ["n", "mean", "low", "high", "runs"]


def test_what_a_panel_has_picked_is_not_exported(selected, tmp_path):
    runs, measure = selected.query("method in ('kd', 'e2kd')"), Measure("accuracy")
    plain, picked = (sweep_map(runs, measure, picked=cell) for cell in (None, (5.0, 1.0)))
    assert figure_bytes(picked) != figure_bytes(plain)
    for one, other in zip(export_figure(picked, tmp_path / "a"), export_figure(plain, tmp_path / "b"), strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert figure_bytes(picked) != figure_bytes(plain)  # the panel still shows it


def test_nothing_is_overwritten_by_something_else(tmp_path):
    figures = {}
    for text in ("one", "two"):
        figures[text] = Figure(figsize=(1, 1))
        figures[text].text(0.1, 0.5, text)
    names = [
        export_figure(figures[text], tmp_path / "page", overwrite=False)[0].stem
        for text in ("one", "two", "one", "two")
    ]
    assert names == ["page", "page_2", "page", "page_2"]
    rows = pd.DataFrame({"value": [1]})
    assert export_figure(figures["one"], tmp_path / "page", rows, overwrite=False)[-1].name == "page.csv"
    assert export_figure(figures["one"], tmp_path / "page", rows + 1, overwrite=False)[-1].name == "page_3.csv"
    assert pd.read_csv(tmp_path / "page.csv")["value"].item() == 1
    assert export_figure(figures["two"], tmp_path / "page")[0].name == "page.pdf"


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (64, 48)])
def test_pngs_for_the_screen_show_the_same_pixels(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(light_png(Image.fromarray(pixels)))) as shown:
        shown.load()  # checks the sums
        assert shown.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(shown), pixels)
