"""A training on a background thread says what an interrupted kernel does not reach."""

import threading
import warnings

import nbformat
import pytest
import torch
from nbclient import NotebookClient

import e2kd_lab as lab
from e2kd_lab.runs import session as module
from e2kd_lab.runs.session import Session

# Interrupts itself, as the kernel's Interrupt button does, once the training has begun.
CELLS = (
    """
import os, signal, threading
import e2kd_lab as lab
from e2kd_lab.runs.session import Session
begun, go_on = threading.Event(), threading.Event()
class Held(lab.Watcher):
    def on_step(self, step, losses):
        begun.set()
        assert go_on.wait(60)
experiment = lab.experiments.get("waterbirds", "smoke").replace(
    data_root={root!r}, image_size=24, resize=24, batch_size=8, epochs=1, method="kd")
session = Session(experiment, folder={folder!r}, watchers=[Held()]).start()
_ = begun.wait(60)
""",
    "os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(60)",
    "os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(60)",
    "go_on.set(); print(session.wait(60).status, session.interrupted)",
)


def test_an_interrupted_cell_says_once_that_the_training_goes_on(tiny, tmp_path):
    cells = [nbformat.v4.new_code_cell(cell.format(root=tiny.data_root, folder=str(tmp_path))) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    said = [[output.get("text", output.get("ename", "")) for output in cell.outputs] for cell in notebook.cells]
    assert said[0] == []
    assert "KeyboardInterrupt" in said[1]
    told = [text for text in said[1] if "goes on training in the background: press Stop" in text]
    assert len(told) == 1
    assert said[2] == ["KeyboardInterrupt"]  # not again
    assert said[3] == ["done True\n"]


class Held(lab.Watcher):
    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()

    def on_step(self, step, losses):
        self.begun.set()
        assert self.go_on.wait(60)


def test_interrupting_wait_says_that_the_training_goes_on(tiny, tmp_path, monkeypatch):
    held, told = Held(), []
    session = Session(
        tiny.teacher_experiment(), folder=tmp_path, watchers=[held], on_change=lambda one: told.append(one.interrupted)
    )
    session.start()
    assert held.begun.wait(60)
    with monkeypatch.context() as patched:
        patched.setattr(session._thread, "join", lambda timeout: (_ for _ in ()).throw(KeyboardInterrupt))
        said = pytest.warns(lab.LabNote, match=r"Teacher.* goes on training in the background")
        with said, pytest.raises(KeyboardInterrupt):
            session.wait()
    assert (session.running, told[-1]) == (True, True)
    held.go_on.set()
    assert session.wait(60).status == "done"


def test_a_callback_between_steps_leaves_the_numbers_alone(tiny, tmp_path, monkeypatch):
    """One that draws at random, and is called at each step."""
    monkeypatch.setattr(module, "_BETWEEN_STEPS", 0.0)
    steps = []
    experiment = tiny.replace(method="kd", mixup=1.0, epochs=1)
    session = Session(experiment, folder=tmp_path / "a", on_change=lambda one: (torch.rand(3), steps.append(one.step)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", lab.LabNote)
        watched = session.start().wait(60)
    alone = lab.run(experiment, folder=tmp_path / "b", progress=False)
    assert (watched.folder / "metrics.csv").read_bytes() == (alone.folder / "metrics.csv").read_bytes()
    assert {1, 2, 3, 4} <= set(steps)
