"""Two processes start the same work: one does it, the other names it in one sentence."""

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
    wait_for,
)

from e2kd_lab.minidata.minibirds import make_minibirds
from e2kd_lab.runs import Run


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


@EACH_WORK
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
