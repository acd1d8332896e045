"""A table of the paper as curves or bars, beside what was measured here."""

import e2kd_lab as lab
from e2kd_lab.widgets import ResultsPlot


def test_the_plot_follows_its_shots_and_methods(few_shots, tmp_path):
    panel = ResultsPlot(lab.results_of(few_shots), "table1", export_folder=tmp_path)
    pictures = [bytes(panel.image.value)]
    panel.shots.value = 1
    pictures.append(bytes(panel.image.value))
    panel.methods.value = ("kd", "e2kd")
    pictures.append(bytes(panel.image.value))
    panel.view.value = "bars"
    pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 4
    assert set(panel.data["method"]) == {"teacher", "kd", "e2kd"}
    assert set(panel.data["place"]) == {1}
    panel.export_button.click()
    assert {p.name for p in tmp_path.glob("*.csv")} == {"table1_bars_1.csv"}
    panel.methods.value = ()
    assert "at least one method" in panel.message.value
    assert panel.last_error is None
