"""Options of all figures: what they accept, whom they reach, and that they end."""

import threading

import pytest

from e2kd_lab.figures import FigureOptions, figure_options, training_curves
from e2kd_lab.figures.options import VENUES, current_options


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": "CVPR"},
        {"width": 1.0},
        {"width": float("nan")},
        {"width": True},
        {"width": "eccv", "columns": 2},
        {"width": 4.0, "columns": 2},
        {"columns": 0},
        {"font_size": 5.0},
        {"title": "no"},
        {"group_names": "codes"},
        {"images_per_row": 0},
        {"opacity": 1.5},
        {"colour_map": "vridis"},
        {"colour_map": "tab10"},
        {"page": "a5"},
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(wrong):
    with pytest.raises(ValueError, match=rf"^The figure option {list(wrong)[-1]} is .*; expected .*\.$"):
        FigureOptions(**wrong)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="colour"), figure_options(colour="red"):
        pass


@pytest.mark.parametrize(
    ("venue", "columns"), [(name, n + 1) for name, all_ in VENUES.items() for n in range(len(all_))]
)
def test_figures_have_the_venues_width(venue, columns):
    with figure_options(width=venue, columns=columns) as options:
        assert training_curves({}).get_figwidth() == options.inches == VENUES[venue][columns - 1]


def test_options_nest_and_end_even_after_an_error():
    with figure_options(width=6.0, title=False):
        with figure_options(columns=1, title=True):
            assert current_options() == FigureOptions(width=6.0)
        with figure_options(FigureOptions(font_size=8)):
            assert current_options() == FigureOptions(font_size=8)
        with pytest.raises(KeyError), figure_options(title=True):
            raise KeyError
        assert current_options() == FigureOptions(width=6.0, title=False)
    assert current_options() == FigureOptions()


def test_other_threads_keep_theirs():
    seen = []
    with figure_options(width="cvpr"):
        thread = threading.Thread(target=lambda: seen.append(current_options()))
        thread.start()
        thread.join()
    assert seen == [FigureOptions()]
