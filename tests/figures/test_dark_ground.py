"""Figures on a dark page: readable, in the same colours, and as before afterwards."""

import io
import re
from pathlib import Path

import jupyterlab
import numpy as np
import pytest
import seaborn
from matplotlib.colors import to_rgb
from PIL import Image

from e2kd_lab.figures import figure_bytes, figure_options
from e2kd_lab.figures.dark_ground import GROUND, on_ground
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.style import CORRECT_COLOUR, METHOD_COLOURS, WRONG_COLOUR, new_figure, styled


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def has(picture, colour):
    return bool((picture == np.rint(255 * np.array(to_rgb(colour)))).all(-1).any())


def luminance(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.fixture
def figure():
    with styled():
        figure = new_figure(placed=True)
        axes = figure.add_axes((0.1, 0.2, 0.8, 0.7))
        for place, (method, colour) in enumerate(METHOD_COLOURS.items()):
            axes.plot([0, 1], [place, 3], color=colour, linewidth=4, label=method)
        axes.imshow(np.full((2, 2, 3), 0.5), extent=(0.2, 0.4, 1, 2), aspect="auto")
        axes.text(0.5, 0.5, "right", color=CORRECT_COLOUR, bbox={"facecolor": "white"})
        axes.set_title("title", color=WRONG_COLOUR)
        axes.legend()
    return figure


def test_a_figure_is_as_before_afterwards(figure):
    files = {kind: figure_bytes(figure, kind, dpi=300) for kind in ("png", "pdf", "svg")}
    light = screen_png(figure)
    with figure_options(theme="dark"):
        dark = screen_png(figure)
        assert {kind: figure_bytes(figure, kind, dpi=300) for kind in files} == files  # also while the page is dark
    assert dark != light
    assert screen_png(figure) == light
    assert {kind: figure_bytes(figure, kind, dpi=300) for kind in files} == files


def test_black_dots_of_seeds_are_light():
    with styled():
        figure = new_figure(placed=True)
        (dots,) = figure.add_axes((0.1, 0.1, 0.8, 0.8)).plot([0, 1], [0, 1], "o", color="black")
    before = vars(dots).copy()
    with figure_options(theme="dark"), on_ground(figure):
        for colour in (dots.get_color(), dots.get_markerfacecolor(), dots.get_markeredgecolor()):
            assert luminance(to_rgb(colour)) > 0.5
    assert all(vars(dots)[name] == before[name] for name in before if "color" in name)


def test_colours_mean_the_same(figure):
    with figure_options(theme="dark"):
        dark = pixels(screen_png(figure))
    assert tuple(dark[0, 0]) == tuple(round(255 * one) for one in to_rgb(GROUND))
    assert not has(dark, "white")
    for method, colour in METHOD_COLOURS.items():
        if np.ptp(to_rgb(colour)) > 0.06:
            assert has(dark, colour), method
    assert has(dark, (128 / 255,) * 3)  # a picture's grey


def test_all_text_can_be_read(figure):
    with figure_options(theme="dark"), on_ground(figure):
        texts = [text for text in figure.findobj(lambda one: hasattr(one, "get_fontsize")) if text.get_text()]
        assert len(texts) > 10
        for text in texts:
            contrast = (luminance(text.get_color()) + 0.05) / (luminance(GROUND) + 0.05)
            assert contrast >= 4.5, text


def test_numbers_on_the_cells_of_a_heat_map_stay():
    with styled():
        figure = new_figure(placed=True)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        seaborn.heatmap([[0.0, 1.0]], annot=True, ax=axes, cbar=False)
        axes.set_xlabel("below")
        before = [text.get_color() for text in axes.texts]
    with figure_options(theme="dark"), on_ground(figure):
        assert [text.get_color() for text in axes.texts] == before
        assert luminance(axes.xaxis.label.get_color()) > 0.5


def test_the_ground_may_be_another_dark_colour(figure):
    with figure_options(theme="#212121"):
        assert tuple(pixels(screen_png(figure))[0, 0]) == (0x21, 0x21, 0x21)


def test_an_unknown_theme_is_refused():
    with (
        pytest.raises(ValueError, match="theme is 'sepia'; expected one of auto, light, dark, or a colour"),
        figure_options(theme="sepia"),
    ):
        pass


def test_the_ground_is_that_of_jupyterlab():
    css = Path(jupyterlab.__file__).parent / "themes/@jupyterlab/theme-dark-extension/index.css"
    found = re.search(r"--jp-layout-color0: *(#\w+)", css.read_text())[1]
    assert to_rgb(found) == to_rgb(GROUND)
