"""The mark of this folder, its fork server, and undisturbed runs to compare with."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from endurance.fork_server import Forks
from endurance.programs import cache_digest, freeze, train, train_teacher

import e2kd_lab as lab

FROZEN = {"name": "imagenet_frozen"}


def pytest_collection_modifyitems(items):
    """Mark all tests of this folder."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("endurance")


@pytest.fixture(scope="session")
def forks(workspace, tmp_path_factory):
    """Starts child processes; see `endurance.fork_server`."""
    if not hasattr(os, "fork") or not Path("/proc/self/task").is_dir():
        pytest.skip("the fork server needs os.fork and /proc, as on Linux")
    server = Forks(tmp_path_factory.mktemp("answers"), workspace)
    yield server
    server.close()


@pytest.fixture(params=["mounted", "limited"])
def disk(request, forks):
    """A disk that can fill up: a mounted one where that is allowed, and its stand-in."""
    if request.param == "mounted" and not forks.can_mount:
        pytest.skip("mounting is not allowed here; the limit on the size of files stands in for a full disk")
    return request.param


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory):
    """Weights of an untrained teacher."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save(lab.build_model("resnet_mini", 2).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def student(minibirds, teacher_file):
    """A run of 24 steps in which mixup, augmentation, optimizer state and the best checkpoint take part."""
    return {
        "name": "waterbirds", "data_root": str(minibirds), "teacher_weights": str(teacher_file), "method": "e2kd",
        "lam": 5.0, "image_size": 24, "resize": 24, "batch_size": 8, "epochs": 6, "mixup": 1.0, "select": "best",
    }  # fmt: skip


@pytest.fixture(scope="session")
def undisturbed(forks, student, tmp_path_factory):
    """Result of the run of `student` without disturbance."""
    return forks.call(train, experiment=student, folder=str(tmp_path_factory.mktemp("undisturbed")))


@pytest.fixture(scope="session")
def teacher_runs(forks, tmp_path_factory):
    """A folder with the trained teacher to freeze."""
    folder = tmp_path_factory.mktemp("teachers")
    forks.call(train_teacher, experiment=FROZEN, folder=str(folder))
    return folder


@pytest.fixture(scope="session")
def frozen(forks, teacher_runs, tmp_path_factory):
    """Result of freezing it without disturbance."""
    cache = tmp_path_factory.mktemp("frozen") / "cache"
    made = forks.call(freeze, experiment=FROZEN, folder=str(cache), runs=str(teacher_runs))
    return {**made, "bytes": cache_digest(cache)}


@pytest.fixture
def fresh(tmp_path):
    """A function that returns a new empty folder and removes the previous one."""

    def next_folder():
        shutil.rmtree(tmp_path / "fresh", ignore_errors=True)
        (tmp_path / "fresh").mkdir()
        return tmp_path / "fresh"

    return next_folder
