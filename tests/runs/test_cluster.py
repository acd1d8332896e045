"""Sweeps as jobs on this machine, by submitit's local executor; what jobs get; where runs stand, from their folder."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import e2kd_lab as lab
from e2kd_lab.runs import Run
from e2kd_lab.runs.job_record import JOBS, JobRecord, all_records, in_queue
from e2kd_lab.runs.progress_file import ProgressFile
from e2kd_lab.runs.sweep_status import all_states, states_of, summary
from e2kd_lab.system.errors import ExperimentError

HERE = lab.Hardware(device="cpu")


def until(true, seconds=120):
    """Wait for something that must happen."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(
    ("time", "minutes"),
    [("90", 90), ("90:30", 91), ("4:00:00", 240), ("1:0:1", 61), ("2-0", 2880), ("1-12:30", 2190), ("1-0:0:0", 1440)],
)
def test_time_limits_are_read_as_slurm_writes_them(time, minutes):
    assert lab.Cluster("slurm", time=time).minutes == minutes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on": "pbs"}, "no cluster 'pbs'"),
        ({"time": "soon"}, "'time' is 'soon'"),
        ({"time": "0"}, "at least a minute"),
        ({"max_parallel": 0}, "'max_parallel' is 0"),
        ({"on": "local", "partition": "gpu"}, "'partition' and 'extra' are Slurm's"),
        ({"on": "local", "gpus_per_run": 2}, "one device each"),
    ],
)
def test_what_a_cluster_cannot_be_is_refused(options, words):
    with pytest.raises(ExperimentError, match=words):
        lab.Cluster(**options)


def test_devices_are_those_of_a_run():
    assert lab.Cluster("slurm", gpus_per_run=4).hardware(HERE).devices == 4
    with pytest.raises(ExperimentError, match="'devices' is 2; expected 4"):
        lab.Cluster("slurm", gpus_per_run=4).hardware(lab.Hardware(devices=2))
    with pytest.raises(ExperimentError, match="'devices' is 2; expected 1 on this machine"):
        lab.Cluster("local").hardware(lab.Hardware(devices=2))


def test_what_a_notebook_alone_knows_is_refused(tiny, tmp_path, monkeypatch):
    for entries in ("_entries", "_origins", "_identities"):
        registry = lab.methods.METHODS
        monkeypatch.setattr(registry, entries, dict(getattr(registry, entries)))

    class Mine(lab.methods.Distiller):
        """A method of a module without a file, as in a notebook."""

        def step(self, batch):
            return self.student_logits(batch).sum()

    Mine.__module__ = "__notebook__"
    lab.register_method("mine", title="Mine", colour="#000000", grid={})(Mine)
    swept = lab.sweep([tiny.replace(method="mine")], on="local", folder=tmp_path)
    ((_, sentence),) = swept.failures
    assert "lab.use(FILE)" in sentence
    assert [state.state for state in swept.states()] == ["failed"]
    assert not all_records(tmp_path)


@pytest.mark.slow
def test_jobs_train_what_one_process_trains(tiny, tmp_path):
    cells = [tiny.replace(method="kd", epochs=1, seed=seed) for seed in range(3)]
    lost = tiny.replace(method="kd", data_root=str(tmp_path / "nowhere"))
    alone, jobs = tmp_path / "alone", tmp_path / "jobs"
    for run in lab.sweep(cells, folder=alone, hardware=HERE, progress=False).runs:
        assert run.status == "done"
    swept = lab.sweep([*cells, lost], on=lab.Cluster("local", max_parallel=2), folder=jobs, hardware=HERE)
    assert [error for _, error in swept.failures if "nowhere" in error]
    assert {state.state for state in swept.states()[:-1]} <= {"waiting", "running"}
    told = []
    swept.wait(300, show=told.append)
    assert len(told[-1]) == 5  # a teacher, three students, and the one that was refused
    assert [state.state for state in told[-1]] == ["done"] * 4 + ["failed"]
    assert list(swept.table()["state"]) == ["done"] * 4 + ["failed"]
    assert "5 runs: 4 done, 1 failed" in repr(swept)
    assert swept._repr_html_().count("<tr>") == 6
    for run in lab.runs.find_runs(alone):
        assert (jobs / run.folder.name / "metrics.csv").read_bytes() == (run.folder / "metrics.csv").read_bytes()
    again = lab.sweep(cells, on="local", folder=jobs, hardware=HERE)  # all are done: nothing is started
    assert not again.is_at_work()


# A program that submits, and waits as the command line does.
PROGRAM = """
import signal, sys
import e2kd_lab as lab
from e2kd_lab.cli.commands import app
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell starts in the background
sys.argv = ["e2kd-lab", *sys.argv[1:]]
app()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no ps")
def test_ctrl_c_leaves_the_jobs_and_cancel_ends_them_with_their_state_saved(workspace, tmp_path):
    sweep = ["sweep", "waterbirds", "--scale", "smoke", "--method", "kd", "--runs", str(tmp_path)]
    sweep += ["--set", "epochs=2000", "--device", "cpu"]
    lab.run(lab.experiments.get("waterbirds", "smoke").teacher_experiment(), folder=tmp_path, progress=False)
    command = [sys.executable, "-c", PROGRAM, *sweep]
    with subprocess.Popen(
        [*command, "--on", "local"], text=True, stdout=subprocess.PIPE, start_new_session=True
    ) as one:
        try:
            until(lambda: [state for state in all_states(tmp_path) if state.state == "running"])
            os.killpg(one.pid, signal.SIGINT)  # as a terminal does
            said = one.communicate(timeout=60)[0]
        finally:
            one.kill()  # or a failure would wait for its end
    assert one.returncode == 130
    assert "--cancel ends them" in said
    (running,) = [state for state in all_states(tmp_path) if state.state == "running"]
    assert running.host == socket.gethostname()
    assert len(in_queue(all_records(tmp_path))) == 2
    shown = subprocess.run([*command, "--status"], text=True, capture_output=True, check=True).stdout
    assert "1 running, 1 waiting" in shown
    known = Run(tmp_path / running.run)
    until(lambda: (known.folder / "progress.json").is_file())
    (running,) = [state for state in all_states(tmp_path) if state.state == "running"]
    assert re.fullmatch(r"\S+, step \d+ of \d+, about .* left", running.place)
    shown = subprocess.run([*command, "--cancel"], text=True, capture_output=True, check=True).stdout
    assert "Jobs of 2 runs are ended" in shown
    until(lambda: known.status == "stopped")
    assert {state.state for state in all_states(tmp_path)} == {"done", "stopped"}
    assert not all_records(tmp_path)


def test_states_are_read_from_the_folder_alone(tiny, tmp_path):
    """Each state, made by hand as another machine would leave it."""
    teacher, student = tiny.teacher_experiment(), tiny.replace(method="kd")
    names = {"teacher": teacher.run_name(), "student": student.run_name()}

    def state(which="student"):
        return states_of([(names[which], which)], tmp_path)[0]

    assert (state().state, state().sentence) == ("missing", "no job was given it")
    logs = tmp_path / JOBS / "7_1_0_log.err"
    long_ago = int(time.time()) - 100

    def record(when=long_ago):
        JobRecord(names["student"], "student", "slurm", ["7_1"], "login", str(logs), names["teacher"], when).write(
            tmp_path
        )

    record()
    assert (state().state, state().sentence) == ("waiting", f"waits for its teacher {names['teacher']}")
    assert summary(all_states(tmp_path)) == "1 run: 1 waiting"
    Run(tmp_path / names["teacher"]).set_status("failed", "The loss is nan.")
    assert state().state == "failed"
    assert "its teacher" in state().sentence
    assert "The loss is nan." in state().sentence
    Run(tmp_path / names["teacher"]).set_status("done")
    assert (state().state, state().sentence) == ("waiting", "in the queue as 7_1")
    logs.write_text("Traceback ...\nModuleNotFoundError: No module named 'e2kd_lab'\n\n")
    logs.with_name("7_1_0_result.pkl").write_bytes(b"")
    assert state().state == "failed"
    assert "ModuleNotFoundError" in state().sentence
    logs.with_name("7_1_0_result.pkl").unlink()

    run = Run(tmp_path / names["student"])
    with run.locked():
        run.set_status("running")
        assert (state().state, state().place) == ("running", socket.gethostname())
        watcher = ProgressFile(run.folder, first=0, between=0)
        watcher.on_start("title", 10, 100)
        watcher.on_step(40, {})
        assert (state().step, state().total_steps, round(state().share, 6)) == (40, 100, 0.4)
        assert state().place.startswith(f"{socket.gethostname()}, step 40 of 100, about ")
    assert state().state == "stopped"  # its process is gone
    run.set_status("stopped")
    assert (state().state, state().step) == ("stopped", None)
    run.set_status("stopped", back_in_queue=True)
    assert state().state == "waiting"
    run.set_status("failed", "A sentence.")
    assert (state().state, state().sentence) == ("failed", "A sentence.")
    record(int(time.time()) + 100)  # given to a job again
    assert (state().state, state().sentence) == ("waiting", "in the queue as 7_1")
