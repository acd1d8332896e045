"""Experiments on data of one's own: the lab's numbers where the data are the lab's, and everything else that works."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import multiclass_accuracy

import e2kd_lab as lab
from e2kd_lab.experiments import SCALES
from e2kd_lab.figures.style import SCALE_TITLES
from e2kd_lab.metrics.groups import GROUPS
from e2kd_lab.models import build_model, explanation_by_name
from e2kd_lab.paper import write_figures
from e2kd_lab.paper.table_cells import TABLE_TITLES, results_cells
from e2kd_lab.runs.examples import examples_of
from e2kd_lab.system.errors import DataError, ExperimentError, LabNote
from e2kd_lab.training.recipe import TEACHER_SEED, Recipe
from e2kd_lab.widgets import ExplanationBrowser, SweepMap, TrainLab

NETWORKS = {"teacher": "resnet_mini", "student": "resnet_mini"}


def draw(root, counts, size=(24, 24), splits=("train", "val", "test")):
    """A set of coloured noise: one colour a class."""
    for split in splits:
        for label, count in counts.items():
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                rng = np.random.default_rng([number, len(label), splits.index(split)])
                pixels = rng.integers(0, 120, (size[1], size[0], 3), dtype=np.uint8)
                pixels[..., len(label) % 3] += 100
                Image.fromarray(pixels).save(root / split / label / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("pets"), {"ant": 12, "bear": 6, "mouse": 6})


@pytest.fixture(scope="module")
def pets(workspace, pictures):
    return lab.experiments.own("pets", data=pictures, **NETWORKS, image_size=24, epochs=2, batch_size=8)


@pytest.fixture(scope="module")
def folder(workspace, pets, tmp_path_factory):
    """Finished runs of KD and e2KD, and of their teacher."""
    folder = tmp_path_factory.mktemp("runs")
    lab.run_all([pets.replace(method="kd"), pets.replace(method="e2kd", lam=5.0)], folder=folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def birds(workspace, minibirds, tmp_path_factory):
    """MiniBirds as one's own table, and the same recipe as the lab's experiment on it."""
    path = tmp_path_factory.mktemp("table") / "birds.csv"
    rows = pd.read_csv(minibirds / "waterbird_1.0_forest2water2" / "metadata.csv")
    table = pd.DataFrame(
        {
            "path": rows["img_filename"],
            "label": rows["y"].map({0: "landbird", 1: "waterbird"}),
            "split": rows["split"].map({0: "train", 1: "val", 2: "test"}),
            "group": [GROUPS[2 * y + place] for y, place in zip(rows["y"], rows["place"], strict=True)],
        }
    )
    table.to_csv(path, index=False)
    return path


def both(family, birds, minibirds, **options):
    smoke = lab.experiments.get("waterbirds", "smoke", family).replace(
        data_root=str(minibirds), image_size=24, resize=24, **options
    )
    own = lab.experiments.own(
        "my_birds",
        data=birds,
        data_root=str(minibirds / "waterbird_1.0_forest2water2"),
        teacher=smoke.teacher,
        student=smoke.student,
        image_size=24,
        epochs=smoke.epochs,
        batch_size=smoke.batch_size,
        warmup_epochs=smoke.warmup_epochs,
        crop_scale=smoke.crop_scale,
        **options,
    )
    return smoke, own


@pytest.mark.parametrize("family", ["standard", "bcos"])
def test_the_labs_own_pictures_give_the_labs_numbers_to_the_last_bit(birds, minibirds, family, tmp_path):
    smoke, own = both(family, birds, minibirds)
    teacher = lab.run(smoke.teacher_experiment(), folder=tmp_path, progress=False)  # of the unbiased pictures
    runs = []
    for method, values in {"baseline": {}, "kd": {}, "e2kd": {"lam": 5.0}}.items():
        taught = [
            one.replace(method=method, teacher_weights=str(teacher.checkpoint()), **values) for one in (smoke, own)
        ]
        runs.append([lab.run(one, folder=tmp_path, progress=False) for one in taught])
    keys = ["step", "epoch", "split", "group", "metric"]
    for theirs, ours in runs:
        lab_rows, rows = (run.metrics().set_index(keys)["value"] for run in (theirs, ours))
        shared = lab_rows[~lab_rows.index.get_level_values("group").str.endswith("distribution")]
        assert len(shared) > 20
        pd.testing.assert_series_equal(rows.reindex(shared.index), shared, check_exact=True)
        more = set(rows.index.get_level_values("group")) - set(shared.index.get_level_values("group"))
        assert more == {"landbird", "waterbird"}
        states = [run.load_model().state_dict() for run in (theirs, ours)]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_accuracies_of_classes_and_their_mean(pets, folder):
    run = lab.run(pets.replace(method="kd"), folder=folder)
    outcomes = lab.evaluate(pets.replace(method="kd"), run.load_model(), folder=folder)
    test = run.results().query("split == 'test'").set_index(["metric", "group"])["value"]
    said = [torch.tensor(outcomes[name].to_numpy()) for name in ("prediction", "label")]
    each = multiclass_accuracy(*said, num_classes=3, average="none")
    assert [test["accuracy", name] for name in ("ant", "bear", "mouse")] == pytest.approx((100 * each).tolist())
    balanced = multiclass_accuracy(*said, num_classes=3, average="macro")
    assert test["balanced_accuracy", "all"] == pytest.approx(100 * balanced.item())
    assert ("accuracy", "worst") not in test


def test_runs_have_a_name_and_a_scale_of_their_own(pets, folder, tmp_path, capsys):
    table = lab.load_runs(folder)
    assert set(table["experiment"]) == {"pets"}
    assert set(table["scale"]) == {"own"}
    assert set(table["method"]) == {"teacher", "kd", "e2kd"}
    assert all(run.startswith("pets-own-") for run in table["run"])
    assert SCALE_TITLES["own"] == "measured here (own data)"
    for name in TABLE_TITLES:  # none of the paper's tables
        assert set(results_cells(table, name)["source"]) == {"paper"}
    lines = []
    drawn = write_figures(tmp_path / "figures", runs=folder, say=lines.append)
    assert drawn
    assert all(file.name.startswith("pets_") and file.stem.removesuffix("_caption").endswith("_own") for file in drawn)
    assert all(line.startswith("pets_") for line in lines)  # none of the paper's figures
    with pytest.raises(ExperimentError, match="no scale 'own'; expected one of smoke, lab, paper"):
        lab.experiments.get("waterbirds", "own")
    assert "own" not in SCALES


def test_a_sweep_over_the_grid_and_what_it_costs(pets, folder):
    assert [(one.lam, one.tau) for one in pets.grid("e2kd")] == [(lam, tau) for tau in (1, 5) for lam in (1, 5, 10)]
    assert [one.tau for one in pets.grid("kd")] == [1.0, 5.0]
    assert pets.settings() == ("base",)
    assert set(pets.methods) >= {"baseline", "kd", "e2kd", "at", "catkd"}
    swept = lab.sweep([pets.replace(method="kd")], folder=folder, say=lambda line: None)
    assert [run.status for run in swept.runs] == ["done"]


def test_panels_take_them(pets, folder, tmp_path):
    runs = [
        lab.run(pets.replace(method="kd"), folder=folder),
        lab.run(pets.replace(method="e2kd", lam=5.0), folder=folder),
    ]
    browser = ExplanationBrowser(pets, runs, folder=folder, export_folder=tmp_path)
    assert browser.last_error is None
    assert [title for title, _ in browser.group.options] == ["all", "ant", "bear", "mouse"]
    browser.group.value = 2
    assert set(browser.data["label"]) == {"mouse"}
    panel = TrainLab(pets.replace(method="e2kd", lam=5.0), folder=folder)
    assert panel.last_error is None
    assert panel.train_button.disabled  # this run is done
    swept = SweepMap(pets.replace(lam=5.0), folder=folder)
    assert swept.last_error is None
    assert "Balanced accuracy" in [title for title, _ in swept.measure.options]


def test_groups_are_in_panels_and_examples_by_their_names(birds, minibirds, tmp_path):
    _, own = both("standard", birds, minibirds)
    assert set(examples_of(own, 8).titles) == set(GROUPS)
    run = lab.run(own.replace(method="kd"), folder=tmp_path, progress=False)
    browser = ExplanationBrowser(own, [run], folder=tmp_path, export_folder=tmp_path)
    assert browser.last_error is None
    assert [title for title, _ in browser.group.options] == ["all", *GROUPS]
    browser.group.value = 1
    assert set(browser.data["group"]) == {"LW"}


@pytest.mark.parametrize("network", ["resnet_mini", "bcos_resnet_mini"])
def test_oblong_images_train_and_are_shown(tmp_path, network):
    data = draw(tmp_path / "wide", {"ant": 6, "bear": 6}, size=(60, 30))
    own = lab.experiments.own(
        "wide", data=data, teacher=network, student=network, image_size=(24, 40), epochs=1, batch_size=4
    )
    assert own.family == ("bcos" if explanation_by_name(network) == "bcos" else "standard")
    run = lab.run(own.replace(method="e2kd", lam=1.0), folder=tmp_path / "runs", progress=False)
    assert run.status == "done"
    assert examples_of(own, 2).images.shape == (2, 3, 24, 40)
    browser = ExplanationBrowser(own, [run], folder=tmp_path / "runs", export_folder=tmp_path)
    assert browser.last_error is None
    assert own.replace(image_size=(24, 48), resize=(24, 48)).config_hash() != own.config_hash()


def test_data_sets_of_torch_train(tmp_path):
    def items(count, seed):
        images = torch.randint(0, 255, (count, 3, 24, 24), generator=torch.Generator().manual_seed(seed))
        return torch.utils.data.TensorDataset(images.byte(), torch.arange(count) % 2)

    data = {name: items(8, seed) for seed, name in enumerate(("train", "val", "test"))}
    options = {**NETWORKS, "image_size": 24, "epochs": 1, "batch_size": 4}
    own = lab.experiments.own("noise", data=data, version="noise-1", **options)
    run = lab.run(own.replace(method="kd"), folder=tmp_path, progress=False)
    assert run.config["data"].startswith("noise-1+sha256:")
    assert "balanced_accuracy" in set(run.results()["metric"])
    again = lab.experiments.own("noise", data=data, version="noise-2", **options)
    assert again.run_name() != own.run_name()


def test_class_weights_are_those_of_the_training_images(pets):
    balanced = pets.replace(class_weights="balanced")
    model = build_model("resnet_mini", 3)
    balanced.prepare_student(model)
    assert model.class_weights.tolist() == pytest.approx([0.6, 1.2, 1.2])  # 12, 6 and 6 images, mean 1
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    expected = torch.nn.functional.cross_entropy(logits, labels, torch.tensor([0.6, 1.2, 1.2]))
    assert torch.equal(model.classification_loss(logits, labels), expected)
    pets.replace(class_weights=(1.0, 1.0, 2.0)).prepare_student(model)
    assert model.class_weights.tolist() == [1, 1, 2]
    assert not any("weights" in name for name in model.state_dict())
    pets.prepare_student(model)
    assert model.class_weights is None


def test_class_weights_change_what_is_learnt_from_labels(pets, tmp_path):
    runs = [
        lab.run(pets.replace(method="baseline", class_weights=weights), folder=tmp_path, progress=False)
        for weights in (None, (1.0, 20.0, 1.0))
    ]
    losses = [run.metrics().query("metric == 'loss'")["value"].iloc[-1] for run in runs]
    assert losses[0] != losses[1]
    assert "class_weights" not in runs[0].config
    assert runs[1].config["class_weights"] == [1, 20, 1]


def test_the_teacher_has_the_students_recipe_and_another_seed(pets, pictures):
    teacher = pets.teacher_experiment()
    assert (teacher.epochs, teacher.batch_size, teacher.lr) == (2, 8, pets.lr)
    assert (pets.seed, teacher.seed) == (0, TEACHER_SEED)
    options = {"data": pictures, **NETWORKS, "image_size": 24, "epochs": 2}
    assert lab.experiments.own("pets", teacher_epochs=7, **options).teacher_experiment().epochs == 7
    recipe = Recipe(epochs=9, batch_size=3)
    assert lab.experiments.own("pets", teacher_recipe=recipe, **options).teacher_experiment().batch_size == 3
    assert lab.experiments.own("pets", seed=4, **options).teacher_experiment().seed == TEACHER_SEED
    bcos = lab.experiments.own("pets", **{**options, "teacher": "bcos_resnet_mini", "student": "bcos_resnet_mini"})
    assert (bcos.optimizer, bcos.lr, bcos.teacher_recipe.optimizer) == ("adam", 1e-3, "adam")


def test_where_pictures_lie_is_no_part_of_a_run(pets, tmp_path):
    moved = draw(tmp_path / "elsewhere", {"ant": 12, "bear": 6, "mouse": 6})
    again = lab.experiments.own("pets", data=str(moved), **NETWORKS, image_size=24, epochs=2, batch_size=8)
    assert again.run_name() == pets.run_name()
    assert again.replace(method="kd").run_name() == pets.replace(method="kd").run_name()
    assert str(moved) not in repr(again)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "waterbirds"}, "'waterbirds' is an experiment of the lab"),
        ({"name": "my pets"}, "'name' is 'my pets'; expected letters"),
        ({"num_classes": 4}, r"'num_classes' is 4, but the data have 3 classes \(ant, bear, mouse\)"),
        ({"student": "resnet_99"}, "There is no model 'resnet_99'"),
        ({"student": "bcos_resnet_mini"}, "cannot be compared"),
        ({"image_size": "64"}, "'image_size' is '64'; expected a whole number or"),
        ({"image_size": (24, 5000)}, "expected 2 <= image_size <= resize <= 4096"),
        ({"image_size": (24, 40), "resize": 40}, "expected two numbers, or height and width of both"),
        ({"resize": 20}, "'image_size' is 24 and 'resize' is 20"),
        ({"class_weights": "inverse"}, "'class_weights' is inverse; expected balanced, or 3 positive numbers"),
        ({"class_weights": (1.0, 2.0)}, "expected balanced, or 3 positive numbers, one for each of ant, bear, mouse"),
        ({"class_weights": (1.0, 2.0, 0.0)}, "expected balanced, or 3 positive"),
        ({"lamda": 1.0}, "no field 'lamda'"),
        ({"scale": "lab"}, "no field 'scale'"),
        ({"epochs": 0}, "'epochs' is 0"),
    ],
)
def test_what_cannot_be_right_is_a_sentence(pictures, changes, says):
    options = {"name": "pets", "data": pictures, **NETWORKS, "image_size": 24, "epochs": 2, **changes}
    with pytest.raises(ExperimentError, match=says):
        lab.experiments.own(**options)


def test_notes_are_said_once_and_nothing_else(tmp_path):
    data = draw(tmp_path, {"ant": 10, "bear": 10}, splits=("train",))
    with pytest.warns(LabNote, match="held out 10%") as noted:
        lab.experiments.own("pets", data=data, **NETWORKS)
    assert len(noted) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pets = lab.experiments.own("pets", data=data, **NETWORKS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pets.replace(lam=3.0).dataset("train")
    with pytest.raises(DataError, match="is not there"):
        lab.experiments.own("pets", data=tmp_path / "nothing.csv", **NETWORKS)


def test_classes_may_have_names_that_stand_for_nothing_elsewhere(tmp_path):
    data = draw(tmp_path / "odd", {"None": 4, "NA": 4, "nan, or not": 4})
    odd = lab.experiments.own("odd", data=data, **NETWORKS, image_size=24, epochs=1, batch_size=4)
    run = lab.run(odd.replace(method="baseline"), folder=tmp_path / "runs", progress=False)
    assert {"None", "NA", "nan, or not"} < set(run.results()["group"])
