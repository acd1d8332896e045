import io
import re
import zlib

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from e2kd_lab.figures import Measure, export_figure, figure_bytes, figure_options, sweep_map, waterbirds_bars
from e2kd_lab.figures.export import light_png
from e2kd_lab.figures.style import TEXT_WIDTH, new_figure
from e2kd_lab.system.errors import LabNote


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


def page_of(figure):
    """Width and height of a PDF's page in inches."""
    corners = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", figure_bytes(figure, "pdf")).groups()
    return tuple(round(float(side) / 72, 2) for side in corners)


def corner_of_axes(figure):
    """Where a PDF starts to draw the second shape, which is the ground of the axes, in points."""
    packed = re.search(rb"stream\r?\n(.*?)\r?\nendstream", figure_bytes(figure, "pdf"), re.DOTALL)[1]
    starts = re.findall(rb"([\d.]+) ([\d.]+) m\n", zlib.decompress(packed))
    return [float(place) for place in starts[1]]


@pytest.mark.parametrize(
    ("page", "width", "size"),
    [
        ("tight", 4.8, (4.8, 2.0)),
        ("a4", 4.8, (8.27, 11.69)),
        ("letter", 4.8, (8.5, 11.0)),
        ("a4", 10.0, (11.69, 8.27)),  # too wide for portrait
    ],
)
def test_a_pdf_has_the_page_that_was_asked_for(page, width, size):
    with figure_options(page=page, width=width):
        figure = new_figure(2.0)
    assert page_of(figure) == size


def test_the_figure_stands_in_the_middle_of_its_page():
    figures = []
    for page in ("tight", "letter"):
        with figure_options(page=page):
            figures.append(new_figure(3.0, placed=True))
        figures[-1].add_axes((0.1, 0.1, 0.8, 0.8))
    moves = [corner_of_axes(figure) for figure in figures]
    across, up = (there - here for here, there in zip(*moves, strict=True))
    assert (across, up) == pytest.approx((72 * (8.5 - 4.8) / 2, 72 * (11 - 3) / 2))


def test_a_figure_that_fits_no_page_keeps_its_own_and_says_so():
    with figure_options(page="a4", width=12.0):
        figure = new_figure(2.0)
    with pytest.warns(LabNote, match="does not fit on a page of 11.7 x 8.27 in"):
        assert page_of(figure) == (12.0, 2.0)
