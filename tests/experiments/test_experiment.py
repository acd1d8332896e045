import pickle
import shutil

import pytest

import e2kd_lab as lab
from e2kd_lab.system.errors import ExperimentError


def test_hash_covers_what_changes_the_result_and_nothing_else(tiny, minibirds, tmp_path):
    kd = tiny.replace(method="kd")
    assert kd.replace(lam=7.0).config_hash() == kd.config_hash()  # KD has no lambda
    assert kd.replace(seed=3).config_hash() == kd.config_hash()
    assert kd.replace(seed=3).run_name() != kd.run_name()
    for change in ({"tau": 2.0}, {"lr": 0.5}, {"epochs": 3}, {"mixup": 1.0}, {"method": "e2kd", "lam": 1.0}):
        assert kd.replace(**change).config_hash() != kd.config_hash()
    moved = tmp_path / "moved"
    shutil.copytree(minibirds, moved)
    assert kd.replace(data_root=str(moved)).run_name() == kd.run_name()


def test_teacher_and_student_do_not_start_from_the_same_weights(tiny):
    for scale in ("smoke", "lab", "paper"):
        for family in ("standard", "bcos"):
            experiment = lab.experiments.get("waterbirds", scale, family)
            assert experiment.teacher_recipe.seed not in range(100)
    assert tiny.teacher_experiment().seed != tiny.seed


def test_experiments_refuse_unknown_words(tiny):
    with pytest.raises(ExperimentError, match="no experiment 'moonbirds'; expected one of cnn_to_vit, data_free, "):
        lab.experiments.get("moonbirds")
    with pytest.raises(ExperimentError, match="no scale 'huge'"):
        lab.experiments.get("waterbirds", "huge")
    with pytest.raises(ExperimentError, match="no field 'lamda'"):
        tiny.replace(lamda=1)
    with pytest.raises(ExperimentError, match="no setting 'longer'"):
        tiny.with_setting("longer")


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_classes_than_the_data_have_is_refused(tiny, count, tmp_path):
    with pytest.raises(ExperimentError, match=f"'num_classes' of waterbirds is {count}, but its data have 2 classes"):
        lab.run(tiny.replace(num_classes=count, method="teacher"), folder=tmp_path, progress=False)


def test_hyper_parameters_that_were_not_chosen_follow_the_method():
    base = lab.experiments.get("waterbirds", "smoke")
    assert base.replace(method="e2kd").lam == 5.0
    assert base.replace(method="e2kd").replace(method="at").lam == 1000.0
    assert base.replace(method="e2kd", lam=2.0).replace(method="at").lam == 2.0  # chosen
    assert base.replace(method="kd", tau=5.0).replace(method="e2kd").tau == 5.0
    assert base.replace(method="baseline").hyperparameters == {}
    chosen, followed = base.replace(method="e2kd", lam=5.0), base.replace(method="e2kd")
    assert chosen == followed
    assert hash(chosen) == hash(followed)
    assert chosen != followed.replace(lam=6.0)


def test_parts_are_read_and_replaced_through_the_experiment(tiny):
    changed = tiny.replace(method="e2kd", lam=2.0, epochs=7, teacher="resnet_mini_deep", crop_scale=(0.5, 1.0))
    assert (changed.lam, changed.epochs, changed.teacher, changed.crop_scale) == (
        2.0,
        7,
        "resnet_mini_deep",
        (0.5, 1.0),
    )
    assert (changed.recipe.epochs, changed.networks.teacher, changed.data.crop_scale) == (
        7,
        changed.teacher,
        (0.5, 1.0),
    )
    assert changed.replace(recipe=tiny.recipe, seed=4).recipe == tiny.replace(seed=4).recipe
    assert pickle.loads(pickle.dumps(changed)) == changed
    with pytest.raises(AttributeError, match="no attribute 'lamda'"):
        _ = tiny.lamda
    with pytest.raises(ExperimentError, match="'recipe' is '5'; expected a Recipe"):
        tiny.replace(recipe=5)


# Where things lie, how they are shown, what `network`, `teacher`, `ordinary`, `initial_weights` and `data` stand for.
NOT_IN_THE_CONFIGURATION = {
    *("data_root", "teacher_data_root", "image_root", "frozen_root", "minibirds", "mininet", "miniscenes", "minivoc"),
    *("student", "teacher_weights", "student_weights", "teacher_recipe", "ordinary_weights", "ordinary_recipe"),
    *("patch", "largest_shift", "display_name"),
}


@pytest.mark.parametrize("name", lab.experiments.names())
def test_the_configuration_states_every_other_field(name, workspace):
    teacher = lab.experiments.get(name, "smoke").replace(method="teacher", guidance="l1", step_epochs=1.0)
    frozen = {"frozen": True, "rand_augment": 3, "reduced_decoding": 0.5}
    experiment = lab.experiments.get(name, "smoke").by_method("e2kd", explain_every=2, explain_part=0.5)
    experiment = experiment.replace(
        explanation="gradcam", **{field: value for field, value in frozen.items() if field in experiment.fields()}
    )
    stated = teacher.config().keys() | experiment.config().keys()
    assert set(experiment.fields()) - stated == NOT_IN_THE_CONFIGURATION & set(experiment.fields())
