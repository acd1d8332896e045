"""Every figure can go into a paper: at every venue's width nothing is small, cut off or on top of another."""

import itertools
import re

import pytest
from figure_cases import FIGURES, faults, shown_texts
from matplotlib.text import Annotation, Text

from e2kd_lab.figures import figure_bytes, figure_options
from e2kd_lab.figures.options import VENUES
from e2kd_lab.figures.style import new_figure

WIDTHS = sorted({width for widths in VENUES.values() for width in widths})
_IDENTIFIER = re.compile(r"[a-z]_[a-z]|\b(LL|LW|WL|WW|nan|NaN|e2kd|kd|bcos|Base)\b|\b1 epochs\b")


@pytest.mark.parametrize("name", FIGURES)
def test_at_every_venues_width_all_text_can_be_read(name):
    for width in WIDTHS:
        with figure_options(width=width):
            figure = FIGURES[name]()
        assert figure.get_figwidth() <= width + 1e-9
        assert faults(figure) == [], width


@pytest.mark.parametrize("name", FIGURES)
def test_nobody_reads_an_identifier(name):
    texts = [text.get_text() for text, _ in shown_texts(FIGURES[name]())]
    assert [text for text in texts if _IDENTIFIER.search(text)] == []


@pytest.mark.parametrize("name", FIGURES)
def test_what_stands_in_the_caption_can_be_left_out(name):
    with figure_options(title=False, scale_note=False):
        figure = FIGURES[name]()
    texts = [text.get_text() for text, _ in shown_texts(figure)]
    assert [text for text in texts if "measured here" in text] == []
    assert figure.get_suptitle() == ""
    assert faults(figure) == []


def test_without_title_and_note_the_axes_are_larger():
    with figure_options(title=False, scale_note=False):
        without = FIGURES["bars of Waterbirds"]()
    heights = []
    for figure in (FIGURES["bars of Waterbirds"](), without):
        figure_bytes(figure)
        heights.append(figure.axes[0].get_position().height)
    assert heights[1] > 1.1 * heights[0]


def test_short_names_of_groups_come_with_a_key():
    with figure_options(group_names="short"):
        texts = [text.get_text() for text, _ in shown_texts(FIGURES["bars of measures"]())]
    assert {"LL", "LW", "OOD"} <= set(texts)
    (key,) = [text for text in texts if "LW: " in text]
    assert "LW: landbird on water" in " ".join(key.split())


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("bars of")])
def test_numbers_side_by_side_do_not_read_as_one(name):
    for width in WIDTHS:
        with figure_options(width=width):
            figure = FIGURES[name]()
        upright = [
            (text.axes, corners)
            for text, corners in shown_texts(figure)
            if text.axes is not None and text in text.axes.texts and text.get_rotation() == 0
        ]
        gaps = [
            max(its[:, 0].min() - one[:, 0].max(), one[:, 0].min() - its[:, 0].max())
            for (axes, one), (others, its) in itertools.combinations(upright, 2)
            if axes is others and max(its[:, 1].min(), one[:, 1].min()) < min(its[:, 1].max(), one[:, 1].max())
        ]
        assert min(gaps, default=9.0) > 1.0, width


@pytest.mark.parametrize("name", ["explanations", "explanations of two families", "shifted images"])
def test_the_label_of_a_colour_scale_leaves_no_word_alone(name):
    for width in WIDTHS:
        with figure_options(width=width):
            figure = FIGURES[name]()
        labels = [text.get_text() for axes in figure.axes for text in axes.texts if isinstance(text, Annotation)]
        assert labels
        for label in labels:
            lengths = [len(line) for line in label.split("\n")]
            assert min(lengths) > max(lengths) / 3, (width, label)


def test_no_line_to_a_name_crosses_another_name():
    figure = FIGURES["curves of all methods"]()
    named = [text for text, _ in shown_texts(figure) if isinstance(text, Annotation) and text.arrow_patch is not None]
    assert len(named) > 2
    left = min(Text.get_window_extent(text).x0 for text in named)
    for text in named:
        ends = text.arrow_patch.get_transform().transform(text.arrow_patch.get_path().vertices)
        assert ends[:, 0].max() < left + 1


def test_a_fault_is_found():
    figure = new_figure()
    axis = figure.subplots()
    axis.text(0.5, 0.5, "small", fontsize=5.9)
    axis.text(0.5, 0.5, "on top")
    figure.text(0.99, 0.5, "beyond the edge")
    axis.text(0.2, 0.2, "white", color="white", bbox={"facecolor": "white"})
    found = " ".join(faults(figure))
    assert all(words in found for words in ("5.90 pt", "'small' on 'on top'", "cut off", "'white' has the colour"))


@pytest.mark.parametrize("name", ["opening figure", "curves over shots", "curves over shots, frozen"])
def test_no_word_stands_alone_in_the_last_line(name):
    for width in WIDTHS:
        with figure_options(width=width):
            texts = [text.get_text() for text, _ in shown_texts(FIGURES[name]())]
        last = [text.split("\n")[-1] for text in texts if text.endswith("L2 norm") or text.startswith("gain over")]
        assert last
        assert [line for line in last if len(line) < 8 or line == "shots"] == [], width
