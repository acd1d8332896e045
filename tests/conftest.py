"""Shared by all tests: the lab is imported before packages that import torchvision, and works in temporary folders."""

import e2kd_lab  # isort: skip - readies torchvision before captum, torchmetrics and others import it

import os

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

import e2kd_lab as lab
from e2kd_lab import experiments
from e2kd_lab.minidata.minibirds import MiniBirds, make_minibirds
from e2kd_lab.runs import load_runs, select_by_validation

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)

settings.register_profile("lab", deadline=None, max_examples=30)
settings.load_profile("lab")


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """A workspace of its own for the whole test session."""
    folder = tmp_path_factory.mktemp("workspace")
    os.environ["E2KD_LAB_HOME"] = str(folder)
    yield folder
    del os.environ["E2KD_LAB_HOME"]


@pytest.fixture(scope="session")
def minibirds(workspace):
    """A small MiniBirds set, 24 px."""
    spec = MiniBirds(size=24, train=(22, 10), val=2, test=2, teacher=8)
    return make_minibirds(workspace / "small-minibirds", spec)


@pytest.fixture(scope="session")
def tiny(minibirds):
    """An experiment that trains in a second."""
    smoke = experiments.get("waterbirds", "smoke")
    return smoke.replace(data_root=str(minibirds), image_size=24, resize=24, batch_size=8, epochs=2)


@pytest.fixture(scope="session")
def tiny_bcos(minibirds):
    """The same with B-cos networks."""
    smoke = experiments.get("waterbirds", "smoke", family="bcos")
    return smoke.replace(data_root=str(minibirds), image_size=24, resize=24, batch_size=8, epochs=2)


@pytest.fixture(scope="session")
def runs(workspace, tiny, tiny_bcos):
    """A folder with finished runs of teacher, baseline, KD and e2KD, of both families of networks."""
    folder = workspace / "runs-of-fixtures"  # notebooks write theirs to workspace / "runs"
    for experiment in (tiny, tiny_bcos):
        for method, values in {"baseline": {}, "kd": {}, "e2kd": {"lam": 5.0}}.items():
            e2kd_lab.run(experiment.replace(method=method, **values), folder=folder, progress=False)
    return folder


@pytest.fixture
def write_waterbirds(tmp_path):
    """Write a small set in the Waterbirds layout: rows of metadata become images of random noise."""

    def write(rows=None, *, folder="waterbird_1.0_forest2water2", masks=False):
        root = tmp_path / folder
        if rows is None:
            rows = [(f"{i:03d}.Bird/Bird_{i}.jpg", i % 2, i % 3, (i // 2) % 2) for i in range(12)]
        lines = ["img_id,img_filename,y,split,place,place_filename"]
        for number, (name, y, split, place) in enumerate(rows, start=1):
            lines.append(f"{number},{name},{y},{split},{place},/f/forest/{number}.jpg")
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 255, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
            if masks:
                mask = tmp_path / "segmentations" / name
                mask.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[..., 0]).save(mask.with_suffix(".png"))
        (root / "metadata.csv").write_text("\n".join(lines) + "\n")
        return root

    return write


@pytest.fixture(scope="session")
def few_shots(workspace):
    """Finished few-shot runs of the smoke scale."""
    experiment = lab.experiments.get("imagenet_standard", "smoke")
    return [
        lab.run(experiment.with_setting(setting).replace(method=m, lam=5.0), folder=workspace / "shots", progress=False)
        for setting in experiment.settings()
        for m in ("kd", "e2kd")
    ]


@pytest.fixture(scope="session")
def taught(workspace):
    """By the title of a guided teacher, the experiment on images of several classes and finished runs of students."""
    base, folder = lab.experiments.get("voc", "smoke"), workspace / "voc-runs"
    return {
        title: (
            base.with_setting(setting),
            [
                lab.run(base.with_setting(setting).replace(method=m, lam=1.0), folder=folder, progress=False)
                for m in ("kd", "e2kd")
            ],
        )
        for title, setting in (("EPG teacher", "base"), ("IoU teacher", "iou"))
    }


@pytest.fixture(scope="session")
def selected(runs):
    """The best runs of standard networks."""
    return select_by_validation(load_runs(runs).query("family == 'standard'"))
