"""What the children of the fork server do under adverse conditions: spoilt disks, and values that are no numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from endurance import programs
from endurance.disks import disk_of
from endurance.programs import SMALL_BIRDS, experiment_of, hardware
from endurance.results import cache_digest, digests, folder_digest
from matplotlib.figure import Figure

import e2kd_lab as lab
from e2kd_lab.data.frozen import MANIFEST
from e2kd_lab.figures import export_figure, figure_bytes
from e2kd_lab.methods import Distiller
from e2kd_lab.minidata import minibirds
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.runs import Run
from e2kd_lab.runs import freeze as freezing
from e2kd_lab.system.atomic_write import atomic_write
from e2kd_lab.system.errors import LabError
from e2kd_lab.training import Watcher


def sentence_of(action: Any) -> str | None:
    """What the lab says about a failure, None if there is none; another error than its own is raised."""
    try:
        action()
    except LabError as error:
        return str(error)
    return None


def train_through(trouble: str, kind: str, experiment: dict[str, Any], folder: str, at_step: int) -> Any:
    """Let the disk fill up (``full``) or become read-only (``locked``) during training, then train on."""
    wanted, seen = experiment_of(experiment), list[int]()
    with disk_of(kind, Path(folder)) as disk:

        class Spoiling(Watcher):
            def on_step(self, step: int, losses: Any) -> None:
                seen.append(step)
                if step == at_step and not disk.spoilt_before:
                    disk.spoil(trouble)

        def attempt() -> None:
            lab.run(wanted, folder=disk.folder / "runs", hardware=hardware(), progress=False, watchers=[Spoiling()])

        first = sentence_of(attempt)
        again = sentence_of(attempt)
        run = Run(disk.folder / "runs" / wanted.run_name())
        kept = read_checkpoint(run.folder / "last.ckpt")["state"]["step"]
        left = sorted(path.name for path in run.folder.glob(".*.part"))
        table = len(lab.load_runs(disk.folder / "runs"))
        disk.repair()
        status, steps = run.status, len(seen)
        attempt()
        return {"first": first, "again": again, "kept": kept, "left": left, "rows": table, "status": status,
                "resumed_at": seen[steps], "digests": digests(run.folder), "finally": run.status}  # fmt: skip


def write_through(kind: str, folder: str) -> Any:
    """Write a checkpoint of 0.4 MB where it fits, and over it another one where less and less of it fits."""
    one, other = ({f"layer {n}": torch.full((500,), value) for n in range(200)} for value in (1.0, 2.0))
    sentences, kept = [], []
    with disk_of(kind, Path(folder)) as disk:
        path = disk.folder / "last.ckpt"
        atomic_write(path, lambda file: torch.save(one, file))
        before = path.read_bytes()

        def write_other() -> None:
            atomic_write(path, lambda file: torch.save(other, file))

        for space in (350_000, 200_000, 70_000, 5_000, 100, 0):
            disk.spoil("full", leaving=space)
            sentences.append(sentence_of(write_other))
            kept.append(path.read_bytes() == before and [file.name for file in disk.folder.glob(".*")] == [])
            disk.repair()
        write_other()
        done = bool(torch.equal(read_checkpoint(path)["layer 7"], other["layer 7"]))
    return {"sentences": sentences, "kept": kept, "done": done}


def freeze_through(trouble: str, kind: str, experiment: dict[str, Any], folder: str, runs: str, after: int) -> Any:
    """Let the disk fill up or become read-only after some chunks of freezing (0: before the first), then freeze on."""
    freezing._CHUNK = programs.CHUNK
    with disk_of(kind, Path(folder)) as disk:
        cache, said = disk.folder / "cache", list[str]()

        def say(line: str) -> None:
            said.append(line)
            if len(said) == after and not disk.spoilt_before:
                disk.spoil(trouble)

        def attempt() -> None:
            freezing.freeze(experiment_of(experiment), folder=cache, runs=runs, say=say)

        if after == 0:
            disk.spoil(trouble)
        first, again = sentence_of(attempt), sentence_of(attempt)
        manifest = json.loads((cache / MANIFEST).read_text()) if (cache / MANIFEST).is_file() else {"checksums": []}
        disk.repair()
        said.clear()
        attempt()
        chunks = len(said)
        disk.spoil(trouble)
        reread = sentence_of(attempt)  # a complete cache is good on a full or read-only disk
        disk.repair()
        return {"first": first, "again": again, "kept": len(manifest["checksums"]), "chunks": chunks, "reread": reread,
                "bytes": cache_digest(cache), "left": [path.name for path in cache.glob(".*.part")]}  # fmt: skip


def export_through(trouble: str, kind: str, folder: str, runs: str) -> Any:
    """Export a figure, change it, and export it anew on a disk that is full or read-only, then once more."""
    results = lab.load_runs(runs)
    one, other = drawing_of(results["value"].head(4)), drawing_of(results["value"])
    with disk_of(kind, Path(folder)) as disk:
        path = disk.folder / "figures" / "curves"
        export_figure(one, path, results.head(4))
        before = [file.read_bytes() for file in sorted(path.parent.iterdir())]
        disk.spoil(trouble)
        sentence = sentence_of(lambda: export_figure(other, path, results))
        kept = [file.read_bytes() for file in sorted(path.parent.iterdir())] == before
        disk.repair()
        files = export_figure(other, path, results)
        return {
            "sentence": sentence,
            "kept": kept,
            "done": files[0].read_bytes() == figure_bytes(other, "pdf", dpi=300),
        }


def drawing_of(values: Any) -> Figure:
    """A small figure."""
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot(values)
    return figure


def make_through(trouble: str, kind: str, folder: str, at_picture: int) -> Any:
    """Make a data set on a disk that gets full or read-only at a picture (0: before the first), then once more."""
    draw, drawn = minibirds._draw_picture, list[int]()
    with disk_of(kind, Path(folder)) as disk:

        def drawing(*arguments: Any) -> None:
            drawn.append(1)
            if len(drawn) == at_picture and not disk.spoilt_before:
                disk.spoil(trouble)
            draw(*arguments)

        minibirds._draw_picture = drawing

        def attempt() -> None:
            minibirds.make_minibirds(disk.folder / "birds", SMALL_BIRDS, workers=1)

        if at_picture == 0:
            disk.spoil(trouble)
        sentence = sentence_of(attempt)
        present = (disk.folder / "birds").exists()
        disk.repair()
        attempt()
        left = sorted(path.name for path in disk.folder.iterdir() if path.name.startswith(".birds"))
        return {"sentence": sentence, "present": present, "bytes": folder_digest(disk.folder / "birds"), "left": left}


def train_to_nan(experiment: dict[str, Any], folder: str, *, at_step: int, what: str) -> Any:
    """Train, with a loss or a gradient that is not a number at a step, for a reason outside of the run; then go on."""
    forward, calls = Distiller.forward, list[int]()

    def disturbed(self: Distiller, *arguments: Any, **options: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        losses = forward(self, *arguments, **options)
        if len(calls) != at_step:
            return losses
        if what == "loss":
            return {**losses, "loss": losses["loss"] * torch.nan}
        losses["loss"].register_hook(lambda gradient: gradient * torch.nan)
        return losses

    Distiller.forward = disturbed  # type: ignore[method-assign]
    wanted = experiment_of(experiment)
    sentence = sentence_of(lambda: lab.run(wanted, folder=folder, hardware=hardware(), progress=False))
    run = Run(Path(folder) / wanted.run_name())
    state = read_checkpoint(run.folder / "last.ckpt")
    finite = all(bool(value.isfinite().all()) for value in state["model"].values())
    failed = {"status": run.status, "error": run.error, "step": state["state"]["step"], "finite": finite}
    run.load_model() if wanted.select == "last" else None
    lab.run(wanted, folder=folder, hardware=hardware(), progress=False)
    return {"sentence": sentence, "failed": failed, "status": run.status, "digests": digests(run.folder)}
