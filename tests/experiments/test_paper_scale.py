"""The paper's networks and recipes from data to results, on few and small images: scales differ in numbers only."""

import shutil

import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.minidata.mininet import MiniNet, make_mininet
from e2kd_lab.minidata.miniscenes import MiniScenes, make_miniscenes
from e2kd_lab.minidata.minivoc import MiniVoc, make_minivoc
from e2kd_lab.runs.freeze import freeze

SMALL = {"image_size": 64, "resize": 72, "epochs": 1, "batch_size": 4, "warmup_epochs": 0.0}


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    """20 classes in ImageNet's layout."""
    return make_mininet(tmp_path_factory.mktemp("imagenet") / "set", MiniNet(size=32, train=2, val=1))


@pytest.fixture(scope="module")
def sun397(tmp_path_factory):
    """10 classes in SUN397's layout."""
    root = tmp_path_factory.mktemp("sun397")
    scenes = make_miniscenes(root / "scenes", MiniScenes(size=32, train=2, val=1))
    for part, listing in (("train", "Training_01.txt"), ("val", "Testing_01.txt")):
        names = []
        for image in sorted((scenes / part).glob("*/*")):
            names.append(f"/{image.parent.name[0]}/{image.parent.name}/{part}_{image.name}")
            copy = root / "SUN397" / names[-1].lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image, copy)
        (root / listing).write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    """10 classes in VOC's layout."""
    return make_minivoc(tmp_path_factory.mktemp("voc") / "set", MiniVoc(size=48, train=8, val=4, test=4))


@pytest.fixture
def paper(request, tmp_path, minibirds):
    """An experiment at paper scale with data, and a teacher that knows nothing."""
    name, family, method = request.param
    base = lab.experiments.get(name, "paper", family)
    if name == "waterbirds":
        changes = {"data_root": str(minibirds)}
    elif name == "voc":
        changes = {"data_root": str(request.getfixturevalue("voc")), "num_classes": 10}
    else:
        changes = {"data_root": str(request.getfixturevalue("imagenet")), "num_classes": 20, "held_out": 1}
    if name == "cnn_to_vit":
        changes["largest_shift"] = 16
    if name == "data_free":
        changes["image_root"] = str(request.getfixturevalue("sun397"))
    weights = tmp_path / "teacher.pth"
    classes = changes.get("num_classes", base.num_classes)
    torch.save(lab.build_model(base.teacher, classes).state_dict(), weights)
    experiment = base.replace(**SMALL, **changes, teacher_weights=str(weights))
    return experiment.by_method(method, lam=1.0, tau=1.0, seed=0)


def test_distillation_shows_all_of_sun397_and_its_own_students_a_partition(imagenet, sun397):
    """Both directions then take as many steps, as Sec. C.1.1 says."""
    base = lab.experiments.get("data_free", "paper")
    shown = base.replace(data_root=str(imagenet), image_root=str(sun397)).training_images()
    assert len(shown) == 30  # training and test images of a partition
    swapped = base.with_setting("reversed").by_method("baseline", data_root=str(sun397), held_out=1)
    assert len(swapped.training_images()) == 10
    counts = [base.published_counts(), base.with_setting("reversed").published_counts()]
    steps = [
        one.epochs * (count["train"] // one.batch_size)
        for one, count in zip((base, base.with_setting("reversed")), counts, strict=True)
    ]
    assert steps[0] == pytest.approx(steps[1], rel=0.02)
    assert 0 < counts[1]["val"] < 19_850


@pytest.mark.parametrize(
    "paper",
    [
        ("waterbirds", "standard", "e2kd"),
        ("waterbirds", "bcos", "e2kd"),
        ("imagenet_standard", "standard", "reviewkd"),
        ("imagenet_bcos", "bcos", "e2kd"),
        ("imagenet_bcos_densenet", "bcos", "kd"),
        ("imagenet_frozen", "bcos", "e2kd"),
        ("data_free", "bcos", "e2kd"),
        ("prior_work", "standard", "kd_labels"),
        ("voc", "bcos", "e2kd"),
        ("cnn_to_vit", "bcos", "e2kd"),
    ],
    indirect=True,
    ids="-".join,
)
def test_it_runs_from_data_to_results(paper, tmp_path, monkeypatch):
    monkeypatch.setenv("E2KD_LAB_HOME", str(tmp_path))
    if paper.name == "imagenet_frozen":
        freeze(paper, runs=tmp_path / "runs", say=lambda line: None)
    run = lab.run(paper, folder=tmp_path / "runs", progress=False)
    assert run.status == "done"
    test = run.results().query("split == 'test' and group == 'all'").set_index("metric")["value"]
    assert test["agreement"] >= 0
    assert -1 <= test["explanation_cosine"] <= 1
    assert run.config["network"] == lab.experiments.get(paper.name, "paper", paper.family).student
