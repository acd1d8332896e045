"""Training curves for the screen: nothing of what was drawn before is left, and all of it can be read."""

import pytest
from figure_cases import curves, faults, shown_texts

from e2kd_lab.figures import figure_options, training_curves
from e2kd_lab.figures.live_curves import LiveCurves
from e2kd_lab.figures.options import VENUES
from e2kd_lab.methods import METHODS

CASES = {
    "one run": curves([("e2kd", 5.0, 0)]),
    "two runs": curves([("kd", 5.0, 0), ("e2kd", 5.0, 0)]),
    "all methods": curves([(method, 5.0, 0) for method in METHODS]),
    "nine runs": curves([("e2kd", lam, seed) for lam in (1.0, 5.0, 50.0) for seed in range(3)]),
    "none": {},
}


def scaled(name, factor):
    """Curves of a case with other numbers."""
    return {label: (method, rows.assign(value=factor * rows["value"])) for label, (method, rows) in CASES[name].items()}


LARGE, SMALL = scaled("two runs", 1000), scaled("one run", 1e-4)


def test_a_picture_does_not_depend_on_those_before():
    live = LiveCurves()
    for shown in (*CASES.values(), LARGE, SMALL, *CASES.values()):
        assert live.png(shown, total_epochs=12) == LiveCurves().png(shown, total_epochs=12)


@pytest.mark.parametrize("shown", [*CASES.values(), LARGE, SMALL], ids=[*CASES, "large numbers", "small numbers"])
def test_at_every_width_all_text_can_be_read(shown):
    for width in sorted({width for widths in VENUES.values() for width in widths}):
        with figure_options(width=width):
            assert faults(LiveCurves()._sheet(shown, 12).figure) == [], width


@pytest.mark.parametrize("name", CASES)
def test_they_say_what_the_exported_figure_does(name):
    live, full = LiveCurves()._sheet(CASES[name], 12).figure, training_curves(CASES[name], total_epochs=12)
    for one, other in zip(live.axes, full.axes, strict=True):
        assert [line.get_xydata().tolist() for line in one.lines] == [
            line.get_xydata().tolist() for line in other.lines
        ]
        assert (one.get_xlim(), one.get_ylim()) == (other.get_xlim(), other.get_ylim())
    said = [{text.get_text() for text, _ in shown_texts(figure)} for figure in (live, full)]
    assert {text for text in said[0] ^ said[1] if any(letter.isalpha() for letter in text)} == set()
