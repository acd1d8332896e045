"""What all panels do: messages, errors, figure options, export and download."""

import base64
import io
import re
import zipfile

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from e2kd_lab.figures import FigureOptions, figure_bytes
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import new_figure
from e2kd_lab.figures.web_page import data_url
from e2kd_lab.system.errors import RunError
from e2kd_lab.widgets import Panel
from e2kd_lab.widgets.figure_controls import FigureControls
from e2kd_lab.widgets.panel import shows_background_errors, shows_errors


class Small(Panel):
    """A panel with one number."""

    number = 1.0

    def __init__(self, folder="exports"):
        super().__init__("small", folder)
        self.arrange([self.export_button])
        self.redraw()

    def draw(self):
        if self.number < 0:
            raise ValueError("negative")
        self.say("One number.")
        self.show(new_figure(1.0), pd.DataFrame({"number": [self.number], "name": ["a\tb"]}))

    @shows_errors
    def redraw_through_another(self):
        self.redraw()

    @shows_background_errors
    def heard(self, error=None):
        if error is not None:
            raise error


@pytest.fixture
def panel(tmp_path):
    return Small(tmp_path)


def test_a_frame_hides_while_it_is_empty():
    panel = Panel("empty")
    assert panel.image.layout.display == "none"  # browsers draw a broken image for no bytes
    panel.show(Figure())
    assert panel.image.layout.display is None
    panel.image.value = b""
    assert panel.image.layout.display == "none"


def test_an_export_leaves_what_the_numbers_are(panel):
    panel.export_button.click()
    assert ">One number.<" in panel.message.value
    assert "Wrote small.pdf, small.svg, small.png, small.csv" in panel.notice.value
    panel.redraw()
    assert panel.notice.value == ""
    panel.show_nothing("Empty.")
    panel.export_button.click()
    assert "There is no picture to export yet." in panel.notice.value


@pytest.mark.parametrize("draw", [Small.redraw, Small.redraw_through_another])
def test_an_error_stays_until_the_next_action_succeeds(panel, draw):
    panel.number = -1
    draw(panel)
    assert isinstance(panel.last_error, ValueError)
    assert "ValueError: negative" in panel.notice.value
    panel.heard()  # training goes on
    assert panel.last_error is not None
    panel.number = 1
    draw(panel)
    assert (panel.last_error, panel.notice.value) == (None, "")
    panel.heard(KeyError("lost"))
    assert isinstance(panel.last_error, KeyError)


def test_an_export_that_succeeds_ends_an_error(panel):
    panel.heard(KeyError("lost"))
    assert panel.last_error is not None
    panel.export_button.click()
    assert panel.last_error is None
    assert "Wrote small.pdf" in panel.notice.value


def test_the_figures_options_are_those_of_screen_and_files(panel, tmp_path):
    assert panel.figure_controls.layout.display == "none"
    panel.figure_button.value = True
    assert panel.figure_controls.layout.display == "flex"
    panel.figure_controls.controls["width"].value = ("cvpr", 2)
    assert panel.figure_options == FigureOptions(width="cvpr", columns=2)
    assert panel.figure.get_figwidth() == 6.875
    assert panel.image.layout.width == "1031px"
    panel.export_button.click()
    assert (tmp_path / "small.png").read_bytes() == figure_bytes(panel.figure, dpi=300)
    panel.figure_options = FigureOptions(width=6.0, font_size=8.5)
    controls = panel.figure_controls.controls
    assert (controls["width"].label, controls["font_size"].label) == ("6 in", "8.5 pt")
    assert (panel.figure.get_figwidth(), panel.figure.options.font_size) == (6.0, 8.5)
    assert current_options() == FigureOptions()
    assert panel.last_error is None


@pytest.mark.parametrize("name", ["images_per_row", "opacity", "colour_map"])
def test_what_is_left_to_the_figure_is_a_choice_in_words(name):
    row = FigureControls([name])
    control = row.controls[name]
    assert (control.label, getattr(row.value, name)) == ("as drawn", None)
    control.index = 1
    assert getattr(row.value, name) == control.options[1][1]
    row.value = FigureOptions()
    assert control.label == "as drawn"
    control.index = 1
    control.index = 0
    assert row.value == FigureOptions()


def test_a_panel_stands_on_the_ground_of_its_page_and_files_on_white(panel, tmp_path):
    light, files = bytes(panel.image.value), panel.exports()
    panel.front_end.field.value = "#212121"  # what the page's script does
    assert panel.last_error is None
    assert Image.open(io.BytesIO(panel.image.value)).getpixel((0, 0)) == (0x21, 0x21, 0x21)
    assert panel.exports() == files
    assert panel.picture_on("light") == light
    assert Image.open(io.BytesIO(panel.picture_on("dark"))).getpixel((0, 0)) == (0x11, 0x11, 0x11)
    page = panel.to_html(tmp_path / "panel.html").read_text()
    assert data_url(light) in page
    assert f"dark)' srcset='{data_url(panel.picture_on('dark'))}'" in page
    panel.figure_controls.controls["theme"].value = "light"
    assert bytes(panel.image.value) == light
    panel.figure_controls.controls["theme"].value = "auto"
    panel.front_end.field.value = "light"
    assert bytes(panel.image.value) == light
    panel.front_end.field.value = "red; nonsense"
    assert panel.front_end.theme == "light"


def test_a_panel_tells_what_it_shows(panel):
    assert "Small. One number." in panel.front_end.texts.value
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == "Small, a panel"


def test_setting_options_draws_once(panel, monkeypatch):
    drawn = []
    monkeypatch.setattr(panel, "redraw", lambda: drawn.append(panel.figure_options))
    options = FigureOptions(width="neurips", font_size=8.0, title=False, scale_note=False)
    panel.figure_options = options
    assert drawn == [options]


def test_files_are_made_when_they_are_asked_for(panel, tmp_path):
    assert "base64" not in panel.notice.value
    panel.download_button.click()
    links = dict(re.findall(r'download="([^"]+)" href="data:[^,]*;base64,([^"]*)"', panel.notice.value))
    assert list(links) == ["small.zip", "small.pdf", "small.svg", "small.png", "small.csv"]
    files = {name: base64.b64decode(content) for name, content in links.items()}
    with zipfile.ZipFile(io.BytesIO(files.pop("small.zip"))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    panel.export_button.click()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files
    panel.download_button.click()
    assert "Copy figure" in panel.notice.value
    assert 'data-text="number&#9;name&#10;1.0&#9;a b"' in panel.notice.value
    panel.redraw()  # the links would be of the picture before
    assert panel.notice.value == ""


def test_download_and_figure_stand_beside_export(panel):
    row = panel.widget.children[1].children
    assert row == (panel.export_button, panel.download_button, panel.figure_button)


def test_a_panel_is_written_as_one_web_page(tmp_path):
    panel = Panel("two_words")
    with pytest.raises(RunError, match="no picture"):
        panel.to_html(tmp_path / "empty.html")
    panel.show(Figure(), pd.DataFrame({"Method": ["<KD>"], "Accuracy": [71.25]}))
    panel.say("5 < 6")
    text = panel.to_html(tmp_path / "panel.html").read_text(encoding="utf-8")
    assert "<title>two words</title>" in text
    assert "&lt;KD&gt;" in text
    assert "5 &lt; 6" in text
    assert text.count("data:image/png;base64,") == 2
