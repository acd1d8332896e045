"""Every notebook runs from top to bottom at smoke scale and keeps the house's anatomy."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def trains(cell):
    """Whether a cell trains, or loads what is trained."""
    return re.search(r"\b(lab\.(run|run_all|sweep)|freeze)\(", cell.source) is not None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_to_its_last_assertion(path, tmp_path, monkeypatch):
    """Also with other seeds; what trains stands in cells of its own, so that no panel waits for it."""
    monkeypatch.setenv("E2KD_LAB_SCALE", "smoke")
    monkeypatch.setenv("E2KD_LAB_HOME", str(tmp_path / "home"))
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[-1].source.startswith("assert ")
    for cell in notebook.cells:
        cell.source = cell.source.replace("SEEDS = (0,)", "SEEDS = (1,)")
    runs = [0]

    def count_runs(cell, **_):
        runs.append(len(list((tmp_path / "home" / "runs").glob("*"))))
        assert trains(cell) or runs[-1] == runs[-2], f"trains unasked: {cell.source}"

    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.on_cell_executed = count_runs
    client.execute()
    assert list((tmp_path / "exports").glob("*.pdf"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_trainings_stand_in_cells_of_their_own(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    training = [cell for cell in cells if trains(cell)]
    assert training
    for cell in training:
        assert not isinstance(ast.parse(cell.source).body[-1], ast.Expr), f"shows something: {cell.source}"
        assert cell.outputs == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_reads_well_on_a_code_host(path):
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    assert path.stat().st_size < 1_000_000
    pictures = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert len(cell.source.splitlines()) <= 15
        defines = re.search(r"^\s*(def|class) ", cell.source, flags=re.MULTILINE)
        assert not defines or path.stem == "12_bring_your_own"  # which is about definitions
        assert cell.execution_count is not None
        for output in cell.outputs:
            assert output.output_type not in ("error", "stream")
            pictures += bool({"image/png", "image/jpeg"} & set(output.get("data", {})))
    assert pictures >= 3


def test_there_are_notebooks():
    names = ("00_quickstart", "01_waterbirds", "02_imagenet_standard", "03_imagenet_bcos", "04_frozen_explanations")
    assert {path.stem for path in NOTEBOOKS} >= {
        *names,
        "05_data_free",
        "06_voc",
        "07_cnn_to_vit",
        "08_prior_work",
        "09_lambda_tau_lab",
        "10_teaser",
        "11_cheaper_explanations",
        "12_bring_your_own",
        "13_which_explanation",
        "14_faithful_copies",
        "15_studio",
        "16_bcosify",
    }
