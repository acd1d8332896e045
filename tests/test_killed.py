"""Sweeps and freezing as processes that are killed: the next call goes on, to the same bytes."""

import os
import signal
import subprocess
import sys

import pytest

import e2kd_lab as lab
from e2kd_lab.data.frozen import LOGITS, MAPS, FrozenTeacher
from e2kd_lab.errors import DataError
from e2kd_lab.runs import find_runs

SWEEP = """
import sys
import e2kd_lab as lab
base = lab.experiments.get("waterbirds", "smoke").replace(epochs=4)
lab.sweep([base.replace(method="kd", seed=seed) for seed in range(3)], folder=sys.argv[1],
          hardware=lab.Hardware(device="cpu", checkpoint_seconds=0.0), watcher=lab.training.Watcher(),
          say=lambda line: print(line, flush=True))
"""

FREEZE = """
import sys, time
import e2kd_lab as lab
from e2kd_lab import freezing
freezing._CHUNK = 16
experiment = lab.experiments.get("imagenet_frozen", "smoke")
def say(line):
    print(line, flush=True)
    time.sleep(float(sys.argv[3]))
freezing.freeze(experiment, folder=sys.argv[2], runs=sys.argv[1], say=say)
"""


def launch(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill_after(process, line_number):
    """SIGKILL once the process has said so many lines."""
    said = [process.stdout.readline() for _ in range(line_number)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    return said


def test_a_killed_sweep_goes_on_and_repeats_nothing(workspace, tmp_path):
    said = kill_after(launch(SWEEP, tmp_path), 1)
    assert "seed 0: done" in said[0]
    finished = [run for run in find_runs(tmp_path) if run.status == "done"]
    stamps = {run.folder: (run.folder / "metrics.csv").stat().st_mtime_ns for run in finished}
    assert 2 <= len(finished) < 4  # the teacher and the first student
    rest = launch(SWEEP, tmp_path).communicate(timeout=300)[0].splitlines()
    assert "seed 0: done before" in rest[0]
    assert [line.rpartition(": ")[2] for line in rest[1:]] == ["done", "done"]
    assert all((folder / "metrics.csv").stat().st_mtime_ns == stamp for folder, stamp in stamps.items())
    assert [run.status for run in find_runs(tmp_path)] == ["done"] * 4


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_killed_freezing_goes_on_to_the_same_bytes(workspace, tmp_path, chunks):
    experiment = lab.experiments.get("imagenet_frozen", "smoke")
    lab.run(experiment.teacher_experiment(), folder=tmp_path / "runs", progress=False)
    whole, cache = tmp_path / "whole", tmp_path / "cache"
    assert launch(FREEZE, tmp_path / "runs", whole, 0).wait(timeout=300) == 0
    kill_after(launch(FREEZE, tmp_path / "runs", cache, 0.3), chunks)
    with pytest.raises(DataError, match=f"{16 * chunks} of 80 images are frozen"):
        FrozenTeacher(cache)
    said = launch(FREEZE, tmp_path / "runs", cache, 0).communicate(timeout=300)[0].splitlines()
    assert len(said) == 5 - chunks  # chunks that were complete are kept
    for name in (LOGITS, MAPS):
        assert (cache / name).read_bytes() == (whole / name).read_bytes()
    assert len(FrozenTeacher(cache)) == 80
