"""The setting ``bcosified``: an ordinary teacher is trained, converted, fine-tuned, and teaches."""

import pytest
import torch

import e2kd_lab as lab
from e2kd_lab.cli.evaluate import experiment_of
from e2kd_lab.models.bcosified_names import ordinary_name
from e2kd_lab.runs.evaluate import load_teacher
from e2kd_lab.system.errors import ExperimentError


def in_setting(experiment):
    """The tiny experiment, and its ordinary twin, as the setting has them."""
    base = lab.experiments.get("waterbirds", "smoke", "bcos").with_setting("bcosified")
    shared = {"data_root": experiment.data_root, "image_size": 24, "resize": 24, "batch_size": 8, "epochs": 2}
    return base.replace(**shared)


def test_the_teacher_is_the_ordinary_one_converted_and_fine_tuned_and_teaches(tiny, tmp_path):
    experiment = in_setting(tiny).replace(method="e2kd", lam=5.0)
    teacher = experiment.teacher_experiment()
    run = lab.run(experiment, folder=tmp_path, progress=False)
    assert run.status == "done"
    tuned, ordinary = (lab.Run(tmp_path / one.run_name()) for one in (teacher, teacher.ordinary_experiment()))
    assert [one.config["network"] for one in (tuned, ordinary)] == ["bcosified/resnet_mini", "resnet_mini"]
    assert tuned.config["ordinary"] == f"run:{ordinary.folder.name}"
    assert run.config["teacher"] == f"run:{tuned.folder.name}"
    loaded = load_teacher(experiment, folder=tmp_path)
    assert loaded.explanation == "bcos"
    start = lab.bcosify(ordinary.load_model()).state_dict()
    moved = [(loaded.state_dict()[key] - value).abs().max().item() for key, value in start.items() if "weight" in key]
    assert 0 < max(moved) < 0.2  # one epoch of fine-tuning from there, not from random weights
    for one in (run, tuned):  # the command line finds both again
        assert experiment_of(one, None, {"data_root": tiny.data_root}).run_name() == one.folder.name
    measured = run.results().query("metric == 'explanation_cosine' and split == 'test' and group == 'all'")
    assert len(measured) == 1


@pytest.mark.parametrize("scale", ["smoke", "lab", "paper"])
@pytest.mark.parametrize(
    ("name", "ordinary"), [("waterbirds", "waterbirds"), ("imagenet_bcos", "imagenet_standard"), ("voc", "voc")]
)
def test_the_ordinary_teacher_is_that_of_standard_networks(name, ordinary, scale):
    experiment = lab.experiments.get(name, scale, "bcos").with_setting("bcosified").replace(method="teacher")
    standard = lab.experiments.get(ordinary, scale, "standard")
    assert ordinary_name(experiment.teacher) == standard.teacher
    assert experiment.ordinary_weights == standard.teacher_weights
    if standard.teacher_weights is None:
        own, theirs = experiment.ordinary_experiment(), standard.teacher_experiment()
        assert (own.name, own.recipe, own.networks.teacher) == (theirs.name, theirs.recipe, theirs.networks.teacher)
        if scale == "smoke":
            assert own.run_name() == theirs.run_name()


def test_ordinary_weights_are_given_in_place_of_a_run(tiny, runs, tmp_path):
    weights = str(lab.Run(runs / tiny.teacher_experiment().run_name()).checkpoint())
    teacher = in_setting(tiny).teacher_experiment().replace(ordinary_weights=weights)
    assert teacher.config()["ordinary"].startswith("sha256:")
    run = lab.run(teacher, folder=tmp_path, progress=False)
    assert run.status == "done"
    assert [folder.name for folder in tmp_path.iterdir()] == [teacher.run_name()]


def test_a_converted_student_starts_from_its_own_weights(tiny, tiny_bcos, runs, tmp_path):
    ordinary = lab.Run(runs / tiny.teacher_experiment().run_name()).load_model()
    converted = lab.bcosify(ordinary)
    torch.save(converted.state_dict(), tmp_path / "converted.pt")
    student = tiny_bcos.replace(
        student="bcosified/resnet_mini", student_weights=str(tmp_path / "converted.pt"), method="e2kd", epochs=1
    )
    weights = str(lab.Run(runs / tiny_bcos.teacher_experiment().run_name()).checkpoint())
    run = lab.run(student.replace(teacher_weights=weights), folder=tmp_path / "runs", progress=False)
    assert run.load_model().explanation == "bcos"
    assert "ordinary" not in run.config


def test_a_teacher_without_anything_to_start_from_is_refused(tiny_bcos, tmp_path):
    lost = tiny_bcos.replace(teacher="bcosified/resnet_mini", method="e2kd")
    with pytest.raises(ExperimentError, match=r"expected a teacher bcosified/NAME, and ordinary_weights or ordinary_r"):
        lab.run(lost, folder=tmp_path, progress=False)
