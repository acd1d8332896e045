"""The progress of several trainings is one line, wherever it is shown."""

import io
import os
import re
import sys

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import e2kd_lab as lab
from e2kd_lab.training import Hardware, progress

LOSSES = {"loss": torch.tensor(0.5)}


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    times = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: times[0])
    return times


class Terminal(io.StringIO):
    def isatty(self):
        return True


def train(bar, clock, title, *, steps=4, seconds=100.0, first=0):
    bar.on_start(title, first, steps)
    for step in range(first + 1, steps + 1):
        clock[0] += seconds
        bar.on_step(step, LOSSES)
    bar.on_end(title)


def test_a_log_file_gets_lines_that_count_the_runs_and_the_time(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = lab.ProgressBar(runs=2)
    bar.next_run("kd")
    train(bar, clock, "the teacher")
    train(bar, clock, "kd", seconds=25.0)
    bar.next_run("e2kd")
    train(bar, clock, "e2kd", first=2)
    assert "\r" not in sys.stderr.getvalue()
    assert sys.stderr.getvalue().splitlines() == [
        "run 1 of 2, its teacher first: the teacher: step 0 of 4",
        "run 1 of 2, its teacher first: the teacher: step 1 of 4, loss 0.5000; about 5 min left for the teacher",
        "run 1 of 2, its teacher first: the teacher: step 2 of 4, loss 0.5000; about 3 min left for the teacher",
        "run 1 of 2, its teacher first: the teacher: step 3 of 4, loss 0.5000; about 2 min left for the teacher",
        "run 1 of 2, its teacher first: the teacher: step 4 of 4, loss 0.5000; about 0 s left for the teacher",
        "run 1 of 2: kd: step 0 of 4",
        "run 1 of 2: kd: step 3 of 4, loss 0.5000; about 2 min left",  # not at each step
        "run 2 of 2: e2kd: step 2 of 4",
        "run 2 of 2: e2kd: step 3 of 4, loss 0.5000; about 2 min left",
        "run 2 of 2: e2kd: step 4 of 4, loss 0.5000; about 0 s left",
    ]


def test_a_terminal_shows_one_line_and_is_left_clean(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with lab.ProgressBar(runs=3) as bar:
        bar.next_run("done before")
        bar.next_run("kd")
        train(bar, clock, "kd")
    written = sys.stderr.getvalue()
    assert "run 2 of 3: kd: step 4 of 4" in written
    assert "\n" not in written
    assert re.split("[\r]", written)[-2].strip() == ""  # wiped


def test_run_all_in_a_notebook_leaves_no_output(tiny, tmp_path, monkeypatch):
    """Its one display, also with a teacher to train first, is emptied; what a cell prints stays."""
    told = []
    monkeypatch.setattr(NotebookClient, "process_message", _recorded(NotebookClient.process_message, told))
    code = f"""
import e2kd_lab as lab
experiment = lab.experiments.get("waterbirds", "smoke").replace(
    data_root={tiny.data_root!r}, image_size=24, resize=24, batch_size=8, epochs=1)
print("before")
runs = lab.run_all([experiment.replace(method="kd", seed=seed) for seed in range(3)], folder={str(tmp_path)!r})
print([run.status for run in runs])
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    assert [output.output_type for output in outputs] == ["stream", "display_data", "stream"]
    assert (outputs[0].text, dict(outputs[1].data)) == ("before\n", {})
    assert outputs[2].text == "['done', 'done', 'done']\n"
    assert sum(kind == "display_data" for kind, _ in told) == 1
    said = [data["text/plain"] for _, data in told if data]
    assert said[0].startswith("run 1 of 3, its teacher first: Waterbirds (smoke): Teacher")
    assert any(line.startswith("run 3 of 3: Waterbirds (smoke): KD") for line in said)


def _recorded(process, told):
    def processed(client, message, *args, **kwargs):
        if message["msg_type"].endswith("display_data"):
            told.append((message["msg_type"], dict(message["content"]["data"])))
        return process(client, message, *args, **kwargs)

    return processed


def test_sweep_counts_in_the_same_line(tiny, tmp_path, clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    teacher = lab.run(tiny.teacher_experiment(), folder=tmp_path, progress=False)
    tiny = tiny.replace(teacher_weights=str(teacher.checkpoint()), epochs=1)
    lab.sweep([tiny.replace(method="kd", seed=seed) for seed in (0, 1)], folder=tmp_path, say=lambda line: None)
    assert [line.split(":")[0] for line in sys.stderr.getvalue().splitlines()] == ["run 1 of 2", "run 2 of 2"]


def test_slurms_client_without_an_allocation_says_nothing(tmp_path, monkeypatch, recwarn):
    client = tmp_path / "srun"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    Hardware(device="cpu").fabric()
    assert [str(warning.message) for warning in recwarn if "srun" in str(warning.message)] == []
