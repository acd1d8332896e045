"""The opening figure: bars, diamonds and pictures where the numbers are, and nothing cut off or on top of another."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from e2kd_lab.explanations import Comparison
from e2kd_lab.figures import figure_bytes, teaser
from e2kd_lab.figures.style import TEXT_WIDTH, styled
from e2kd_lab.figures.teaser import PARTS
from e2kd_lab.paper import beside_paper
from e2kd_lab.paper.teaser_numbers import COLUMNS, example_image, teaser_numbers
from e2kd_lab.runs import RESULT_COLUMNS

TITLES = ("landbird on land", "landbird on water", "waterbird on land", "waterbird on water")


def row(run, method, metric, value, **columns):
    filled = {
        "status": "done",
        "scale": "lab",
        "split": "test",
        "group": "all",
        "setting": "base",
        "seed": 0,
        "lam": 5.0,
    }
    filled |= {"tau": 1.0, "run": run, "method": method, "metric": metric, "value": value}
    return dict.fromkeys(RESULT_COLUMNS, "") | filled | columns


def few_shots(settings=("10-shots", "40-shots", "base")):
    """Table 2: KD of two seeds at 10, 30, 50 and 14, 34, 54 percent, e2KD 20 points above."""
    rows = [row("t", "teacher", "accuracy", 90.0, experiment="imagenet", seed=1000)]
    for (place, setting), seed, metric in itertools.product(enumerate(settings), (0, 1), ("accuracy", "agreement")):
        for method, gain in (("baseline", -5), ("kd", 0), ("e2kd", 20)):
            value = 10.0 + 20 * place + 4 * seed + gain
            where = {"experiment": "imagenet_bcos", "setting": setting, "seed": seed, "teacher": "t", "family": "bcos"}
            rows.append(row(f"{setting}-{method}-{seed}", method, metric, value, **where))
    return beside_paper(pd.DataFrame(rows, columns=RESULT_COLUMNS), "table2")


def waterbirds(family="bcos", scale="lab"):
    levels = {"teacher": (95.0, 90.0), "kd": (98.0, 3.0), "e2kd": (94.0, 71.0), "at": (1.0, 1.0)}
    return pd.DataFrame(
        [
            row(method, method, metric, value, group=group, experiment="waterbirds", family=family, scale=scale)
            for method, values in levels.items()
            for group, value in zip(("in_distribution", "out_of_distribution"), values, strict=True)
            for metric in ("accuracy", "agreement")
            if (method, metric) != ("teacher", "agreement")
        ],
        columns=RESULT_COLUMNS,
    )


def comparison(channels=6, kd=(True, True, False, False), titles=TITLES):
    torch.manual_seed(0)
    maps = {name: torch.randn(4, channels, 16, 16).abs() for name in ("teacher", "kd", "e2kd")}
    right = {"teacher": torch.ones(4).bool(), "kd": torch.tensor(kd), "e2kd": torch.ones(4).bool()}
    explanation = "bcos" if channels == 6 else "gradcam"
    return Comparison(torch.rand(4, 3, 16, 16), maps, right, titles=titles, explanation=explanation)


@pytest.fixture(scope="module")
def numbers():
    return teaser_numbers(few_shots(), waterbirds())


def heights(axis):
    return [round(bar.get_height(), 6) for bar in axis.patches]


def diamonds(axis):
    return sorted(y for line in axis.get_lines() if line.get_marker() == "D" for y in line.get_ydata())


def hidden_ticks(figure):
    """Labels of ticks beyond the ends of their axes, which are not drawn."""
    hidden = []
    for axis in figure.axes:
        for labels, limits, number in (
            (axis.get_xticklabels(), axis.get_xlim(), 0),
            (axis.get_yticklabels(), axis.get_ylim(), 1),
        ):
            hidden += [label for label in labels if not limits[0] <= label.get_position()[number] <= limits[1]]
    return hidden


def test_numbers_are_those_of_the_ends_and_of_the_two_distributions(numbers):
    assert list(numbers.columns) == COLUMNS
    assert set(numbers["family"]) == {"bcos"}
    assert set(numbers["method"]) == {"teacher", "kd", "e2kd"}
    data = numbers[numbers["part"] == "data"]
    columns = {source: list(part.sort_values("place")["column"].unique()) for source, part in data.groupby("source")}
    assert columns == {"paper": ["50 shots", "all images"], "measured here (lab)": ["10 shots", "all images"]}
    shift = numbers.query("part == 'shift' and method == 'kd' and metric == 'accuracy'").sort_values("place")
    assert shift["value"].tolist() == [98, 3]
    assert set(shift["source"]) == {"measured here (lab)"}


def test_bars_and_diamonds_are_where_the_numbers_are(numbers):
    figure = teaser(numbers, comparison(), number=2)
    data_accuracy, data_agreement, shift_accuracy, shift_agreement = figure.axes[:4]
    assert heights(data_accuracy) == heights(data_agreement) == [12, 32, 52, 72]
    assert heights(shift_accuracy) == heights(shift_agreement) == [98, 94, 3, 71]
    assert diamonds(data_accuracy) == [35.3, 43.9, 70.3, 70.6]  # Table 2
    assert diamonds(data_agreement) == [38.4, 48.4, 79.9, 80.3]
    assert diamonds(shift_accuracy) == []  # the paper has bars without numbers
    teacher = [line.get_ydata()[0] for line in shift_accuracy.get_lines() if line.get_linestyle() == ":"]
    assert teacher == [95, 90]
    assert [label.get_text() for label in data_agreement.get_xticklabels()] == ["10 shots\n(paper: 50)", "all\nimages"]
    written = " ".join(text.get_text() for text in figure.texts)
    assert "Bars, dots (seeds), dotted lines: measured here (lab)." in written
    assert "Diamonds: paper, 50 shots and all images." in written
    assert "B-cos networks" in written


def test_the_chosen_image_stands_beside_its_maps(numbers):
    shown = comparison()
    figure = teaser(numbers, shown, number=2)
    image = figure.axes[4].images[0].get_array()
    np.testing.assert_allclose(image, shown.images[2].permute(1, 2, 0))
    names = {text.get_text() for text in figure.texts}
    assert {"waterbird on land", "Teacher ✓", "KD ✗", "e²KD ✓"} <= names


@pytest.mark.parametrize(
    ("kd", "titles", "number"),
    [
        ((True, True, False, False), TITLES, 2),
        ((False, False, True, True), TITLES, 1),  # out of distribution goes before
        ((False, True, True, True), TITLES, 0),
        ((True, True, True, True), TITLES, 1),  # KD gets all right
        ((True, True, True, False), (), 3),
    ],
)
def test_the_example_image_is_one_that_kd_gets_wrong(kd, titles, number):
    assert example_image(comparison(kd=kd, titles=titles)) == number


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 6])
def test_nothing_is_cut_off_small_or_on_top_of_another(numbers, count, channels):
    for parts in itertools.combinations(PARTS, count):
        figure = teaser(numbers, comparison(channels), parts=parts)
        assert (figure.get_figwidth() == pytest.approx(TEXT_WIDTH)) == (len(parts) == 3)
        with styled():
            FigureCanvasAgg(figure).draw()
            written = [text for text in figure.findobj(Text) if text.get_text() and text not in hidden_ticks(figure)]
            boxes = [box for box in (text.get_window_extent() for text in written) if box.width > 1]  # the drawn ones
            pictures = [axis.get_window_extent() for axis in figure.axes if axis.images]
        assert min(text.get_fontsize() for text in written) >= 6
        for box in boxes:
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
        for one, other in itertools.combinations([*boxes, *pictures], 2):
            assert (
                min(one.x1, other.x1) - max(one.x0, other.x0) < 1 or min(one.y1, other.y1) - max(one.y0, other.y0) < 1
            )


def test_it_is_byte_stable_and_drawn_without_results(numbers):
    for kind in ("png", "pdf", "svg"):
        first, second = (figure_bytes(teaser(numbers, comparison(), number=1), kind) for _ in range(2))
        assert first == second
    nothing = teaser_numbers(few_shots(())[:0], waterbirds()[:0])
    assert list(nothing.columns) == COLUMNS
    assert figure_bytes(teaser(nothing, comparison())).startswith(b"\x89PNG")


def test_with_all_images_alone_the_place_of_few_shots_stays_empty():
    one_seed = few_shots(("base",)).query("seed != 1")
    figure = teaser(teaser_numbers(one_seed, waterbirds()), parts=("data",))
    assert "dots" not in " ".join(text.get_text() for text in figure.texts)
    assert heights(figure.axes[0]) == [10, 30]
    assert [bar.get_x() > 0.5 for bar in figure.axes[0].patches] == [True, True]
    assert figure.axes[1].get_xticklabels()[0].get_text() == "50\nshots"  # the paper's


def test_what_makes_no_sense_is_refused(numbers):
    with pytest.raises(ValueError, match="one scale and family, got lab bcos, lab standard"):
        teaser_numbers(few_shots(), pd.concat([waterbirds(), waterbirds("standard")]))
    with pytest.raises(ValueError, match="has the parts data, shift, explanations, got left"):
        teaser(numbers, parts=("left",))
    with pytest.raises(ValueError, match="got none"):
        teaser(numbers, parts=())
    with pytest.raises(ValueError, match="needs a comparison"):
        teaser(numbers)
