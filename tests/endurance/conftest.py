"""One fork server for the whole folder, and the undisturbed runs that everything is compared with."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from endurance.forking import Forks
from endurance.results import cache_digest

import e2kd_lab as lab

FROZEN = {"name": "imagenet_frozen"}


@pytest.fixture(scope="session")
def forks(workspace, tmp_path_factory):
    """Starts children; see `endurance.forking`."""
    if not hasattr(os, "fork") or not Path("/proc/self/task").is_dir():
        pytest.skip("needs a system with fork and /proc")
    server = Forks(tmp_path_factory.mktemp("answers"), workspace)
    yield server
    server.close()


@pytest.fixture(params=["mounted", "limited"])
def disk(request, forks):
    """The kinds of disk that can fill up here: a mounted one where that is allowed, and its stand-in."""
    if request.param == "mounted" and not forks.can_mount:
        pytest.skip("nothing can be mounted here; the stand-in is tested")
    return request.param


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory):
    """Weights of a teacher that nobody has to train."""
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
    """What the run of `student` comes to."""
    return forks.call("train", experiment=student, folder=str(tmp_path_factory.mktemp("undisturbed")))


@pytest.fixture(scope="session")
def teacher_runs(forks, tmp_path_factory):
    """A folder with the teacher that is going to be frozen."""
    folder = tmp_path_factory.mktemp("teachers")
    forks.call("train_teacher", experiment=FROZEN, folder=str(folder))
    return folder


@pytest.fixture(scope="session")
def frozen(forks, teacher_runs, tmp_path_factory):
    """What freezing it comes to."""
    cache = tmp_path_factory.mktemp("frozen") / "cache"
    made = forks.call("freeze", experiment=FROZEN, folder=str(cache), runs=str(teacher_runs))
    return {**made, "bytes": cache_digest(cache)}


@pytest.fixture
def fresh(tmp_path):
    """Empty folders, one after the other; the former one is removed."""

    def next_folder():
        shutil.rmtree(tmp_path / "fresh", ignore_errors=True)
        (tmp_path / "fresh").mkdir()
        return tmp_path / "fresh"

    return next_folder
