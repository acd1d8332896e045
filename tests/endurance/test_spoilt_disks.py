"""A full or read-only disk gives one sentence: good files stay, and the work resumes once there is space.

Disks are small file systems in memory, if mounting is allowed; a limit on the size of files also stands in for a full
disk, and a path below ``/proc`` for a read-only one.
"""

import json
from pathlib import Path

import pytest
import torch
from endurance.conftest import FROZEN
from endurance.disks import disk_of
from endurance.programs import (
    CHUNK,
    SMALL_BIRDS,
    cache_digest,
    digests,
    experiment_of,
    folder_digest,
    hardware,
    sentence_of,
)
from matplotlib.figure import Figure

import e2kd_lab as lab
from e2kd_lab.data.frozen_manifest import MANIFEST
from e2kd_lab.figures import export_figure, figure_bytes
from e2kd_lab.minidata import minibirds
from e2kd_lab.minidata.minibirds import make_minibirds
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.runs import Run
from e2kd_lab.runs import freeze as freezing
from e2kd_lab.system.atomic_write import atomic_write
from e2kd_lab.system.errors import DataError, LabError, RunError

FULL = {"mounted": "No space left on device", "limited": "File too large"}


@pytest.fixture(params=["full, mounted", "full, limited", "locked, mounted"])
def spoilt(request, forks):
    """The trouble, the kind of disk, and the system's message."""
    trouble, kind = request.param.split(", ")
    if kind == "mounted" and not forks.can_mount:
        pytest.skip("mounting is not allowed here; the limit on the size of files stands in for a full disk")
    return trouble, kind, FULL[kind] if trouble == "full" else "Read-only file system"


def assert_sentence(text, reason):
    """One sentence that names a place and the reason."""
    assert text is not None, "nothing was said"
    assert reason in text
    assert "/" in text
    assert text.endswith(".")
    assert "\n" not in text


def train_through(trouble, kind, experiment, folder, at_step):
    """Train; at a step, fill the disk (``full``) or make it read-only (``locked``); repair it and train on."""
    wanted, seen = experiment_of(experiment), []
    with disk_of(kind, Path(folder)) as disk:

        class Spoiling(lab.Watcher):
            def on_step(self, step, losses):
                seen.append(step)
                if step == at_step and not disk.spoilt_before:
                    disk.spoil(trouble)

        def attempt():
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


def test_training(forks, student, undisturbed, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    arguments = {"trouble": trouble, "kind": kind, "experiment": student}
    for at_step in (1, 4, 5, 24):  # the last of an epoch is 4, the last of all 24
        seen = forks.call(train_through, folder=str(tmp_path / str(at_step)), at_step=at_step, **arguments)
        assert_sentence(seen["first"], reason)
        assert_sentence(seen["again"], reason)
        # What went wrong first, not that the status could not be written either.
        assert "last.ckpt" in seen["first"] or "metrics.csv" in seen["first"]
        assert seen["kept"] == at_step - 1
        assert seen["status"] in ("failed", "stopped")
        assert seen["resumed_at"] == at_step
        assert (seen["rows"] > 0) == (at_step > 4)
        assert seen["left"] == []
        assert seen["finally"] == "done"
        assert seen["digests"] == undisturbed["digests"]


def write_through(kind, folder):
    """Write a checkpoint of 0.4 MB, then overwrite it while less and less of another fits on the disk."""
    one, other = ({f"layer {n}": torch.full((500,), value) for n in range(200)} for value in (1.0, 2.0))
    sentences, kept = [], []
    with disk_of(kind, Path(folder)) as disk:
        path = disk.folder / "last.ckpt"
        atomic_write(path, lambda file: torch.save(one, file))
        before = path.read_bytes()

        def write_other():
            atomic_write(path, lambda file: torch.save(other, file))

        for space in (350_000, 200_000, 70_000, 5_000, 100, 0):
            disk.spoil("full", leaving=space)
            sentences.append(sentence_of(write_other))
            kept.append(path.read_bytes() == before and [file.name for file in disk.folder.glob(".*")] == [])
            disk.repair()
        write_other()
        done = bool(torch.equal(read_checkpoint(path)["layer 7"], other["layer 7"]))
    return {"sentences": sentences, "kept": kept, "done": done}


def test_a_checkpoint_that_fits_in_part(forks, disk, tmp_path):
    """torch's archive writer reports a full disk as another error."""
    seen = forks.call(write_through, kind=disk, folder=str(tmp_path))
    for sentence in seen["sentences"]:
        assert_sentence(sentence, FULL[disk])
    assert len(seen["kept"]) == 6
    assert all(seen["kept"])
    assert seen["done"]


def freeze_through(trouble, kind, experiment, folder, runs, after):
    """Freeze; after some chunks (0: before the first), spoil the disk; repair it and resume."""
    freezing._CHUNK = CHUNK
    with disk_of(kind, Path(folder)) as disk:
        cache, said = disk.folder / "cache", []

        def say(line):
            said.append(line)
            if len(said) == after and not disk.spoilt_before:
                disk.spoil(trouble)

        def attempt():
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


def test_freezing(forks, teacher_runs, frozen, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    arguments = {"trouble": trouble, "kind": kind, "experiment": FROZEN, "runs": str(teacher_runs)}
    for after in (0, 1, 3):
        seen = forks.call(freeze_through, folder=str(tmp_path / str(after)), after=after, **arguments)
        assert_sentence(seen["first"], reason)
        assert_sentence(seen["again"], reason)
        assert (seen["kept"], seen["chunks"]) == (after, 5 - after)
        assert seen["reread"] is None
        assert seen["left"] == []
        assert seen["bytes"] == frozen["bytes"]


def drawing_of(values):
    """A small figure."""
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot(values)
    return figure


def export_through(trouble, kind, folder, runs):
    """Export a figure, spoil the disk, export another over it; repair the disk and export again."""
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


def test_exporting_a_figure(forks, runs, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    seen = forks.call(export_through, trouble=trouble, kind=kind, folder=str(tmp_path), runs=str(runs))
    assert_sentence(seen["sentence"], reason)
    assert seen["kept"]
    assert seen["done"]


def make_through(trouble, kind, folder, at_picture):
    """Make a data set; at a picture (0: before the first), spoil the disk; repair it and make the set again."""
    draw, drawn = minibirds._draw_picture, []
    with disk_of(kind, Path(folder)) as disk:

        def drawing(*arguments):
            drawn.append(1)
            if len(drawn) == at_picture and not disk.spoilt_before:
                disk.spoil(trouble)
            draw(*arguments)

        minibirds._draw_picture = drawing

        def attempt():
            minibirds.make_minibirds(disk.folder / "birds", SMALL_BIRDS, workers=1)

        if at_picture == 0:
            disk.spoil(trouble)
        sentence = sentence_of(attempt)
        present = (disk.folder / "birds").exists()
        disk.repair()
        attempt()
        left = sorted(path.name for path in disk.folder.iterdir() if path.name.startswith(".birds"))
        return {"sentence": sentence, "present": present, "bytes": folder_digest(disk.folder / "birds"), "left": left}


def test_making_data(forks, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    expected = folder_digest(make_minibirds(tmp_path / "undisturbed", SMALL_BIRDS))
    for at_picture in (0, 5):
        arguments = {"folder": str(tmp_path / str(at_picture)), "at_picture": at_picture}
        seen = forks.call(make_through, trouble=trouble, kind=kind, **arguments)
        assert_sentence(seen["sentence"], reason)
        assert not seen["present"]
        assert seen["left"] == []
        assert seen["bytes"] == expected


@pytest.mark.parametrize("place", ["/proc/lab", "a file"])
def test_a_place_where_nobody_can_write(tiny, teacher_runs, place, tmp_path):
    (tmp_path / "a file").write_text("not a folder")
    folder = Path(place) if place.startswith("/") else tmp_path / place / "lab"
    frozen_teacher = lab.experiments.get("imagenet_frozen", "smoke")
    for error, action in (
        (RunError, lambda: lab.run(tiny.teacher_experiment(), folder=folder, progress=False)),
        (DataError, lambda: freezing.freeze(frozen_teacher, folder=folder, runs=teacher_runs)),
        (LabError, lambda: export_figure(Figure(), folder / "figure")),
        (DataError, lambda: make_minibirds(folder, SMALL_BIRDS)),
    ):
        with pytest.raises(error, match=r"^\S.* (cannot be|could not be) written( to)?.*: .*\.$"):
            action()
