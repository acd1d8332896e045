"""VOC: guided teachers, and students of them."""

import pytest

import e2kd_lab as lab
from e2kd_lab.methods import Guidance
from e2kd_lab.system.errors import DataError, ExperimentError


def test_teachers_are_guided_and_students_learn_from_them(workspace):
    folder = workspace / "voc-runs"
    base = lab.experiments.get("voc", "smoke")
    runs = [
        lab.run(base.with_setting(setting).replace(method=method, lam=1.0), folder=folder, progress=False)
        for setting in base.settings(beyond=True)
        for method in ("baseline", "kd", "e2kd")
    ]
    assert all(run.status == "done" for run in runs)
    results = lab.results_of(runs)
    assert set(results["metric"]) >= {"f1", "epg", "iou", "agreement", "explanation_cosine"}
    assert results["teacher"].nunique() == 3
    teachers = lab.load_runs(folder).query("method == 'teacher' and split == 'test'")
    assert set(teachers["metric"]) == {"f1", "epg", "iou"}
    losses = runs[0].metrics().query("split == 'train'")["metric"].unique()
    assert "guidance_loss" not in losses  # students are not guided
    assert runs[2].checkpoint().name == "best.ckpt"


def test_both_teachers_see_the_same_images_with_different_guidance(workspace):
    base = lab.experiments.get("voc", "smoke")
    epg, iou = (base.with_setting(setting).teacher_experiment() for setting in ("base", "iou"))
    assert epg.training_guidance() == Guidance("energy", base.guidance_weight)
    assert iou.training_guidance() == Guidance("l1", 0.8)
    assert epg.run_name() != iou.run_name()
    assert base.replace(method="kd").training_guidance() is None
    assert "box_mask" in epg.dataset("train")[0]
    assert "box_mask" not in base.replace(method="kd").dataset("train")[0]
    assert base.dataset("test")[0]["box_mask"].shape == (base.num_classes, 32, 32)


def test_what_does_not_fit_is_refused(workspace):
    base = lab.experiments.get("voc", "smoke")
    with pytest.raises(ExperimentError, match="'at' is not for images with several labels"):
        base.replace(method="at")
    with pytest.raises(ExperimentError, match="no guidance 'epg'; expected one of energy, l1"):
        base.replace(guidance="epg")
    with pytest.raises(ExperimentError, match="'num_classes' of voc is 20, but its data have 10 classes"):
        base.replace(num_classes=20).dataset("test")
    with pytest.raises(DataError, match="give data_root, a folder VOC2012"):
        lab.experiments.get("voc", "paper").dataset("test")


def test_paper_scale_is_the_papers_recipe():
    paper = lab.experiments.get("voc", "paper")
    assert (paper.teacher, paper.student) == ("bcos_resnet50", "bcos_resnet18")
    assert (paper.epochs, paper.batch_size, paper.num_classes, paper.image_size) == (150, 64, 20, 224)
    assert {(e.tau, e.lam) for e in paper.grid("e2kd")} == {(tau, lam) for tau in (1, 5) for lam in (1, 5, 10)}
