"""``e2kd-lab sweep`` and jobs: what is refused, what --status and --cancel say."""

import pytest
from typer.testing import CliRunner

from e2kd_lab.cli.commands import app
from e2kd_lab.cli.submitted import extra_options
from e2kd_lab.system.errors import ExperimentError

SWEEP = ["sweep", "waterbirds", "--scale", "smoke", "--method", "kd"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep"], "an experiment and a method"),
        (["sweep", "waterbirds", "--status"], "an experiment and a method"),
        ([*SWEEP, "--max-parallel", "2"], "expected --on"),
        ([*SWEEP, "--on", "pbs"], "no cluster 'pbs'"),
        ([*SWEEP, "--on", "slurm", "--extra", "account"], "--extra account has no value"),
        ([*SWEEP, "--log", "paper"], "no tracker 'paper'"),
    ],
)
def test_what_does_not_fit_together_is_refused(workspace, tmp_path, arguments, words):
    ended = CliRunner().invoke(app, [*arguments, "--runs", str(tmp_path)])
    assert isinstance(ended.exception, ExperimentError)
    assert words in str(ended.exception)
    assert not list(tmp_path.iterdir())


def test_status_and_cancel_without_jobs(workspace, tmp_path):
    shown = CliRunner().invoke(app, [*SWEEP, "--seeds", "0,1", "--runs", str(tmp_path), "--status"])
    assert shown.exit_code == 0
    assert "5 runs: 5 missing" in shown.stdout  # a teacher, two temperatures, two seeds
    ended = CliRunner().invoke(app, ["sweep", "--cancel", "--runs", str(tmp_path)])
    assert "Jobs of 0 runs are ended" in ended.stdout


def test_options_of_sbatch_are_read():
    assert extra_options(["account=vision", "--mem=32G", "export=A=1"]) == {
        "account": "vision",
        "mem": "32G",
        "export": "A=1",
    }
