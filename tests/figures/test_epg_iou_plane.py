"""The plane of EPG and IoU: points where the numbers are, arrows from KD to e2KD."""

import pandas as pd
import pytest

from e2kd_lab.figures import epg_iou_plane, figure_bytes
from e2kd_lab.paper import beside_paper
from e2kd_lab.runs import RESULT_COLUMNS


def ours():
    """Two seeds of KD and e2KD for both teachers."""
    values = {
        ("base", "kd", 0): (50, 30),
        ("base", "kd", 1): (52, 32),
        ("base", "e2kd", 0): (60, 20),
        ("base", "e2kd", 1): (62, 22),
        ("iou", "kd", 0): (50, 30),
        ("iou", "e2kd", 0): (51, 40),
    }
    rows = [
        dict.fromkeys(RESULT_COLUMNS, "")
        | {
            "run": f"{setting}-{method}-{seed}",
            "experiment": "voc",
            "scale": "lab",
            "setting": setting,
            "method": method,
            "seed": seed,
            "split": "test",
            "group": "all",
            "metric": metric,
            "value": float(value),
        }
        for (setting, method, seed), pair in values.items()
        for metric, value in zip(("epg", "iou"), pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


def test_points_and_arrows_are_where_the_numbers_are():
    figure = epg_iou_plane(beside_paper(ours(), "table4"), title="Table 4")
    paper, here = figure.axes
    assert [axis.get_title() for axis in figure.axes] == ["paper", "measured here (lab)"]
    arrows = sorted((*note.xyann, *note.xy) for note in here.texts)
    assert arrows == [(50, 30, 51, 40), (51, 31, 61, 21)]  # of the means over seeds
    points = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in paper.get_lines()}
    assert points == {(50, 29), (75.7, 21.3), (60.1, 31.6), (71.1, 24.8), (65, 49.7), (58.9, 35.7), (60.3, 45.7)}
    assert figure_bytes(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("method", ["kd", "e2kd"])
def test_without_both_ends_there_is_no_arrow(method):
    rows = beside_paper(ours().query("method == @method"), "table4")
    assert not epg_iou_plane(rows).axes[1].texts
