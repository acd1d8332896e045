"""A disk that is full or read-only costs one sentence: what was good stays, and the work goes on once there is space.

A full disk is a small file system in memory, where one can be mounted; else, and besides, the system's limit on the
size of files stands for it. A read-only one is such a file system, and a place below ``/proc`` for those who cannot
mount.
"""

from pathlib import Path

import pytest
from endurance.conftest import FROZEN
from endurance.programs import SMALL_BIRDS
from endurance.results import folder_digest
from matplotlib.figure import Figure

import e2kd_lab as lab
from e2kd_lab.figures import export_figure
from e2kd_lab.minidata.minibirds import make_minibirds
from e2kd_lab.runs.freeze import freeze
from e2kd_lab.system.errors import DataError, LabError, RunError

FULL = {"mounted": "No space left on device", "limited": "File too large"}


@pytest.fixture(params=["full, mounted", "full, limited", "locked, mounted"])
def spoilt(request, forks):
    """The trouble, the kind of disk, and what the system says."""
    trouble, kind = request.param.split(", ")
    if kind == "mounted" and not forks.can_mount:
        pytest.skip("nothing can be mounted here")
    return trouble, kind, FULL[kind] if trouble == "full" else "Read-only file system"


def assert_sentence(text, reason):
    """One sentence that names a place and the reason."""
    assert text is not None, "nothing was said"
    assert reason in text
    assert "/" in text
    assert text.endswith(".")
    assert "\n" not in text


def test_training(forks, student, undisturbed, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    arguments = {"trouble": trouble, "kind": kind, "experiment": student}
    for at_step in (1, 4, 5, 24):  # the last of an epoch is 4, the last of all 24
        seen = forks.call("train_through", folder=str(tmp_path / str(at_step)), at_step=at_step, **arguments)
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


def test_a_checkpoint_that_fits_in_part(forks, disk, tmp_path):
    """A writer of archives that runs into the end of the disk complains about anything but that."""
    seen = forks.call("write_through", kind=disk, folder=str(tmp_path))
    for sentence in seen["sentences"]:
        assert_sentence(sentence, FULL[disk])
    assert len(seen["kept"]) == 6
    assert all(seen["kept"])
    assert seen["done"]


def test_freezing(forks, teacher_runs, frozen, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    arguments = {"trouble": trouble, "kind": kind, "experiment": FROZEN, "runs": str(teacher_runs)}
    for after in (0, 1, 3):
        seen = forks.call("freeze_through", folder=str(tmp_path / str(after)), after=after, **arguments)
        assert_sentence(seen["first"], reason)
        assert_sentence(seen["again"], reason)
        assert (seen["kept"], seen["chunks"]) == (after, 5 - after)
        assert seen["reread"] is None
        assert seen["left"] == []
        assert seen["bytes"] == frozen["bytes"]


def test_exporting_a_figure(forks, runs, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    seen = forks.call("export_through", trouble=trouble, kind=kind, folder=str(tmp_path), runs=str(runs))
    assert_sentence(seen["sentence"], reason)
    assert seen["kept"]
    assert seen["done"]


def test_making_data(forks, spoilt, tmp_path):
    trouble, kind, reason = spoilt
    expected = folder_digest(make_minibirds(tmp_path / "undisturbed", SMALL_BIRDS))
    for at_picture in (0, 5):
        arguments = {"folder": str(tmp_path / str(at_picture)), "at_picture": at_picture}
        seen = forks.call("make_through", trouble=trouble, kind=kind, **arguments)
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
        (DataError, lambda: freeze(frozen_teacher, folder=folder, runs=teacher_runs)),
        (LabError, lambda: export_figure(Figure(), folder / "figure")),
        (DataError, lambda: make_minibirds(folder, SMALL_BIRDS)),
    ):
        with pytest.raises(error, match=r"^\S.* (cannot be|could not be) written( to)?.*: .*\.$"):
            action()
