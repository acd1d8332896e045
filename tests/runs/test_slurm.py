"""Sweeps on a real Slurm, of one node, which `one_node_slurm.sh` starts on this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.runs import Run
from e2kd_lab.runs.job_record import all_records, in_queue, read_record
from e2kd_lab.runs.run_folder import STATUS
from e2kd_lab.runs.sweep_status import all_states
from e2kd_lab.system.errors import RunError
from e2kd_lab.system.json_files import read_json

SCRIPT = Path(__file__).parent / "one_node_slurm.sh"
MISSING = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.endurance,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed; {SCRIPT} says how to install them"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason=f"{SCRIPT} needs root"),
]
HERE = lab.Hardware(device="cpu")


@pytest.fixture(scope="module")
def slurm(workspace, tmp_path_factory):
    """A Slurm of one node for these tests."""
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([SCRIPT, "start", folder], check=True, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("OMP_NUM_THREADS", "1")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as the jobs, or sums are rounded otherwise
        try:
            yield folder
        finally:
            torch.set_num_threads(threads)
            subprocess.run([SCRIPT, "stop", folder], check=True, timeout=60)


@pytest.fixture(autouse=True)
def empty_queue(slurm):
    """What a test leaves is no other's."""
    yield
    subprocess.run(["scancel", "--user", "root"], check=False)
    until(lambda: not queue("%i"))


def slow(seconds):
    """A watcher that makes each step take longer; jobs get a copy of it."""

    class Slow(lab.Watcher):
        def on_step(self, step, losses):
            time.sleep(seconds)

    return Slow()


def until(true, seconds=300):
    """Wait for something that must happen."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)
    return found


def queue(form, *options):
    """Lines of squeue, one a task."""
    command = ["squeue", "-r", "-h", "-o", form, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def steps_at_start(folder, run):
    """The steps at which the job of a run began, from what it printed."""
    lines = Path(read_record(folder, run).logs).read_text().splitlines()
    return [int(line.rpartition("step ")[2].split()[0]) for line in lines if ": step " in line]


def test_twelve_runs_with_one_killed_one_requeued_and_one_out_of_time(slurm, tiny, tmp_path):
    """Four at once; what a job does not finish, the same call gives again; the numbers are the sequential sweep's."""
    grids = {"kd": ({"tau": 1.0}, {"tau": 5.0}), "e2kd": ({"lam": 1.0}, {"lam": 5.0})}
    cells = [
        tiny.replace(method=method, seed=seed, **values)
        for method, grid in grids.items()
        for values in grid
        for seed in range(3)
    ]
    alone, jobs = tmp_path / "alone", tmp_path / "jobs"
    assert not lab.sweep(cells, folder=alone, hardware=HERE, progress=False, say=lambda line: None).failures

    cluster = lab.Cluster("slurm", max_parallel=4, time="20", extra={"comment": "twelve"})
    swept = lab.sweep(cells, on=cluster, folder=jobs, hardware=HERE, watchers=[slow(1.5)])
    assert len(swept.runs) == 13
    teacher, *students = (run.folder.name for run in swept.runs)
    (waits,) = {line.split("(")[0] for line in queue("%E", "--state", "pending") if line.startswith("afterok")}
    assert waits == f"afterok:{read_record(jobs, teacher).jobs[0]}"
    assert queue("%k")[0] == "twelve"

    most, began = [], []

    def count(states):
        most.append(len(queue("%i", "--state", "running")))
        began.extend(state.run for state in states if state.state in ("running", "done") and state.run not in began)

    def at_work():
        """Students that have an epoch behind them."""
        runs = [Run(jobs / name) for name in students]
        return [run for run in runs if run.status == "running" and (run.folder / "metrics.csv").is_file()]

    # One is killed, one goes back into the queue, one hears that its time is over.
    chosen = until(lambda: found[:3] if len(found := at_work()) > 2 else [])
    killed, requeued, late = (one.folder.name for one in chosen)
    os.kill(read_json(jobs / killed / STATUS, RunError, missing="")["pid"], signal.SIGKILL)
    subprocess.run(["scontrol", "requeue", *read_record(jobs, requeued).jobs], check=True)
    with contextlib.suppress(subprocess.TimeoutExpired):  # it sends the signal, and asks again when the job has left
        subprocess.run(["scancel", "--signal=USR2", *read_record(jobs, late).jobs], check=False, timeout=5)
    swept.wait(900, show=count)

    states = {state.run: state.state for state in swept.states()}
    assert states.pop(killed) == "stopped"
    assert set(states.values()) == {"done"}
    assert max(most) <= 4
    assert began[0] == teacher
    for name in (requeued, late):
        first, second = steps_at_start(jobs, name)
        assert first == 0
        assert second > 0, "it went on from what it had saved"

    again = lab.sweep(cells, on=cluster, folder=jobs, hardware=HERE).wait(300)
    assert set(again.table()["state"]) == {"done"}
    for name in (teacher, *students):
        assert (jobs / name / "metrics.csv").read_bytes() == (alone / name / "metrics.csv").read_bytes()


def test_students_of_a_teacher_that_fails_say_so_and_leave_the_queue(slurm, tiny, tmp_path):
    recipe = tiny.teacher_recipe
    broken = tiny.replace(teacher_recipe=type(recipe)(**{**vars(recipe), "lr": 1e30}), method="kd")
    swept = lab.sweep([broken, broken.replace(seed=1)], on="slurm", folder=tmp_path, hardware=HERE).wait(300)
    teacher, *students = swept.states()
    assert teacher.state == "failed"
    assert "expected a finite number" in teacher.sentence
    assert [one.state for one in students] == ["failed", "failed"]
    assert all("its teacher" in one.sentence and "finite number" in one.sentence for one in students)
    assert not queue("%i")


def test_what_is_in_the_queue_is_not_given_twice_and_cancel_ends_it(slurm, tiny, tmp_path):
    cells = [tiny.replace(method="baseline", seed=seed, epochs=500) for seed in range(3)]
    swept = lab.sweep(cells, on=lab.Cluster(max_parallel=1), folder=tmp_path, hardware=HERE)
    assert len(queue("%i")) == 4  # with the teacher
    lab.sweep(cells, on="slurm", folder=tmp_path, hardware=HERE)
    assert len(queue("%i")) == 4
    (run,) = until(lambda: [run for run in swept.runs if run.status == "running"])
    assert len(in_queue(all_records(tmp_path))) >= 3
    assert swept.cancel() >= 3
    until(lambda: not queue("%i"))
    assert run.status in ("stopped", "done")
    assert {state.state for state in all_states(tmp_path)} <= {"stopped", "done"}
    assert not swept.is_at_work()


def test_a_run_of_two_processes(slurm, tiny, tmp_path):
    """Slurm starts one process a device; they train together."""
    one = tiny.replace(method="kd", epochs=1)
    hardware = lab.Hardware(device="cpu", devices=2)
    swept = lab.sweep([one], on="slurm", folder=tmp_path, hardware=hardware).wait(300)
    assert set(swept.table()["state"]) == {"done"}
    logs = Path(read_record(tmp_path, one.run_name()).logs)
    assert logs.with_name(logs.name.replace("_0_log", "_1_log")).is_file(), (
        "the second process prints into its own file"
    )


def test_what_slurm_refuses_is_said(slurm, tiny, tmp_path):
    with pytest.raises(RunError, match=r"(?s)Slurm refused the jobs: .*partition"):
        lab.sweep([tiny], on=lab.Cluster(partition="nowhere"), folder=tmp_path, hardware=HERE)
