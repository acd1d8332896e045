"""Processes start the same work: one does it, the others name it in one sentence, or wait for it and say so."""

import itertools
import re
import socket

import pytest
from endurance.conftest import FROZEN
from endurance.programs import (
    SMALL_BIRDS,
    cache_digest,
    digests,
    folder_digest,
    freeze,
    make,
    train,
    train_share,
    wait_for,
)

from e2kd_lab.minidata.minibirds import make_minibirds
from e2kd_lab.runs import Run, find_runs


@pytest.fixture
def signs(tmp_path):
    """Folder through which children pause and go on."""
    folder = tmp_path / "signs"
    folder.mkdir()
    return folder


@pytest.fixture
def work(request, forks, student, undisturbed, teacher_runs, frozen, tmp_path):
    """A function, its arguments, where it pauses, its description in messages, and a check of its result."""
    place = tmp_path / "place"
    if request.param == "training":
        name = undisturbed["folder"].rpartition("/")[2]

        def trained():
            return Run(place / name).status == "done" and digests(place / name) == undisturbed["digests"]

        return train, {"experiment": student, "folder": str(place)}, 3, "working on this run", trained
    if request.param == "freezing":
        arguments = {"experiment": FROZEN, "folder": str(place), "runs": str(teacher_runs)}
        return freeze, arguments, 32, "freezing a teacher into it", lambda: cache_digest(place) == frozen["bytes"]
    expected = folder_digest(make_minibirds(tmp_path / "undisturbed", SMALL_BIRDS))
    return make, {"folder": str(place)}, 3, "making this data set", lambda: folder_digest(place) == expected


EACH_WORK = pytest.mark.parametrize("work", ["training", "freezing", "making"], indirect=True)


@pytest.mark.parametrize("work", ["training", "freezing"], indirect=True)
def test_the_second_says_who_is_at_work(forks, work, signs):
    function, arguments, pause_at, doing, is_right = work
    first = forks.start(function, pause_at=pause_at, signs=str(signs), **arguments)
    wait_for(signs / "here")
    second = forks.start(function, signs=str(signs), **arguments).wait()
    holder = f"process {first.pid} on {re.escape(socket.gethostname())}"
    assert re.fullmatch(rf"/\S+ is in use: {holder} is {doing}; wait for it or stop it\.", second.error)
    assert "LabError" in second.error_kinds
    (signs / "go").touch()
    assert first.wait().error is None
    assert is_right()
    # Now that it is done, the second finds it so.
    assert forks.start(function, signs=str(signs), **arguments).wait().error is None
    assert is_right()


@EACH_WORK
def test_of_those_who_start_together_one_comes_through(forks, work, signs):
    function, arguments, _, doing, is_right = work
    together = [forks.start(function, begin=False, signs=str(signs), **arguments) for _ in range(4)]
    (signs / "go").touch()
    errors = [child.wait().error for child in together]
    assert None in errors
    for error in errors:
        assert error is None or f"is {doing}; wait for it or stop it." in error
        assert error is None or re.search(rf"process ({'|'.join(str(child.pid) for child in together)}) on ", error)
    assert is_right()


def test_the_second_maker_of_a_data_set_waits_and_says_so(forks, signs, tmp_path):
    place = tmp_path / "place"
    first = forks.start(make, folder=str(place), pause_at=3, signs=str(signs))
    wait_for(signs / "here")
    second = forks.start(make, folder=str(place), signs=str(signs))
    wait_for(signs / "waits")
    (signs / "go").touch()
    assert [child.wait().error for child in (first, second)] == [None, None]
    assert folder_digest(place) == folder_digest(make_minibirds(tmp_path / "undisturbed", SMALL_BIRDS))


@pytest.fixture(scope="module")
def eight(minibirds):
    """Eight students of one teacher, which is not trained yet."""
    base = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "epochs": 1}
    return [{**base, "method": method, "seed": seed} for method in ("kd", "baseline") for seed in range(4)]


@pytest.mark.parametrize("dies", [False, True])
def test_the_second_job_waits_for_the_teacher_of_the_first(forks, eight, signs, tmp_path, dies):
    place = {"place": "step", "count": 4} if dies else {}
    first = forks.start(train_share, experiments=eight[:1], folder=str(tmp_path), pause_at=3, signs=str(signs), **place)
    wait_for(signs / "here")
    second = forks.start(train_share, experiments=eight[1:2], folder=str(tmp_path), signs=str(signs))
    wait_for(signs / "waits")
    (signs / "go").touch()
    ended, other = first.wait(), second.wait()
    assert (ended.signal != 0, other.error) == (dies, None)
    teachers = [title for title in [*(ended.value or []), *other.value] if "Teacher" in title]
    assert len(teachers) == 1
    assert {run.status for run in find_runs(tmp_path)} == {"done"}


@pytest.mark.parametrize("how", ["a share each", "the same list", "the same sweep"])
@pytest.mark.parametrize("jobs", [2, 4])
def test_jobs_that_start_at_once_train_each_run_once(forks, eight, signs, tmp_path, jobs, how):
    shares = [eight[number::jobs] if how == "a share each" else eight for number in range(jobs)]
    options = {"wait": True if how == "the same list" else None, "is_sweep": how == "the same sweep"}
    children = [
        forks.start(train_share, experiments=share, folder=str(tmp_path), signs=str(signs), begin=False, **options)
        for share in shares
    ]
    (signs / "go").touch()
    ended = [child.wait() for child in children]
    assert [one.error for one in ended] == [None] * jobs
    trained = list(itertools.chain.from_iterable(one.value for one in ended))
    assert len(trained) == len(set(trained)) == 9
    assert [run.status for run in find_runs(tmp_path)] == ["done"] * 9


def test_without_waiting_a_teacher_in_use_is_refused(forks, eight, signs, tmp_path):
    first = forks.start(train_share, experiments=eight[:1], folder=str(tmp_path), pause_at=3, signs=str(signs))
    wait_for(signs / "here")
    refused = forks.start(train_share, experiments=eight[:1], folder=str(tmp_path), wait=False, signs=str(signs))
    assert f"is in use: process {first.pid} on" in refused.wait().error
    (signs / "go").touch()
    assert first.wait().error is None
