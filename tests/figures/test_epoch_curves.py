import pandas as pd
import pytest

from e2kd_lab.figures import epoch_curves, figure_bytes
from e2kd_lab.figures.style import METHOD_COLOURS


def rows():
    values = [("B-cosified", 0, 50.0), ("B-cosified", 2, 90.0), ("B-cosified", 2, 94.0), ("from scratch", 2, 60.0)]
    return pd.DataFrame(values, columns=["kind", "epochs", "value"])


def test_lines_are_means_over_seeds_and_the_value_to_reach_is_named():
    figure = epoch_curves(rows(), line=99.0, line_name="ordinary network", title="Fine-tuning")
    first, second, goal = figure.axes[0].get_lines()
    assert [list(zip(*line.get_data(), strict=True)) for line in (first, second)] == [[(0, 50), (2, 92)], [(2, 60)]]
    assert list(goal.get_ydata()) == [99.0, 99.0]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["B-cosified", "from scratch", "ordinary network"]
    drawn = [line.get_color() for line in (first, second)]
    assert [handle.get_color() for handle in legend.legend_handles[:2]] == drawn
    assert len(set(drawn)) == 2
    assert figure.data.equals(rows())
    assert figure_bytes(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("line", [None, 80.0])
def test_there_is_a_line_to_reach_only_if_it_is_given(line):
    assert len(epoch_curves(rows(), line=line, line_name="goal").axes[0].get_lines()) == (3 if line else 2)


def test_more_kinds_than_can_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="at most 3 kinds, got a, b, c, d"):
        epoch_curves(pd.DataFrame({"kind": list("abcd"), "epochs": 1, "value": 1.0}))


def test_no_curve_has_the_colour_of_a_method():
    colours = {line.get_color() for line in epoch_curves(rows()).axes[0].get_lines()}
    assert not colours & set(METHOD_COLOURS.values())
