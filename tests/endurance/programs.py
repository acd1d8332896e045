"""What children of the fork server run, and digests to compare the results. Arguments and results are JSON."""

from __future__ import annotations

import hashlib
import time
import warnings
from pathlib import Path
from typing import Any

import lightning_fabric  # noqa: F401 - imported once, before the first fork
from endurance.kill_points import Places, Steps

import e2kd_lab as lab
from e2kd_lab.data.frozen_arrays import LOGITS, MAPS, PICTURES
from e2kd_lab.data.frozen_manifest import MANIFEST
from e2kd_lab.minidata import minibirds
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.runs import freeze as freezing
from e2kd_lab.system.errors import LabError

CHUNK = 16


def experiment_of(fields: dict[str, Any]) -> Any:
    """The experiment of a name, scale and family, with changes."""
    changes = dict(fields)
    base = lab.experiments.get(changes.pop("name"), changes.pop("scale", "smoke"), changes.pop("family", None))
    return base.replace(**changes)


def hardware(devices: int = 1) -> lab.Hardware:
    """A CPU, with a checkpoint after every step."""
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
    """Train one run, and return its digests and the places it passed.

    Parameters
    ----------
    place, count
        Where to die (see `endurance.kill_points`).
    pause_at, signs
        The step after which to write ``signs/here`` and wait for ``signs/go``.
    begin
        Whether to begin at once, or to wait for ``signs/go``.
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


def train_share(
    experiments: list[dict[str, Any]],
    folder: str,
    *,
    wait: bool | None = None,
    place: str | None = None,
    count: int = 1,
    begin: bool = True,
    pause_at: int | None = None,
    signs: str = "",
    is_sweep: bool = False,
) -> list[str]:
    """Train several runs, one after the other, and return the titles of those that this process trained.

    Parameters as for `train`; ``signs/waits`` is written when it waits for another process.
    """
    trained, places = list[str](), Places(place, count).watch()
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_: "waiting for it" in str(message) and Path(signs, "waits").touch()  # type: ignore[assignment]
    if not begin:
        wait_for(Path(signs, "go"))

    class Counting(Steps):
        def on_start(self, title: str, step: int, total_steps: int) -> None:
            trained.append(title)

        def on_step(self, step: int, losses: Any) -> None:
            super().on_step(step, losses)
            if step == pause_at:
                pause(signs)

    wanted = [experiment_of(one) for one in experiments]
    shared: Any = {"folder": folder, "hardware": hardware(), "progress": False, "watchers": [Counting(places)]}
    if is_sweep:
        assert not lab.sweep(wanted, say=lambda line: None, **shared).failures
    for experiment in wanted:
        lab.run(experiment, wait=wait, **shared)
    return trained


def train_all(experiments: list[dict[str, Any]], folder: str, devices: int = 1) -> list[str]:
    """Train several runs one after the other, and return their folders."""
    where = hardware(devices)
    return [
        str(lab.run(experiment_of(one), folder=folder, hardware=where, progress=False).folder) for one in experiments
    ]


def train_teacher(experiment: dict[str, Any], folder: str) -> str:
    """Train an experiment's teacher, and return its folder."""
    wanted = experiment_of(experiment).teacher_experiment()
    return str(lab.run(wanted, folder=folder, hardware=hardware(), progress=False).folder)


def sweep(experiments: list[dict[str, Any]], folder: str, *, place: str | None = None, count: int = 1) -> Any:
    """Sweep several runs, and return the messages and the places passed."""
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
    """Freeze a teacher in chunks of 16 images. Parameters as for `train`, but ``pause_at`` counts images."""
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
    """Make a small MiniBirds set, and pause after ``pause_at`` pictures as `train` does."""
    draw, drawn = minibirds._draw_picture, []

    def drawing(*arguments: Any) -> None:
        draw(*arguments)
        drawn.append(arguments)
        if len(drawn) == pause_at:
            pause(signs)

    minibirds._draw_picture = drawing
    warnings.showwarning = lambda *_: Path(signs, "waits").touch()  # type: ignore[assignment]
    if not begin:
        wait_for(Path(signs, "go"))
    return str(minibirds.make_minibirds(folder, SMALL_BIRDS, workers=1))


SMALL_BIRDS = minibirds.MiniBirds(size=16, train=(4, 2), val=1, test=1, teacher=1)


def sentence_of(action: Any) -> str | None:
    """The message of the `LabError` that an action raises, or None."""
    try:
        action()
    except LabError as error:
        return str(error)
    return None


def pause(signs: str) -> None:
    """Write ``signs/here`` and wait for ``signs/go``."""
    Path(signs, "here").touch()
    wait_for(Path(signs, "go"))


def wait_for(path: Path) -> None:
    """Wait until a file exists."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.002)


def digests(folder: Path | str) -> dict[str, str]:
    """Digests of a run's result: the bytes of its metrics, and the bits of all weights."""
    folder = Path(folder)
    found = {"metrics": hashlib.sha256((folder / "metrics.csv").read_bytes()).hexdigest()}
    for name in ("last.ckpt", "best.ckpt"):
        digest = hashlib.sha256()
        for key, value in read_checkpoint(folder / name)["model"].items():
            digest.update(key.encode() + value.contiguous().numpy().tobytes())
        found[name] = digest.hexdigest()
    return found


def cache_digest(cache: Path) -> str:
    """Digest of a frozen teacher's bytes."""
    digest = hashlib.sha256()
    for name in (LOGITS, MAPS, PICTURES, MANIFEST):
        digest.update((cache / name).read_bytes())
    return digest.hexdigest()


def folder_digest(folder: Path) -> str:
    """Digest of the names and contents of all files below a folder."""
    digest, files = hashlib.sha256(), (path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()
