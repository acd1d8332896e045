"""The command line as a user calls it."""

import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from e2kd_lab.cli import app, main
from e2kd_lab.demo import COLUMNS


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_demo_writes_results_and_figures_and_is_quick_the_second_time(workspace, tmp_path):
    result = call("demo", "--scale", "smoke", "--out", tmp_path / "demo")
    assert result.exit_code == 0
    assert "jupyter lab" in result.output
    table = pd.read_csv(tmp_path / "demo" / "results.csv")
    assert list(table.columns) == COLUMNS
    assert set(table["method"]) == {"teacher", "baseline", "kd", "e2kd"}
    assert set(table["group"]) == {
        "all", "in_distribution", "out_of_distribution", "worst", "LL", "LW", "WL", "WW",
    }  # fmt: skip
    for stem in ("waterbirds_bars", "waterbirds_explanations"):
        for kind in ("pdf", "svg", "png"):
            assert (tmp_path / "demo" / f"{stem}.{kind}").stat().st_size > 1000
    again = call("demo", "--scale", "smoke", "--out", tmp_path / "again")
    assert "loaded" in again.output
    assert "trained" not in again.output
    assert (tmp_path / "again" / "results.csv").read_bytes() == (tmp_path / "demo" / "results.csv").read_bytes()


def test_data_make_and_check(tmp_path):
    folder = tmp_path / "birds"
    made = call("data", "make", "minibirds", "--out", folder, "--size", 16, "--train", 4, 2, "--val", 1, "--test", 1,
                "--teacher", 1)  # fmt: skip
    assert made.exit_code == 0
    checked = call("data", "check", folder)
    assert "14 images, all of them readable" in checked.output


def test_train_evaluate_results_figures(workspace, tmp_path):
    trained = call("train", "waterbirds", "--scale", "smoke", "--method", "kd", "--runs", tmp_path, "--set", "lr=0.005")
    assert ": done" in trained.output
    checkpoint = next(tmp_path.glob("*-kd-*")) / "last.ckpt"
    evaluated = call("evaluate", checkpoint, "--scale", "smoke", "--set", "lr=0.005", "--runs", tmp_path)
    assert "agreement" in evaluated.output
    assert call("results", "--runs", tmp_path, "--out", tmp_path / "all.csv").exit_code == 0
    assert len(pd.read_csv(tmp_path / "all.csv")) > 50
    drawn = call("figures", "--runs", tmp_path, "--out", tmp_path / "figures")
    assert "waterbirds_smoke_standard_out_of_distribution.pdf" in drawn.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "waterbirds", "--family", "acme"], "no family 'acme'; expected one of standard, bcos"),
        (["data", "check", "/nowhere"], "error: /nowhere is no folder"),
        (["train", "moonbirds"], "error: There is no experiment 'moonbirds'"),
        (["train", "waterbirds", "--scale", "paper"], "give data_root"),
        (["data", "make", "minibirds", "--size", "3"], "size"),
        (["results", "--runs", "/nowhere"], "holds no runs"),
    ],
)
def test_mistakes_end_in_one_sentence(monkeypatch, capsys, workspace, arguments, says):
    monkeypatch.setattr(sys, "argv", ["e2kd-lab", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_the_command_is_installed():
    shown = subprocess.run(["e2kd-lab", "--help"], capture_output=True, text=True, check=True)
    assert "demo" in shown.stdout
