"""Several watchers at once, whatever they do, leave a training's numbers alone."""

import asyncio
import random
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import e2kd_lab as lab
from e2kd_lab.runs.session import Session
from e2kd_lab.system.errors import ExperimentError, LabNote
from e2kd_lab.training import Watchers

METHODS = ("on_start", "on_step", "on_rows", "on_network", "on_end", "should_stop")


class Recording(lab.Watcher):
    def __init__(self):
        self.told = []

    def on_start(self, title, step, total_steps):
        self.told.append(("on_start", step, total_steps))

    def on_step(self, step, losses):
        self.told.append(("on_step", step))

    def on_rows(self, rows):
        self.told.append(("on_rows", *rows["split"].unique()))

    def on_network(self, network):
        self.told.append(("on_network",))

    def on_end(self, title):
        self.told.append(("on_end",))


class Rude(lab.Watcher):
    """Draws at random, spoils what it is shown, and may raise."""

    def __init__(self, seed):
        self._dice = random.Random(seed)

    def _fail_sometimes(self):
        random.random(), np.random.rand(3), torch.rand(3)  # noqa: NPY002
        if self._dice.random() < 0.2:
            raise self._dice.choice([ValueError, KeyError, RuntimeError, ZeroDivisionError])("on purpose")

    def on_start(self, title, step, total_steps):
        self._fail_sometimes()

    def on_step(self, step, losses):
        losses.clear()
        self._fail_sometimes()

    def on_rows(self, rows):
        rows["value"] = -1.0
        self._fail_sometimes()

    def on_network(self, network):
        network.eval()
        self._fail_sometimes()

    def on_end(self, title):
        self._fail_sometimes()

    def should_stop(self):
        self._fail_sometimes()
        return False


@pytest.fixture(scope="module")
def experiment(tiny, runs):
    """With a teacher that is given, and mixup, so that training draws at random."""
    teacher = runs / tiny.teacher_experiment().run_name() / "last.ckpt"
    return tiny.replace(method="e2kd", lam=5.0, seed=3, mixup=1.0, teacher_weights=str(teacher))


def test_ten_raising_watchers_leave_the_numbers_bit_identical(experiment, tmp_path):
    alone = lab.run(experiment, folder=tmp_path / "alone", progress=False)
    rude, kind = [Rude(seed) for seed in range(10)], Recording()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        watched = lab.run(experiment, folder=tmp_path / "watched", progress=False, watchers=[*rude, kind])
    assert watched.status == "done"
    assert (watched.folder / "metrics.csv").read_bytes() == (alone.folder / "metrics.csv").read_bytes()
    ours, theirs = watched.load_model().state_dict(), alone.load_model().state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    notes = [str(one.message) for one in said if one.category is LabNote]
    failed = [watcher for watcher in rude if watcher.error is not None]
    assert len(failed) >= 8
    assert len(notes) == len(failed)
    assert all("Watcher Rude." in note and "on purpose" in note for note in notes)
    assert kind.error is None
    assert kind.told[0] == ("on_start", 0, 8)
    assert [step for name, step, *_ in (told for told in kind.told if told[0] == "on_step")] == list(range(1, 9))
    assert kind.told[-2:] == [("on_end",), ("on_rows", "test")]


def test_several_watchers_are_told_beside_the_bar_and_any_of_them_stops(experiment, tmp_path, capsys):
    class Stopping(lab.Watcher):
        def on_step(self, step, losses):
            self.step = step

        def should_stop(self):
            return self.step == 3

    first, last = Recording(), Recording()
    stopped = lab.run(experiment, folder=tmp_path, watchers=[first, Stopping(), last])
    assert stopped.status == "stopped"
    assert first.told == last.told
    assert [told for told in first.told if told[0] == "on_step"][-1] == ("on_step", 3)
    assert "step" in capsys.readouterr().err  # the progress bar
    resumed = Recording()
    assert lab.run(experiment, folder=tmp_path, progress=False, watchers=[resumed]).status == "done"
    assert resumed.told[0] == ("on_start", 3, 8)


def test_a_watcher_that_failed_is_not_asked_again_in_a_whole_sweep(experiment, tmp_path):
    class Failing(lab.Watcher):
        count = 0

        def on_step(self, step, losses):
            self.count += 1
            raise OSError("the disk of the tracker is full")

    failing = Failing()
    both = [experiment.replace(method="baseline", epochs=1), experiment.replace(method="kd", epochs=1)]
    with pytest.warns(LabNote, match=r"Failing\.on_step raised OSError \(the disk of the tracker is full\)") as said:
        result = lab.sweep(both, folder=tmp_path, progress=False, watchers=[failing], say=lambda line: None)
    assert [run.status for run in result.runs] == ["done", "done"]
    assert (failing.count, len(said), type(failing.error)) == (1, 1, OSError)


def test_a_session_has_watchers_and_survives_its_front_end(experiment, tmp_path):
    def broken(session):
        raise LookupError("no such widget")

    kind = Recording()
    session = Session(experiment.replace(epochs=1), folder=tmp_path, on_change=broken, watchers=[kind])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert session.start().wait(120).status == "done"
    assert ["no such widget" in str(one.message) for one in said] == [True]
    assert session.step == session.total_steps == 4
    assert ("on_rows", "test") in kind.told


class Unreadable(Exception):
    def __str__(self):
        raise UnicodeError("no text")


KINDS = (ValueError, OSError, MemoryError, RecursionError, AssertionError, StopIteration, LookupError, Unreadable,
         LabNote, BaseException, GeneratorExit, asyncio.CancelledError)  # fmt: skip
PLACES = (*METHODS, "on_change", "on_network of a session", "terminal", "notes")


class Fault:
    """Raises on the nth call, and ever after."""

    def __init__(self, kind, works):
        self.kind, self.works, self.calls = kind, works, 0

    def __call__(self, *given):
        self.calls += 1
        random.random(), torch.rand(2)
        if self.calls > self.works:
            raise self.kind("on purpose")


@pytest.fixture(scope="module")
def short(experiment):
    return experiment.replace(epochs=1)


@pytest.fixture(scope="module")
def undisturbed(short, tmp_path_factory):
    return lab.run(short, folder=tmp_path_factory.mktemp("undisturbed"), progress=False)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_front_end_raises_a_run_finishes_with_the_same_numbers(
    short, undisturbed, tmp_path, monkeypatch, seed
):
    dice, place = random.Random(seed), PLACES[seed % len(PLACES)]
    fault, watcher = Fault(dice.choice(KINDS), dice.choice([0, 0, 1])), lab.Watcher()
    session = {"on_change": "on_change", "on_network of a session": "on_network"}.get(place)
    if place in METHODS:
        setattr(watcher, place, fault)
    if place == "terminal":
        monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=fault, flush=fault, isatty=lambda: True))
    if place == "notes":
        watcher.on_step = Fault(ValueError, 0)
        monkeypatch.setattr(warnings, "showwarning", fault)
    with warnings.catch_warnings():
        warnings.simplefilter(dice.choice(["always", "error"]), LabNote)
        if session is None:
            run = lab.run(short, folder=tmp_path, progress=place == "terminal", watchers=[watcher])
        else:
            run = Session(short, folder=tmp_path, **{session: fault}).start().wait(60)
    assert run.status == "done"
    assert (run.folder / "metrics.csv").read_bytes() == (undisturbed.folder / "metrics.csv").read_bytes()
    assert fault.calls > 0 or place == "notes"  # which is shown only where notes are no errors
    assert place not in METHODS or fault.calls <= fault.works or type(watcher.error) is fault.kind


@pytest.mark.parametrize("wish", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_stop_in_a_watcher_stops(experiment, tmp_path, wish):
    watcher = lab.Watcher()
    watcher.on_rows = Fault(wish, 0)
    with pytest.raises(wish):
        lab.run(experiment, folder=tmp_path, progress=False, watchers=[watcher])
    assert lab.runs.Run(tmp_path / experiment.run_name()).status == "stopped"


@pytest.mark.parametrize(
    ("watchers", "said"),
    [(lab.Watcher(), "one Watcher; expected a list"), ([print], "builtin_function_or_method; expected objects"),
     ([lab.ProgressBar], "the class ProgressBar; expected objects"), (7, "one int; expected a list")],
)  # fmt: skip
def test_what_is_no_watcher_is_refused(tiny, watchers, said):
    with pytest.raises(ExperimentError, match=said):
        lab.run(tiny, watchers=watchers)


@given(st.lists(st.tuples(st.sampled_from(METHODS), st.integers(0, 3)), max_size=6), st.integers(0, 2**32 - 1))
def test_each_is_told_until_it_raises_and_nothing_else_changes(failures, seed):
    """Failures: the method, and how often it works before it raises."""
    calls = {number: [] for number in range(len(failures))}

    def called(number, name, *_):
        calls[number].append(name)
        torch.rand(1)
        if failures[number] == (name, calls[number].count(name) - 1):
            raise RuntimeError("now")

    members = []
    for number in range(len(failures)):
        watcher = lab.Watcher()
        for name in METHODS:
            setattr(watcher, name, lambda *given, number=number, name=name: called(number, name, *given))
        members.append(watcher)
    together, rows = Watchers(members), pd.DataFrame({"value": [1.0]})
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together.on_start("t", 0, 2)
        for step in range(2):
            together.on_step(step, {"loss": torch.zeros(())})
            assert not together.should_stop()
        together.on_network(torch.nn.Identity())
        together.on_rows(rows)
        together.on_end("t")
    everything = ["on_start", *["on_step", "should_stop"] * 2, "on_network", "on_rows", "on_end"]
    for number, (name, works) in enumerate(failures):
        places = [place for place, other in enumerate(everything) if other == name]
        last = places[works] + 1 if works < len(places) else len(everything)
        assert calls[number] == everything[:last]
        assert (members[number].error is None) == (works >= len(places))
    expected = torch.Generator().manual_seed(seed)
    assert torch.equal(torch.rand(2), torch.rand(2, generator=expected))
