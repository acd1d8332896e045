"""Training, freezing and sweeping, killed again and again: files stay whole, and the results are the same.

Half of the kills come at chosen places (see `endurance.kill_points`), the others after random times. Random numbers
are seeded, but how far a process gets in a time is not reproducible.
"""

import itertools
import json
import random
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from endurance.conftest import FROZEN
from endurance.programs import cache_digest, digests, freeze, sweep, train

import e2kd_lab as lab
from e2kd_lab.data.frozen import FILES, FrozenTeacher, FrozenWriter
from e2kd_lab.data.frozen_manifest import MANIFEST
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.runs import Run, find_runs
from e2kd_lab.system.errors import DataError


def around_writes(counts):
    """Kill points around the given writes of each file."""
    # A checkpoint is written in some hundred pieces.
    return [
        (f"{moment} {name}", 200 * count if moment == "half" and name.endswith(".ckpt") else count)
        for name, times in counts.items()
        for moment in ("half", "synced", "rename", "renamed")
        for count in times
    ]


def assert_whole(folder):
    """Every file under its final name can be read, and so can the whole folder."""
    for path in Path(folder).rglob("*"):
        if path.name.endswith(".part"):
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".csv":
            assert len(pd.read_csv(path))
        elif path.suffix == ".ckpt":
            assert all(value.isfinite().all() for value in read_checkpoint(path)["model"].values())
    for run in find_runs(folder):
        assert run.status in ("new", "stopped", "done")
    lab.load_runs(folder)


def survive(start, places, rng, *, stages, fresh, after_kill, at_end):
    """Start in a fresh folder, kill and restart until done; repeat until every place was used.

    Parameters
    ----------
    start : callable
        Starts a child in a folder, optionally with a place to die at.
    places : list of (str, int)
        Places at which to kill a child each; in between, children are killed after random times.
    stages : int
        Number of stages of the work; each must see a kill.
    after_kill : callable
        Checks the files, and returns the stage in which the process was.
    at_end : callable
        Compares the final result with the undisturbed one.

    Returns
    -------
    int
        The number of kills.
    """
    waiting, kills, seen = rng.sample(places, len(places)), 0, set()
    # A round always reaches its first place, if it exists.
    for _ in range(len(places) + 6):
        folder, longest = fresh(), 0.2
        for attempt in itertools.count():
            if attempt % 2 == 0 and waiting:
                place, count = waiting.pop(0)
                outcome = start(folder, place=place, count=count).wait()
                if not outcome.signal:  # the rest of the work does not pass there as often
                    waiting.append((place, count))
            else:
                child = start(folder)
                time.sleep(rng.uniform(0, longest))
                longest *= 1.1  # on a busy machine a child may need longer to make progress
                child.kill()
                outcome = child.wait()
            assert outcome.error is None, outcome.error
            if not outcome.signal:
                break
            kills += 1
            seen.add(after_kill(folder))
        at_end(folder)
        if not waiting and len(seen) >= stages:
            return kills
    raise AssertionError(f"{waiting} were not reached, or no kill was in one of {stages} parts but {seen}")


@pytest.mark.slow
def test_training(forks, student, undisturbed, fresh):
    name = Path(undisturbed["folder"]).name
    counts = {
        "config.json": (1,), "status.json": (1, 2), "last.ckpt": (1, 2, 9), "best.ckpt": (1,), "metrics.csv": (1, 4)
    }  # fmt: skip
    places = [*around_writes(counts), *(("step", count) for count in (1, 7, 15))]

    def after_kill(folder):
        assert_whole(folder)
        last = folder / name / "last.ckpt"
        return 3 * read_checkpoint(last)["state"]["step"] // 25 if last.is_file() else 0

    def at_end(folder):
        assert Run(folder / name).status == "done"
        assert digests(folder / name) == undisturbed["digests"]
        assert (folder / name / "metrics.csv").read_bytes() == Path(undisturbed["folder"], "metrics.csv").read_bytes()
        assert not list(folder.rglob("*.part"))

    def start(folder, **where):
        return forks.start(train, experiment=student, folder=str(folder), **where)

    rng = random.Random(0)
    assert survive(start, places, rng, stages=3, fresh=fresh, after_kill=after_kill, at_end=at_end) >= 20


@pytest.mark.slow
def test_freezing(forks, teacher_runs, frozen, fresh):
    counts = {"files.json": (1,), "manifest.json": (1, 2, 4)}
    places = [*around_writes(counts), ("reserve", 1), ("reserve", 2), *(("chunk", n) for n in range(1, 14, 3))]

    def after_kill(folder):
        assert_whole(folder)
        cache = folder / "cache"
        if not (cache / MANIFEST).is_file():
            return 0
        manifest, files = (json.loads((cache / name).read_text()) for name in (MANIFEST, FILES))
        noted = len(manifest["checksums"])
        # A writer that goes on, on a copy, finds all that was noted as it was noted.
        shutil.copytree(cache, folder / "copy")
        copied = FrozenWriter(folder / "copy", FrozenSpec(**manifest["spec"]), files)
        assert len(list(copied.missing())) == 5 - noted
        shutil.rmtree(folder / "copy")
        if noted < 5:
            with pytest.raises(DataError, match=f"{16 * noted} of 80 images are frozen"):
                FrozenTeacher(cache)
        return noted // 2

    def at_end(folder):
        assert cache_digest(folder / "cache") == frozen["bytes"]
        assert len(FrozenTeacher(folder / "cache")) == 80
        assert not list(folder.rglob("*.part"))

    def start(folder, **where):
        cache, runs = str(folder / "cache"), str(teacher_runs)
        return forks.start(freeze, experiment=FROZEN, folder=cache, runs=runs, **where)

    rng = random.Random(1)
    assert survive(start, places, rng, stages=3, fresh=fresh, after_kill=after_kill, at_end=at_end) >= 20


@pytest.fixture(scope="module")
def grid(minibirds):
    """Three students of one teacher, which a sweep trains, too."""
    base = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "epochs": 2}
    return [{**base, "method": "kd", "seed": seed} for seed in range(3)]


@pytest.fixture(scope="module")
def swept(forks, grid, tmp_path_factory):
    """The undisturbed runs."""
    folder = tmp_path_factory.mktemp("swept")
    said = forks.call(sweep, experiments=grid, folder=str(folder))["said"]
    assert [line.rpartition(": ")[2] for line in said] == ["done"] * 3
    return folder


@pytest.mark.slow
def test_sweeping(forks, grid, swept, fresh):
    places = [
        ("half status.json", 2), ("rename status.json", 4), ("renamed status.json", 6), ("half last.ckpt", 900),
        ("rename last.ckpt", 9), ("half metrics.csv", 8), ("half config.json", 2), ("half best.ckpt", 200),
        *(("said", count) for count in (1, 2, 3)), *(("step", count) for count in (1, 6, 13)),
    ]  # fmt: skip
    names = [run.folder.name for run in find_runs(swept)]

    def after_kill(folder):
        assert_whole(folder)
        return sum(Run(folder / name).status == "done" for name in names)

    def at_end(folder):
        for name in names:
            assert Run(folder / name).status == "done"
            assert digests(folder / name) == digests(swept / name)
        assert not list(folder.rglob("*.part"))

    def start(folder, **where):
        return forks.start(sweep, experiments=grid, folder=str(folder), **where)

    rng = random.Random(2)
    assert survive(start, places, rng, stages=4, fresh=fresh, after_kill=after_kill, at_end=at_end) >= 20


def test_a_killed_sweep_goes_on_and_repeats_nothing(forks, grid, tmp_path):
    assert forks.start(sweep, experiments=grid, folder=str(tmp_path), place="said", count=1).wait().signal
    finished = [run for run in find_runs(tmp_path) if run.status == "done"]
    stamps = {run.folder: (run.folder / "metrics.csv").stat().st_mtime_ns for run in finished}
    assert len(finished) == 2  # the teacher and the first student
    rest = forks.call(sweep, experiments=grid, folder=str(tmp_path))["said"]
    assert "seed 0: done before" in rest[0]
    assert [line.rpartition(": ")[2] for line in rest[1:]] == ["done", "done"]
    assert all((folder / "metrics.csv").stat().st_mtime_ns == stamp for folder, stamp in stamps.items())
    assert [run.status for run in find_runs(tmp_path)] == ["done"] * 4


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_killed_freezing_goes_on_to_the_same_bytes(forks, teacher_runs, frozen, tmp_path, chunks):
    cache, arguments = tmp_path / "cache", {"experiment": FROZEN, "runs": str(teacher_runs)}
    assert frozen["chunks"] == 5
    assert forks.start(freeze, folder=str(cache), place="said", count=chunks, **arguments).wait().signal
    with pytest.raises(DataError, match=f"{16 * chunks} of 80 images are frozen"):
        FrozenTeacher(cache)
    # Chunks that were complete are kept.
    assert forks.call(freeze, folder=str(cache), **arguments)["chunks"] == 5 - chunks
    assert cache_digest(cache) == frozen["bytes"]
    assert len(FrozenTeacher(cache)) == 80
