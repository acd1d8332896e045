"""``e2kd-lab plan``: what it prints, of real measurements and of such as one wants to be warned of."""

from dataclasses import replace

import pytest
from cost_cases import COST
from typer.testing import CliRunner

from e2kd_lab.cli.commands import app
from e2kd_lab.runs import plan as planning


def said(*arguments):
    ended = CliRunner().invoke(app, ["plan", *arguments], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert ended.exit_code == 0
    return " ".join(ended.stdout.split())


@pytest.fixture
def measured(monkeypatch):
    """Set what is measured."""

    def measures(**changes):
        monkeypatch.setattr(planning, "measure_cost", lambda experiment, **options: replace(COST, **changes))

    return measures


def test_a_smoke_grid_is_measured_and_printed(workspace, tmp_path):
    shown = said("waterbirds", "--scale", "smoke", "--method", "e2kd", "--seeds", "0,1", "--runs", str(tmp_path))
    assert "measuring Waterbirds (smoke): e²KD" in shown
    assert "│ e²KD │ 16 │" in shown
    assert "explain_part=0.25" in shown
    assert "No GPU" not in shown
    assert len([*tmp_path.glob("*/estimate.json")]) == 17  # with the teacher


def test_what_was_left_out_or_scaled_is_said(workspace, measured, tmp_path):
    measured(is_drawn=True, measured_batch=8, images_given=32.0, cheaper={"frozen=true": 0.5}, frozen_bytes=10**11)
    options = ("--scale", "paper", "--method", "e2kd", "--device", "cpu", "--runs", str(tmp_path))
    shown = said("imagenet_frozen", *options)
    assert "No GPU was used" in shown
    assert "drawn pictures stood in for them" in shown
    assert "Measured with 8 of 64 images a step" in shown
    assert "it is 4.0 times too slow (--workers)" in shown
    assert "The frozen teacher of imagenet_frozen takes 100.0 GB" in shown
    assert "The teacher has to be given (--teacher)" in shown
    assert "│ 0.50 │" in shown
    assert "│ all │ 8 │" in shown


def test_finished_runs_are_compared_with_their_estimates(workspace, measured, tmp_path):
    measured()
    options = ("waterbirds", "--scale", "smoke", "--method", "baseline", "--runs", str(tmp_path))
    said(*options)
    trained = ["train", *options[:3], "--method", "baseline", "--runs", str(tmp_path)]
    assert CliRunner().invoke(app, trained).exit_code == 0
    shown = said(*options)
    assert "2, 2 done" in shown
    assert "Runs that are done: estimated before, and what they took" in shown
    assert "%" in shown
