"""Signals by which terminals and batch systems end a program stop a run with its state saved."""

import signal

import pytest
import torch
from typer.testing import CliRunner

from e2kd_lab.cli.commands import app
from e2kd_lab.runs import Run, find_runs
from e2kd_lab.training.trainer import Trainer


def train(folder):
    """Train a teacher and a student of 6 steps each; the exit status."""
    command = ["train", "waterbirds", "--scale", "smoke", "--method", "e2kd", "--device", "cpu", "--runs", str(folder)]
    return CliRunner().invoke(app, command, catch_exceptions=False).exit_code


@pytest.fixture(scope="module")
def undisturbed(workspace, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert train(folder) == 0
    return folder


@pytest.fixture
def signals(monkeypatch):
    """Send signals to this process: a dictionary of those that are raised within a step, by the count of all steps."""
    to_raise, step, count = {}, Trainer._step, iter(range(1, 1000))

    def raising(*arguments):
        for kind in to_raise.get(next(count), ()):
            signal.raise_signal(kind)
        return step(*arguments)

    monkeypatch.setattr(Trainer, "_step", raising)
    return to_raise


@pytest.fixture(autouse=True)
def hang_up_ends():
    """These tests may themselves run under nohup, which ignores SIGHUP."""
    hang_up = getattr(signal, "SIGHUP", signal.SIGTERM)
    before = signal.signal(hang_up, signal.SIG_DFL)
    yield
    signal.signal(hang_up, before)


EACH_KIND = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


@pytest.mark.parametrize("steps", [(2, 5), (7, 11)], ids=["teacher", "student"])
@pytest.mark.parametrize("name", EACH_KIND)
def test_a_signal_saves_and_stops_and_the_same_command_goes_on_bit_for_bit(undisturbed, signals, tmp_path, name, steps):
    if not hasattr(signal, name):
        pytest.skip(f"there is no {name} on this system")
    kind = getattr(signal, name)
    before = signal.getsignal(kind)
    signals.update(dict.fromkeys(steps, [kind] if name == "SIGINT" else [kind] * 3))  # batch systems send some again
    for done in steps:
        assert train(tmp_path) == 128 + kind
        assert sum(torch.load(run.folder / "last.ckpt")["state"]["step"] for run in find_runs(tmp_path)) == done
        assert {run.status for run in find_runs(tmp_path)} <= {"done", "stopped"}
    assert train(tmp_path) == 0
    assert signal.getsignal(kind) == before
    for run in find_runs(undisturbed):
        assert (tmp_path / run.folder.name / "metrics.csv").read_bytes() == (run.folder / "metrics.csv").read_bytes()
        ours, theirs = Run(tmp_path / run.folder.name).load_model().state_dict(), run.load_model().state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("command", ["demo", "sweep waterbirds --method kd", "freeze imagenet_frozen"])
def test_every_command_that_trains_stops(signals, workspace, tmp_path, command):
    signals[2] = [signal.SIGTERM]
    ended = CliRunner().invoke(app, [*command.split(), "--scale", "smoke", "--runs", str(tmp_path)])
    assert ended.exit_code == 128 + signal.SIGTERM
    (run,) = find_runs(tmp_path)
    assert (run.status, torch.load(run.folder / "last.ckpt")["state"]["step"]) == ("stopped", 2)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP on this system")
def test_nohup_is_respected(signals, workspace, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signals[3] = [signal.SIGHUP]
        assert train(tmp_path) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
