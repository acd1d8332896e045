import json

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from e2kd_lab.bench import run_benchmarks
from e2kd_lab.bench.pairs import METHODS
from e2kd_lab.bench.timing import BenchError
from e2kd_lab.cli.commands import app


def test_the_command_writes_numbers_and_a_figure(workspace, tmp_path):
    result = CliRunner().invoke(
        app, ["bench", "--quick", "--only", "steps", "--only", "epg_iou", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "bench.json").read_text())
    assert {"machine", "timings", "ratios", "peak_bytes"} <= set(found)
    assert {timing["benchmark"] for timing in found["timings"]} == {"steps", "epg_iou"}
    assert found["machine"]["threads"] == torch.get_num_threads()
    table = pd.read_csv(tmp_path / "bench.csv")
    assert (table[["lower", "median", "upper"]] > 0).all(axis=None)
    assert sum(table["title"] == "e²KD / KD") == 2
    assert len(found["timings"]) == 2 * 2 * len(METHODS) + 3
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".csv", ".pdf", ".svg", ".png"}


def test_what_is_not_known_is_refused(tmp_path):
    with pytest.raises(BenchError, match="no benchmark 'speed'; expected one of steps"):
        run_benchmarks(["speed"], quick=True, out=tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(BenchError, match="no CUDA device"):
            run_benchmarks(["epg_iou"], device="cuda", quick=True, out=tmp_path)
