"""``e2kd-lab bench --quick`` as a user calls it."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from e2kd_lab.bench import BENCHMARKS, BenchError
from e2kd_lab.cli.commands import app


def call(*arguments):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)], catch_exceptions=False)


def test_quick_writes_numbers_and_figure(tmp_path):
    result = call("--quick", "--out", tmp_path)
    assert result.exit_code == 0
    assert "e²KD / KD" in result.output
    found = json.loads((tmp_path / "bench.json").read_text())
    assert set(found) == {"machine", "timings", "ratios", "peak_bytes", "peak_bytes_are"}
    assert {"device", "device_name", "torch", "threads", "date", "quick"} <= set(found["machine"])
    assert found["machine"]["quick"] is True
    assert {timing["benchmark"] for timing in found["timings"]} == set(BENCHMARKS)
    for timing in found["timings"]:
        assert 0 < timing["seconds"]["lower"] <= timing["seconds"]["median"] <= timing["seconds"]["upper"]
        assert timing["images_per_second"] > 0
    for ratio in found["ratios"]:
        assert 0 < ratio["value"]["lower"] <= ratio["value"]["median"] <= ratio["value"]["upper"]
    counted = {
        (ratio["benchmark"], ratio["case"]): ratio["operations"]
        for ratio in found["ratios"]
        if ratio["operations"] is not None
    }
    assert counted["steps", "ResNet mini, GradCAM"] == 1.0
    assert counted["steps", "ResNet mini, B-cos"] == 2.0
    assert {benchmark for benchmark, _ in counted} == {"steps", "frozen"}
    table = pd.read_csv(tmp_path / "bench.csv")
    assert list(table["median"]) == pytest.approx([ratio["value"]["median"] for ratio in found["ratios"]])
    for kind in ("pdf", "svg", "png"):
        assert (tmp_path / f"bench.{kind}").stat().st_size > 1000


def test_only_some_and_the_default_folder(workspace):
    assert call("--quick", "--only", "epg_iou").exit_code == 0
    found = json.loads((workspace / "runs" / "bench" / "bench.json").read_text())
    assert {ratio["benchmark"] for ratio in found["ratios"]} == {"epg_iou"}


def test_an_unknown_device_is_refused(tmp_path):
    with pytest.raises(BenchError, match="no device 'tpu' to measure on; expected cpu or cuda"):
        call("--quick", "--out", tmp_path, "--device", "tpu")
    assert not list(tmp_path.iterdir())
