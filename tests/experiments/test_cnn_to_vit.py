"""CNN to ViT: who sees which images, and that live and frozen teachers can be learned from."""

import pytest
from torchvision.transforms import v2

import e2kd_lab as lab
from e2kd_lab.runs.freeze import freeze
from e2kd_lab.system.errors import ExperimentError


@pytest.fixture
def smoke(workspace):
    return lab.experiments.get("cnn_to_vit", "smoke")


def test_students_learn_from_a_live_and_from_a_frozen_teacher(smoke, workspace):
    folder = workspace / "vit-runs"
    teacher = lab.run(smoke.teacher_experiment(), folder=folder, progress=False)
    frozen = smoke.with_setting("frozen")
    freeze(frozen, runs=folder)
    for experiment in (smoke, frozen):
        for method in ("kd", "e2kd"):
            run = lab.run(experiment.replace(method=method, lam=1.0), folder=folder, progress=False)
            assert run.status == "done"
            assert run.config["teacher"] == f"run:{teacher.folder.name}"
            assert run.config["network"] == "bcos_vit_mini"
    assert set(lab.load_runs(folder)["setting"]) == {"base", "frozen"}


def test_rand_augment_is_for_students_of_a_live_teacher_only(smoke):
    strong = smoke.replace(rand_augment=10)

    def augments(experiment):
        return any(isinstance(part, v2.RandAugment) for part in experiment.dataset("train").transform.transforms)

    assert augments(strong)
    assert not augments(smoke)
    assert not augments(strong.teacher_experiment())
    assert not any(isinstance(part, v2.RandAugment) for part in strong.dataset("test").transform.transforms)
    assert strong.teacher_experiment().run_name() == smoke.teacher_experiment().run_name()
    assert strong.run_name() != smoke.run_name()
    image = strong.dataset("train")[0]["image"]
    assert image.shape == (3, 32, 32)


def test_wide_images_leave_room_for_the_largest_shift(smoke):
    images = smoke.wide_images()
    assert images[0]["image"].shape == (3, 40, 40)
    assert len(images) == len(smoke.dataset("test"))
    # The margin says how students are looked at, not how they are trained.
    assert smoke.replace(largest_shift=4).run_name() == smoke.run_name()


@pytest.mark.parametrize(("field", "value"), [("rand_augment", 31), ("rand_augment", -1), ("largest_shift", 32)])
def test_refuses_what_cannot_be(smoke, field, value):
    with pytest.raises(ExperimentError, match=f"'{field}' is {value}; expected"):
        smoke.replace(**{field: value})


def test_paper_scale_counts_its_warm_up_in_steps():
    paper = lab.experiments.get("cnn_to_vit", "paper")
    assert paper.warmup_epochs * (1_231_167 // 256) == pytest.approx(10_000)
    assert (paper.epochs, paper.rand_augment, paper.patch) == (150, 10, 16)
    assert [values.lam for values in paper.grid("e2kd")] == [1.0, 5.0, 10.0]
