"""Sweeps: what fails is reported, and the rest is trained."""

import contextlib
import subprocess
import sys

import e2kd_lab as lab
from e2kd_lab.runs import Run


def test_an_experiment_whose_data_are_missing_does_not_end_the_sweep(tiny, tmp_path):
    tiny = tiny.replace(method="baseline", epochs=1)
    lost, lines = tiny.replace(data_root=str(tmp_path / "nowhere")), []
    swept = lab.sweep([lost, tiny], folder=tmp_path / "runs", say=lines.append, progress=False)
    assert [experiment for experiment, _ in swept.failures] == [lost]
    assert "nowhere" in swept.failures[0][1]
    assert [run.status for run in swept.runs] == ["done"]
    assert ": failed: " in lines[0]


# Runs the same experiments as another process, and says which of them it trained.
NOTEBOOK = """
import sys
import e2kd_lab as lab

class Log(lab.Watcher):
    def on_start(self, title, step, total_steps):
        print("trains", title, step, flush=True)

base = lab.experiments.get("waterbirds", "smoke").replace(method="kd")
experiments = [base.replace(tau=tau, seed=seed) for tau in (1.0, 5.0) for seed in (0, 1)]
print("ready", flush=True)
sys.stdin.readline()
runs = lab.run_all(experiments, folder=sys.argv[1], progress=False, watchers=[Log()])
print("names", *[run.folder.name for run in runs])
print("all", all(run.status == "done" for run in runs), lab.results_of(runs)["run"].nunique())
print("order", [run.folder.name for run in runs] == [one.run_name() for one in experiments])
"""


def test_two_notebooks_with_the_same_runs_train_each_once_and_both_have_all_results(workspace, tmp_path):
    lab.experiments.get("waterbirds", "smoke").dataset("test")  # makes the embedded data in the workspace of both
    command = [sys.executable, "-W", "ignore", "-c", NOTEBOOK, str(tmp_path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(subprocess.Popen(command, text=True, **pipes)) for _ in range(2)]
        for one in both:  # at once, not one after the other
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.stdin.write("\n")
            one.stdin.flush()
        said = [one.communicate(timeout=300) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    trained = [line for out, _ in said for line in out.splitlines() if line.startswith("trains")]
    assert len(trained) == len(set(trained)) == 5, "the teacher and four students, each once"
    for out, _ in said:
        assert out.splitlines()[-2:] == ["all True 4", "order True"]


def test_what_another_process_trains_is_waited_for_at_the_end(tiny, tmp_path):
    first, second = (tiny.replace(method="baseline", epochs=1, seed=seed) for seed in (0, 1))
    other, order = Run(tmp_path / first.run_name()), []
    stack = contextlib.ExitStack()
    stack.enter_context(other.locked())
    other.set_status("running")

    class Free(lab.Watcher):
        """Lets the other process end once the second run trains."""

        def on_start(self, title, step, total_steps):
            order.append(title)
            stack.close()

    found = lab.run_all([first, second], folder=tmp_path, progress=False, watchers=[Free()])
    assert [run.folder.name for run in found] == [first.run_name(), second.run_name()]
    assert order[-2:] == [second.title, first.title]
    assert all(run.status == "done" for run in found)
