"""Few shots, frozen teachers and other data: who sees which images, and that everything trains."""

import pandas as pd
import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.data.frozen import FrozenTeacher
from e2kd_lab.runs.freeze import freeze, storage_choices
from e2kd_lab.system.errors import DataError, ExperimentError


@pytest.fixture(scope="module")
def finished(workspace):
    """A folder with the teachers that the tests share."""
    return workspace / "imagenet-runs"


def test_all_methods_see_the_same_shots_and_never_the_held_out_images(workspace):
    base = lab.experiments.get("imagenet_standard", "smoke")
    few = base.with_setting("2-shots")
    assert few.training_files() == few.replace(method="e2kd", lam=1.0, seed=3).training_files()
    labels = torch.bincount(few.dataset("train").labels)
    assert labels.tolist() == [2] * 20
    shown = {image.path for image in base.training_images()}
    held = {image.path for image in base.dataset("val").images}
    assert not shown & held
    assert len(shown) + len(held) == 20 * 6
    assert {image.path for image in few.training_images()} < shown
    assert len(base.teacher_experiment().dataset("train")) == len(shown)
    assert len(few.teacher_experiment().dataset("train")) == len(shown)  # teachers have seen everything


def test_a_run_writes_which_images_it_saw(workspace, finished):
    few = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots").replace(method="catkd", lam=1.0)
    run = lab.run(few, folder=finished, progress=False)
    assert run.status == "done"
    assert pd.read_csv(run.folder / "training_files.csv")["file"].tolist() == few.training_files()
    assert set(run.results()["group"]) == {"all"}


def test_prior_works_recipe_trains(workspace, finished):
    experiment = lab.experiments.get("prior_work", "smoke").replace(method="kd_labels")
    assert lab.run(experiment, folder=finished, progress=False).status == "done"
    assert "step_epochs" in experiment.config()
    assert "step_epochs" not in lab.experiments.get("imagenet_standard", "smoke").config()


def test_data_free_shows_other_images_and_measures_on_its_own(workspace, finished):
    experiment = lab.experiments.get("data_free", "smoke")
    assert experiment.images == "sun397"
    shown, own = experiment.dataset("train"), experiment.dataset("test")
    assert shown.images[0].path.parts[-4] != own.images[0].path.parts[-4]
    assert experiment.replace(method="kd").teacher_experiment().images == "imagenet"
    run = lab.run(experiment.replace(method="e2kd", lam=1.0), folder=finished, progress=False)
    assert run.status == "done"
    with pytest.raises(ExperimentError, match="'baseline' needs labels, which the images of 'sun397' do not have"):
        experiment.replace(method="baseline")


def test_the_other_direction_swaps_data_and_classes(workspace, finished):
    base = lab.experiments.get("data_free", "smoke")
    other = base.with_setting("reversed").replace(method="e2kd", lam=1.0)
    assert (other.own, other.images, other.num_classes) == ("sun397", "imagenet", 10)
    assert set(base.settings()) == {"base", "reversed"}
    assert "scene" in str(other.dataset("test").images[0].path)
    assert "net" in other.dataset("train").images[0].path.parts[-4]
    assert other.teacher_experiment().run_name() != base.teacher_experiment().run_name()
    assert len(other.teacher_experiment().dataset("train")) == 10 * 4
    assert lab.run(other, folder=finished, progress=False).status == "done"
    paper = lab.experiments.get("data_free", "paper")
    there, back = paper, paper.with_setting("reversed")
    assert (there.epochs, there.batch_size, there.num_classes) == (125, 128, 1000)
    assert (back.epochs, back.batch_size, back.num_classes) == (21, 256, 397)
    own = base.replace(images=base.own, method="baseline")  # Table 5's first row has the teacher's own images
    assert own.dataset("train").images[0].path.parts[-4] == own.dataset("test").images[0].path.parts[-4]


def test_experiments_share_the_teachers_that_they_have_in_common(workspace):
    names = [
        lab.experiments.get(name, "smoke").teacher_experiment().run_name()
        for name in ("imagenet_standard", "prior_work", "imagenet_bcos_densenet", "imagenet_frozen", "data_free")
    ]
    assert names[0] == names[1]
    assert len(set(names[2:])) == 1
    assert names[0] != names[2]


def test_a_frozen_teacher_is_computed_once_and_taught_from(workspace, finished):
    experiment = lab.experiments.get("imagenet_frozen", "smoke").replace(method="e2kd", lam=1.0)
    with pytest.raises(DataError, match="expected the folder of a frozen teacher"):
        experiment.dataset("train")
    lab.run(experiment.teacher_experiment(), folder=finished, progress=False)
    said = []
    folder = freeze(experiment, runs=finished, say=said.append)
    assert said[-1] == "80 of 80 images frozen"
    assert freeze(experiment, runs=finished, say=said.append) == folder
    assert len(said) == 1  # it was there
    cache = FrozenTeacher(folder)
    assert len(cache) == len(experiment.training_images())
    sample = experiment.dataset("train")[0]
    assert sample["teacher_map"].shape == (6, 32, 32)
    assert sample["teacher_logits"].shape == (20,)
    runs = [lab.run(e, folder=finished, progress=False) for e in (experiment, experiment.replace(method="kd"))]
    assert all(run.status == "done" for run in runs)
    live = experiment.replace(frozen=False)
    assert live.config_hash() != experiment.config_hash()
    choices = storage_choices(experiment, runs=finished)
    assert [c.gigabytes for c in choices] == sorted((c.gigabytes for c in choices), reverse=True)
    assert choices[0].cosine == pytest.approx(1, abs=1e-5)
    assert choices[1].cosine > 0.999 > choices[-1].cosine
    by_dtype = {choice.spec.dtype: choice for choice in choices if choice.spec.reduction == 1}
    assert by_dtype["float16"].bits == 16
    assert 1 < by_dtype["q6"].bits < 6
    assert by_dtype["cos0.99"].cosine >= by_dtype["cos0.99"].lowest >= 0.99 - 1e-6
    assert all(choice.milliseconds > 0 for choice in choices)


def test_a_student_learns_from_codes(workspace, finished):
    live = lab.experiments.get("imagenet_frozen", "smoke").replace(method="e2kd", lam=1.0)
    lab.run(live.teacher_experiment(), folder=finished, progress=False)
    experiment = live.replace(frozen_dtype="cos0.99")
    names = experiment.training_files()
    whole, coded = (FrozenTeacher(freeze(each, runs=finished)) for each in (live, experiment))
    assert whole.folder != coded.folder
    cosine = torch.nn.functional.cosine_similarity(whole.map(names[3]).flatten(), coded.map(names[3]).flatten(), dim=0)
    assert 0.989 < cosine < 0.9999
    assert lab.run(experiment, folder=finished, progress=False, hardware=lab.Hardware(workers=1)).status == "done"
    assert experiment.config_hash() != live.config_hash()


def test_stored_explanations_are_the_teachers_own(workspace, finished):
    experiment = lab.experiments.get("imagenet_frozen", "smoke").replace(method="e2kd")
    lab.run(experiment.teacher_experiment(), folder=finished, progress=False)
    cache = FrozenTeacher(freeze(experiment, runs=finished))
    teacher, name = lab.load_teacher(experiment, folder=finished), experiment.training_files()[5]
    image = experiment.training_images()[5]
    from e2kd_lab.data.images import read_image  # the view of a square image of this size is the image itself

    explanation = lab.explain(teacher, read_image(image.path)[None].float() / 255)
    torch.testing.assert_close(cache.logits(name), explanation.logits[0], rtol=1e-4, atol=1e-4)
    cosine = torch.nn.functional.cosine_similarity(cache.map(name).flatten(), explanation.maps[0].flatten(), dim=0)
    assert cosine > 0.9999


def test_paper_scale_is_the_papers_recipe(tmp_path):
    paper = lab.experiments.get("imagenet_standard", "paper")
    assert (paper.teacher, paper.student, paper.teacher_weights) == ("resnet34", "resnet18", "IMAGENET1K_V1")
    assert (paper.epochs, paper.batch_size, paper.held_out, paper.select) == (200, 256, 50, "best")
    few = paper.with_setting("50-shots")
    assert (few.shots, few.batch_size, few.epochs) == (50, 32, 250)
    grid = {(e.tau, e.lam) for e in paper.grid("e2kd")}
    assert grid == {(tau, lam) for tau in (1, 5) for lam in (1, 5, 10)}
    assert len(lab.experiments.get("imagenet_bcos", "paper").grid("e2kd")) == 4
    assert len(lab.experiments.get("imagenet_frozen", "paper").grid("e2kd")) == 8
    prior = lab.experiments.get("prior_work", "paper")
    assert (prior.optimizer, prior.lr, prior.epochs, prior.step_epochs) == ("sgd", 0.1, 100, 30)
    assert prior.settings() == ("base",)
    assert [e.lam for e in prior.grid("at")] == [1000]
    assert [e.lam for e in prior.grid("catkd")] == [1, 5, 10]
    with pytest.raises(DataError, match="needs imagenet: give data_root"):
        paper.dataset("test")
    with pytest.raises(ExperimentError, match="expected family 'bcos'"):
        lab.experiments.get("imagenet_bcos", "paper", family="standard")
