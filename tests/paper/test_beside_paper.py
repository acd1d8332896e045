"""The paper's tables beside ours: nothing gets lost or mixed up on the way to figure and table."""

import itertools

import numpy as np
import pandas as pd
import pytest

from e2kd_lab.figures import figure_bytes, method_bars, shot_curves
from e2kd_lab.paper import beside_paper, paper_results, wide_table
from e2kd_lab.runs import RESULT_COLUMNS

GAINS = {  # in brackets in Tables 1 to 3, calculated from the rounded numbers there
    ("table1", "50 shots"): (5.1, 6.2),
    ("table1", "200 shots"): (1.0, 1.3),
    ("table2", "50 shots"): (8.6, 10.0),
    ("table3", "200 shots"): (4.4, 5.1),
}


def results(values, *, experiment="imagenet_standard", teacher="t", metrics=("accuracy", "agreement")):
    """Rows of finished runs: {(setting, method): [a value for each seed]}; agreement is one point higher."""
    rows = []
    for (setting, method), seeds in values.items():
        for seed, value in enumerate(seeds):
            for metric in metrics:
                row = dict.fromkeys(RESULT_COLUMNS, "") | {
                    "run": teacher if method == "teacher" else f"{experiment}-{setting}-{method}-{seed}",
                    "teacher": "" if method == "teacher" else teacher,
                    "status": "done",
                    "experiment": "imagenet" if method == "teacher" else experiment,
                    "scale": "lab",
                    "family": "standard",
                    "setting": "base" if method == "teacher" else setting,
                    "method": method,
                    "lam": 5.0,
                    "tau": 1.0,
                    "seed": seed,
                    "split": "test",
                    "group": "all",
                    "metric": metric,
                    "value": value + (metric == "agreement"),
                }
                rows.append(row)
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


OURS = results(
    {
        ("base", "kd"): [70.0, 72.0],
        ("base", "e2kd"): [71.0, 73.0],
        ("10-shots", "kd"): [20.0, 22.0],
        ("10-shots", "e2kd"): [30.0, 34.0],
        ("2-shots", "kd"): [5.0, 5.0],
        ("2-shots", "e2kd"): [6.0, 6.0],
    }
)


@pytest.mark.parametrize(("table", "column"), GAINS)
def test_gains_of_the_paper_are_those_in_its_brackets(table, column):
    wide = wide_table(beside_paper(OURS.iloc[:0], table))
    gain = wide.loc["gain of e²KD over KD", ("paper", column)]
    assert (gain["accuracy"], gain["agreement"]) == pytest.approx(GAINS[table, column])


@pytest.mark.parametrize("table", ["table1", "table2", "table3", "table4", "table5", "tableB1", "figure4"])
def test_every_published_number_is_there(table):
    rows = beside_paper(OURS.iloc[:0], table)
    metrics = ["epg", "iou", "f1"] if table == "table4" else ["accuracy", "agreement"]
    published = paper_results(table).query("method != 'teacher'")
    published = published[published["metric"].isin(metrics)]
    students = rows[rows["method"] != "teacher"]
    assert sorted(students["value"]) == sorted(published["value"])
    assert students.groupby(["place", "method", "metric"])["value"].size().eq(1).all()


def test_our_columns_go_from_few_to_all_images_and_average_seeds():
    rows = beside_paper(OURS, "table1")
    wide = wide_table(rows)["measured here (lab)"]
    assert list(wide.columns.unique(0)) == ["2 shots", "10 shots", "all images"]
    assert wide.loc["KD", ("10 shots", "accuracy")] == 21
    assert wide.loc["KD", ("10 shots", "agreement")] == 22
    assert wide.loc["gain of e²KD over KD", ("10 shots", "accuracy")] == 11


def test_frozen_students_have_rows_of_their_own_and_the_teacher_stands_in_every_column():
    live = results({("base", "kd"): [60.0], ("10-shots", "kd"): [10.0]}, experiment="imagenet_bcos_densenet")
    frozen = results({("base", "kd"): [50.0], ("base", "e2kd"): [55.0]}, experiment="imagenet_frozen")
    teacher = results({("base", "teacher"): [80.0]}, metrics=("accuracy",))
    wide = wide_table(beside_paper(pd.concat([live, frozen, teacher]), "table3"))["measured here (lab)"]
    assert wide.loc["KD", ("all images", "accuracy")] == 60
    assert wide.loc["KD, frozen", ("all images", "accuracy")] == 50
    assert wide.loc["gain of e²KD, frozen over KD, frozen", ("all images", "accuracy")] == 5
    assert wide.loc["Teacher"].xs("accuracy", level="metric").tolist() == [80, 80]


def test_a_frozen_setting_stands_beside_the_live_teachers_students():
    measured = results({("base", "kd"): [60.0], ("base", "e2kd"): [65.0], ("frozen", "e2kd"): [70.0]})
    wide = wide_table(beside_paper(measured.assign(experiment="cnn_to_vit"), "figure4"))
    column = wide["measured here (lab)", "all images", "accuracy"]
    assert (column["KD"], column["e²KD"], column["e²KD, frozen"]) == (60, 65, 70)
    assert wide["paper", "all images", "accuracy"]["e²KD"] == 66.3


def test_table_5_keeps_directions_and_their_teachers_apart():
    parts = [
        results({("base", "kd"): [10.0]}, experiment="data_free", teacher="net"),
        results({("reversed", "kd"): [40.0]}, experiment="data_free", teacher="scenes"),
        results({("base", "teacher"): [80.0]}, metrics=("accuracy",), teacher="net"),
        results({("base", "teacher"): [60.0]}, metrics=("accuracy",), teacher="scenes"),
    ]
    rows = beside_paper(pd.concat(parts), "table5")
    for source, sun_to_imagenet, teacher in (("paper", 14.9, 75.2), ("measured here (lab)", 10.0, 80.0)):
        column = wide_table(rows)[source, "SUN → ImageNet", "accuracy"]
        assert (column["KD"], column["Teacher"]) == (sun_to_imagenet, teacher)
    assert wide_table(rows).loc["Teacher", ("measured here (lab)", "ImageNet → SUN", "accuracy")] == 60


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="no table 'table9' here; expected one of table1"):
        beside_paper(OURS, "table9")


def test_curves_pass_through_the_means_and_bars_reach_them():
    rows = beside_paper(OURS, "table1")
    figure = shot_curves(rows, methods=["kd"], place=1)
    ours = figure.axes[1]
    np.testing.assert_allclose(ours.get_lines()[0].get_ydata(), [5, 21, 71])
    gains = figure.axes[2]
    texts = [text.get_text() for text in gains.texts]
    assert texts == ["+1.0", "+11.0"]  # of the paper's 200 shots, and of our 10 shots
    bars = method_bars(rows, place=1)
    heights = [patch.get_height() for patch in bars.axes[1].patches]
    np.testing.assert_allclose(heights, [21, 32])  # KD, e2KD; the other methods of the paper have no bar
    assert {label.get_text() for label in bars.legends[0].get_texts()} >= {"KD", "e²KD", "AT"}


@pytest.mark.parametrize(("table", "draw"), list(itertools.product(["table1", "tableB1"], [shot_curves, method_bars])))
def test_figures_are_drawn_without_our_results_too(table, draw):
    assert figure_bytes(draw(beside_paper(OURS.iloc[:0], table))).startswith(b"\x89PNG")
