import pandas as pd

from e2kd_lab.figures import cheaper_explanations, figure_bytes


def rows():
    values = [
        ("kd", "KD", 0.0, 1.0, 20.0, 0.1),
        ("e2kd", "full", 1.0, 2.0, 80.0, 0.7),
        ("every", "2", 0.5, 1.5, 70.0, 0.6),
        ("every", "4", 0.25, 1.6, 60.0, 0.5),  # times are never exact: points are joined by what was explained
        ("part", "1/4", 0.25, 1.75, 50.0, 0.4),
        ("part", "1/4", 0.25, 1.75, 60.0, 0.6),
    ]
    columns = ["option", "label", "share", "cost", "agreement", "explanation_cosine"]
    table = pd.DataFrame(values, columns=columns)
    return pd.concat([table.assign(family="standard"), table.assign(family="bcos", cost=2 * table["cost"])])


def test_lines_run_from_kd_to_e2kd_through_means_over_seeds():
    figure = cheaper_explanations(rows(), title="Cheaper")
    agreement = figure.axes[0]
    lines = [list(zip(*line.get_data(), strict=True)) for line in agreement.get_lines() if len(line.get_xdata()) > 2]
    assert lines == [
        [(1.0, 20.0), (1.6, 60.0), (1.5, 70.0), (2.0, 80.0)],
        [(1.0, 20.0), (1.75, 55.0), (2.0, 80.0)],
    ]
    assert {text.get_text() for text in agreement.texts} == {"2", "4", "1/4"}
    assert [axis.get_title() for axis in figure.axes[:2]] == ["Standard networks", "B-cos networks"]
    assert figure_bytes(figure) == figure_bytes(cheaper_explanations(rows(), title="Cheaper"))


def test_an_option_that_was_not_tried_has_no_line():
    figure = cheaper_explanations(rows().query("option != 'part' and family == 'bcos'"))
    assert len(figure.axes) == 2
    assert len([line for line in figure.axes[0].get_lines() if len(line.get_xdata()) > 2]) == 1
