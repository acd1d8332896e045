"""Freezing a teacher: what was frozen is kept while the pictures are the same, and computed anew when they are not."""

import shutil
import warnings

import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.data.frozen import FrozenTeacher
from e2kd_lab.data.frozen_content import SEEN
from e2kd_lab.data.images import content_digest
from e2kd_lab.runs import freeze as freezing
from e2kd_lab.system.errors import DataError, LabNote

COUNT = 80


@pytest.fixture
def frozen(workspace, tmp_path, monkeypatch):
    """An experiment on pictures of its own, whose teacher is frozen in chunks of 16; how to freeze; what is said."""
    base = lab.experiments.get("imagenet_frozen", "smoke").replace(method="e2kd", lam=1.0)
    shared, pictures = base.training_images()[0].path.parents[2], tmp_path / "pictures"
    shutil.copytree(shared, pictures)
    experiment = base.replace(data_root=str(pictures))
    runs = workspace / "runs-of-freezing"
    lab.run(experiment.teacher_experiment(), folder=runs, progress=False)
    monkeypatch.setattr(freezing, "_CHUNK", 16)
    said = []

    def freeze():
        said.clear()
        return freezing.freeze(experiment, runs=runs, folder=tmp_path / "cache", say=said.append)

    freeze()
    return experiment, freeze, said


def swap(experiment, first, second):
    """Swap two pictures: names and sizes stay, as both files are padded to the same length."""
    paths = [experiment.training_images()[number].path for number in (first, second)]
    contents = [path.read_bytes() for path in paths]
    longest = max(map(len, contents))
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content + bytes(longest - len(content)))
    return paths


def pad_all(experiment):
    """Pictures of one length, so that swapping them changes no size."""
    paths = [image.path for image in experiment.training_images()]
    longest = max(path.stat().st_size for path in paths)
    for path in paths:
        path.write_bytes(path.read_bytes() + bytes(longest - path.stat().st_size))


def test_swapped_pictures_are_said_and_frozen_anew(frozen, tmp_path):
    experiment, freeze, said = frozen
    shutil.rmtree(tmp_path / "cache")
    pad_all(experiment)
    before = FrozenTeacher(freeze())
    names, rows = experiment.training_files(), (37, 70)
    old = [before.logits(names[row]).clone() for row in rows]
    del before
    paths = swap(experiment, *rows)
    with pytest.warns(LabNote, match=rf"{paths[0].name} has another content than when .*cache was frozen") as notes:
        folder = freeze()
    assert len(notes) == 1
    assert len(said) == 3, "chunks 32 to 80 alone are computed anew"
    after = FrozenTeacher(folder)
    torch.testing.assert_close(after.logits(names[37]), old[1])
    torch.testing.assert_close(after.logits(names[70]), old[0])
    for name, path in zip(names, [image.path for image in experiment.training_images()], strict=True):
        after.require_image(name, path)
    freeze()
    assert not said


def test_pictures_that_were_swapped_before_a_cache_was_complete_are_noticed(frozen, tmp_path, monkeypatch):
    experiment, freeze, said = frozen
    shutil.rmtree(tmp_path / "cache")
    pad_all(experiment)

    class KilledError(Exception):
        pass

    def killed(*_):
        raise KilledError

    prepare = freezing.as_unit_range
    calls = []
    monkeypatch.setattr(
        freezing, "as_unit_range", lambda batch: killed() if len(calls) == 2 else calls.append(0) or prepare(batch)
    )
    with pytest.raises(KilledError):
        freeze()
    with pytest.raises(DataError, match=f"is not complete: 32 of {COUNT} images are frozen"):
        FrozenTeacher(tmp_path / "cache")
    monkeypatch.setattr(freezing, "as_unit_range", prepare)
    paths = swap(experiment, 5, 60)
    with pytest.warns(LabNote, match=f"{paths[0].name} has another content"):
        cache = FrozenTeacher(freeze())
    assert len(said) == 5
    cache.require_image(experiment.training_files()[5], paths[0])


def test_pictures_that_are_the_same_are_read_once(frozen, tmp_path, monkeypatch):
    experiment, freeze, said = frozen
    read = []
    monkeypatch.setattr(
        "e2kd_lab.data.frozen_content.content_digest", lambda path: read.append(path) or content_digest(path)
    )
    with warnings.catch_warnings(action="error"):
        freeze()
        assert len(read) == COUNT
        freeze()
        assert len(read) == COUNT
        # Touched, but the same.
        experiment.training_images()[3].path.touch()
        freeze()
        assert len(read) == 2 * COUNT
    assert not said
    (tmp_path / "cache" / SEEN).write_text("noise")
    freeze()
    assert len(read) == 3 * COUNT
