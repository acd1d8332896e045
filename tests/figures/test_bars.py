"""Bars of means over seeds: what is drawn for one seed, several and none."""

import pandas as pd
import pytest

from e2kd_lab.figures.bars import bar_legend, draw_bar, draw_teacher
from e2kd_lab.figures.style import METHOD_COLOURS, new_figure


@pytest.fixture
def axis():
    return new_figure().subplots()


@pytest.mark.parametrize(("values", "dots"), [([], []), ([60.0], []), ([60.0, 66.0], [60.0, 66.0])])
def test_a_bar_reaches_the_mean_and_several_seeds_are_dots(axis, values, dots):
    draw_bar(axis, 2.0, pd.Series(values, dtype=float), "#123456", width=0.5, spacing=0.1, bottom=10.0)
    tops = [bar.get_y() + bar.get_height() for bar in axis.patches]
    assert tops == ([sum(values) / len(values)] if values else [])
    assert [y for line in axis.get_lines() for y in line.get_ydata()] == dots
    assert [round(float(x), 6) for line in axis.get_lines() for x in line.get_xdata()] == ([1.95, 2.05] if dots else [])


def test_the_teacher_is_a_dotted_line_at_its_mean(axis):
    draw_teacher(axis, pd.Series([], dtype=float))
    assert not axis.get_lines()
    draw_teacher(axis, pd.Series([80.0, 90.0]), (0.0, 1.0))
    (line,) = axis.get_lines()
    assert list(line.get_ydata()) == [85.0, 85.0]
    assert (line.get_linestyle(), line.get_color()) == (":", METHOD_COLOURS["teacher"])


def test_the_legend_names_methods_and_the_teacher():
    handles = bar_legend(["kd", "theirs"], teacher=True)
    assert [handle.get_label() for handle in handles] == ["KD", "theirs", "Teacher"]
