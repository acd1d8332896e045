"""Training resumes to the same numbers, bit for bit, however it was interrupted."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.runs import Run
from e2kd_lab.system.errors import RunError, TrainingError
from e2kd_lab.training import Hardware, Watcher

# Mixup, augmentation and optimizer state all take part.
PROGRAM = """
import sys, time, dataclasses
import e2kd_lab as lab
from e2kd_lab.training import Watcher
root, teacher, folder, delay = sys.argv[1:]
class Slow(Watcher):
    def on_step(self, step, losses):
        print(step, flush=True)
        time.sleep(float(delay))
experiment = lab.experiments.get("waterbirds", "smoke").replace(
    data_root=root, teacher_weights=teacher, method="e2kd", lam=5.0, image_size=24, resize=24,
    batch_size=8, epochs=6, mixup=1.0)
print(lab.run(experiment, folder=folder, progress=False, watchers=[Slow()],
              hardware=lab.Hardware(device="cpu", checkpoint_seconds=0.05)).folder, flush=True)
"""


def launch(minibirds, teacher, folder, delay):
    command = [sys.executable, "-c", PROGRAM, str(minibirds), str(teacher), str(folder), str(delay)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save(lab.build_model("resnet_mini", 2).state_dict(), path)
    return path


def test_a_killed_run_resumes_to_identical_metrics(minibirds, teacher_file, tmp_path):
    whole = launch(minibirds, teacher_file, tmp_path / "whole", 0)
    expected = Path(whole.communicate(timeout=300)[0].split()[-1])
    steps = 24
    chosen = random.Random(os.getpid()).sample(range(2, steps - 1), 2)
    for kill_at in sorted(chosen):
        process = launch(minibirds, teacher_file, tmp_path / "killed", 0.03)
        for line in process.stdout:
            if int(line) >= kill_at:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        run = Run(tmp_path / "killed" / expected.name)
        assert run.status == "stopped"
    last = launch(minibirds, teacher_file, tmp_path / "killed", 0)
    resumed = Path(last.communicate(timeout=300)[0].split()[-1])
    assert Run(resumed).status == "done"
    assert not list(resumed.glob(".*.part"))
    assert (resumed / "metrics.csv").read_bytes() == (expected / "metrics.csv").read_bytes()
    ours, theirs = Run(resumed).load_model().state_dict(), Run(expected).load_model().state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


class StopAt(Watcher):
    def __init__(self, step):
        self.step, self.now = step, 0

    def on_step(self, step, losses):
        self.now = step

    def should_stop(self):
        return self.now == self.step


def test_stop_saves_the_state_and_resume_finishes(tiny, runs, tmp_path):
    experiment = tiny.replace(
        method="baseline", seed=5, teacher_weights=str(runs / tiny.teacher_experiment().run_name() / "last.ckpt")
    )
    stopped = lab.run(experiment, folder=tmp_path, progress=False, watchers=[StopAt(3)])
    assert stopped.status == "stopped"
    finished = lab.run(experiment, folder=tmp_path, progress=False)
    reference = lab.run(experiment, folder=tmp_path / "whole", progress=False)
    assert finished.folder.name == stopped.folder.name
    assert finished.status == "done"
    assert finished.metrics().equals(reference.metrics())


def test_a_finished_run_is_loaded_not_repeated(tiny, runs):
    start = time.perf_counter()
    again = lab.run(tiny.replace(method="kd"), folder=runs, progress=False, watchers=[StopAt(0)])
    assert again.status == "done"
    assert time.perf_counter() - start < 60
    metrics = again.metrics()
    assert set(metrics["split"]) == {"train", "val", "test"}
    assert metrics["step"].max() == 8


def test_a_loss_that_is_no_number_fails_with_a_sentence(tiny, tmp_path, runs):
    teacher = str(runs / tiny.teacher_experiment().run_name() / "last.ckpt")
    broken = tiny.replace(
        method="baseline", lr=1e30, warmup_epochs=0, clip_norm=None, teacher_weights=teacher, epochs=4
    )
    with pytest.raises(TrainingError, match="expected a finite number"):
        lab.run(broken, folder=tmp_path, progress=False)
    run = Run(tmp_path / broken.run_name())
    assert run.status == "failed"
    assert "finite number" in run.error


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_is_a_sentence_and_the_run_can_go_on(tiny, runs, tmp_path, monkeypatch, error):
    teacher = str(runs / tiny.teacher_experiment().run_name() / "last.ckpt")
    experiment = tiny.replace(method="e2kd", lam=1.0, teacher_weights=teacher)

    def step(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("e2kd_lab.methods.distiller.Distiller.forward", step)
        with pytest.raises(TrainingError, match=r"8 images of 24 px at once do not fit into the memory of cpu; exp"):
            lab.run(experiment, folder=tmp_path, progress=False)
    assert Run(tmp_path / experiment.run_name()).status == "failed"
    assert lab.run(experiment, folder=tmp_path, progress=False).status == "done"


def test_two_trainings_of_one_run_exclude_each_other(tiny, runs, tmp_path):
    teacher = str(runs / tiny.teacher_experiment().run_name() / "last.ckpt")
    experiment = tiny.replace(method="baseline", seed=6, teacher_weights=teacher)
    with Run(tmp_path / experiment.run_name()).locked(), pytest.raises(RunError, match="is in use: process"):
        lab.run(experiment, folder=tmp_path, progress=False)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: computing on a GPU is not tested")
@pytest.mark.parametrize("family", ["standard", "bcos"])
def test_trains_on_cuda_in_bfloat16(tiny, tiny_bcos, tmp_path, family):
    experiment = (tiny if family == "standard" else tiny_bcos).replace(method="e2kd", lam=5.0, precision="bf16-mixed")
    run = lab.run(experiment, folder=tmp_path, progress=False, hardware=Hardware(device="cuda"))
    assert run.status == "done"


def test_two_processes_share_one_run(workspace, tmp_path):
    command = ["e2kd-lab", "train", "waterbirds", "--scale=smoke", "--family=bcos", "--method=e2kd", "--device=cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for devices in ("2", "1"):  # one process finds the run of two done
        done = subprocess.run(
            [*command, "--devices", devices, "--runs", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert ": done" in done.stdout
    assert sorted(folder.name.split("-")[2] for folder in tmp_path.iterdir()) == ["e2kd", "teacher"]
    run = Run(next(tmp_path.glob("*-e2kd-*")))
    shared = run.metrics()
    assert set(shared["split"]) == {"train", "val", "test"}
    assert shared["step"].max() == 2 * (48 // 16)
    # Evaluation shares the images, too, and must put all 16 of them together.
    accuracy = shared.query("split == 'test' and metric == 'accuracy' and group == 'all'")["value"].item()
    assert accuracy % (100 / 16) == 0


def test_a_batch_that_processes_cannot_share_evenly_is_refused(workspace, tmp_path):
    done = subprocess.run(
        ["e2kd-lab", "train", "waterbirds", "--scale", "smoke", "--method", "teacher", "--device", "cpu",
         "--devices", "2", "--set", "batch_size=15", "--runs", str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "cannot be shared evenly by 2 processes" in done.stderr
