"""The paper's tables as a panel: choose a table and a number, copy and export."""

import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.paper import results_cells, table_csv, table_html, table_latex, table_markdown
from e2kd_lab.paper.table_cells import TABLE_TITLES
from e2kd_lab.widgets import ResultsTable


@pytest.fixture
def results(runs):
    return lab.load_runs(runs)


def test_a_table_is_chosen_and_every_number_lists_its_runs(results, tiny):
    panel = ResultsTable(results, "figureB2")
    assert [name for _, name in panel.table.options] == list(TABLE_TITLES)
    assert panel.shown.value == table_html(panel.data, "figureB2")
    measured = panel.data[panel.data["source"] != "paper"]
    listed = set()
    for _, row in panel.row.options:
        panel.row.value = row
        for _, number in panel.number.options:
            panel.number.value = number
            assert panel.runs.value.count("<li>") == panel.cell["n"]
            assert all(name in panel.runs.value for name in panel.cell["runs"])
            listed.add(panel.cell.name)
    assert listed == set(measured.index)
    panel.row.value = (0, "e2kd")
    assert panel.cell["runs"] == (tiny.replace(method="e2kd", lam=5.0).run_name(),)
    assert "λ = 5, τ = 1" in panel.runs.value
    panel.table.value = "table1"
    assert "no finished runs yet" in panel.message.value
    assert (panel.row.options, panel.number.options, panel.cell, panel.runs.value) == ((), (), None, "")
    panel.table.value = "figureB1"
    assert panel.row.value == (0, "teacher")
    assert panel.cell is not None
    assert panel.last_error is None


def test_the_list_of_runs_tells_from_how_many_configurations_they_were_chosen(results, tiny):
    kd = results[results["run"] == tiny.replace(method="kd").run_name()]
    worse = kd.assign(run="waterbirds-smoke-kd-00000000-s7", seed=7, value=kd["value"] - 1000)
    panel = ResultsTable(pd.concat([results, worse]), "figureB2")
    panel.row.value = (0, "kd")
    assert "chosen by validation from 2 configurations" in panel.runs.value
    assert tiny.replace(method="kd").run_name() in panel.runs.value
    assert "s7" not in panel.runs.value
    panel.row.value = (0, "e2kd")
    assert "chosen by" not in panel.runs.value
    assert panel.last_error is None


def test_the_text_follows_the_format_and_all_are_exported(results, tmp_path):
    panel = ResultsTable(results, "figureB2", export_folder=tmp_path)
    writers = {"LaTeX": ("tex", table_latex), "Markdown": ("md", table_markdown), "CSV": ("csv", table_csv)}
    panel.export_button.click()
    assert "results_figureB2.tex" in panel.notice.value
    for name, (suffix, write) in writers.items():
        panel.format.value = name
        text = write(results_cells(results, "figureB2"), "figureB2")
        assert panel.text.value == text
        assert (tmp_path / f"results_figureB2.{suffix}").read_text(encoding="utf-8") == text
    assert {file.suffix for file in tmp_path.iterdir()} == {".tex", ".md", ".csv"}
    assert panel.last_error is None


def test_the_table_stands_in_where_widgets_cannot_be_shown(results):
    panel = ResultsTable(results, "table1", tables=["figureB1"])
    assert [name for _, name in panel.table.options] == ["figureB1", "table1"]
    bundle, _ = panel._repr_mimebundle_()
    assert bundle["text/html"] == panel.shown.value
    assert "image/png" not in bundle


def test_errors_are_shown_in_place(results):
    panel = ResultsTable(pd.DataFrame(), "table1")
    assert isinstance(panel.last_error, KeyError)
    assert "KeyError" in panel.notice.value
