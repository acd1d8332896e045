"""What the children of the fork server do. Each function takes and returns what JSON can express."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning_fabric  # noqa: F401 - imported once, before the first fork
from endurance.kill_points import Places, Steps
from endurance.results import digests

import e2kd_lab as lab
from e2kd_lab.minidata import minibirds
from e2kd_lab.runs import freeze as freezing

CHUNK = 16


def experiment_of(fields: dict[str, Any]) -> Any:
    """An experiment from its name, scale, family and changes."""
    changes = dict(fields)
    base = lab.experiments.get(changes.pop("name"), changes.pop("scale", "smoke"), changes.pop("family", None))
    return base.replace(**changes)


def hardware(devices: int = 1) -> lab.Hardware:
    """A CPU that saves a checkpoint after every step."""
    return lab.Hardware(device="cpu", devices=devices, checkpoint_seconds=0.0)


def train(
    experiment: dict[str, Any],
    folder: str,
    *,
    place: str | None = None,
    count: int = 1,
    pause_at: int | None = None,
    signs: str | None = None,
    begin: bool = True,
) -> dict[str, Any]:
    """Train one run, and say which places it went through.

    Parameters
    ----------
    place, count
        Where to be killed.
    pause_at, signs
        A step, after which ``signs/here`` is written and ``signs/go`` waited for.
    begin
        Begin at once, or wait for ``signs/go`` first.
    """
    places = Places(place, count).watch()
    if not begin:
        wait_for(Path(signs or "", "go"))

    class Pausing(Steps):
        def on_step(self, step: int, losses: Any) -> None:
            super().on_step(step, losses)
            if step == pause_at:
                pause(signs or "")

    run = lab.run(
        experiment_of(experiment), folder=folder, hardware=hardware(), progress=False, watchers=[Pausing(places)]
    )
    return {"folder": str(run.folder), "status": run.status, "places": dict(places), "digests": digests(run.folder)}


def train_all(experiments: list[dict[str, Any]], folder: str, devices: int = 1) -> list[str]:
    """Train several runs one after the other; their folders."""
    where = hardware(devices)
    return [
        str(lab.run(experiment_of(one), folder=folder, hardware=where, progress=False).folder) for one in experiments
    ]


def train_teacher(experiment: dict[str, Any], folder: str) -> str:
    """Train an experiment's teacher; its folder."""
    wanted = experiment_of(experiment).teacher_experiment()
    return str(lab.run(wanted, folder=folder, hardware=hardware(), progress=False).folder)


def sweep(experiments: list[dict[str, Any]], folder: str, *, place: str | None = None, count: int = 1) -> Any:
    """Sweep several runs; what was said, and the places gone through."""
    places, said = Places(place, count).watch(), list[str]()

    def say(line: str) -> None:
        said.append(line)
        places.reach("said")

    wanted = [experiment_of(experiment) for experiment in experiments]
    result = lab.sweep(wanted, folder=folder, hardware=hardware(), progress=False, watchers=[Steps(places)], say=say)
    assert not result.failures, result.failures
    return {"said": said, "places": dict(places)}


def freeze(
    experiment: dict[str, Any],
    folder: str,
    runs: str,
    *,
    place: str | None = None,
    count: int = 1,
    pause_at: int | None = None,
    signs: str | None = None,
    begin: bool = True,
) -> Any:
    """Freeze a teacher in chunks of 16 images; parameters as for `train`, with images in place of steps."""
    freezing._CHUNK = CHUNK
    places, said = Places(place, count).watch(), list[str]()
    if not begin:
        wait_for(Path(signs or "", "go"))

    def say(line: str) -> None:
        said.append(line)
        places.reach("said")
        if pause_at is not None and line.startswith(f"{pause_at} of"):
            pause(signs or "")

    freezing.freeze(experiment_of(experiment), folder=folder, runs=runs, say=say)
    return {"chunks": len(said), "places": dict(places)}


def make(folder: str, *, signs: str, pause_at: int | None = None, begin: bool = True) -> str:
    """Make a small MiniBirds set; after ``pause_at`` pictures write ``signs/here`` and wait for ``signs/go``."""
    draw, drawn = minibirds._draw_picture, []

    def drawing(*arguments: Any) -> None:
        draw(*arguments)
        drawn.append(arguments)
        if len(drawn) == pause_at:
            pause(signs)

    minibirds._draw_picture = drawing
    if not begin:
        wait_for(Path(signs, "go"))
    return str(minibirds.make_minibirds(folder, SMALL_BIRDS, workers=1))


SMALL_BIRDS = minibirds.MiniBirds(size=16, train=(4, 2), val=1, test=1, teacher=1)


def pause(signs: str) -> None:
    """Say that this process is here, and wait until it may go on."""
    Path(signs, "here").touch()
    wait_for(Path(signs, "go"))


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.002)
