"""Each panel's callbacks, without a browser."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.errors import ExperimentError
from e2kd_lab.examples import explained_examples
from e2kd_lab.figures.all_figures import write_all_figures
from e2kd_lab.runs import Run, load_runs
from e2kd_lab.training import measures
from e2kd_lab.widgets import ExplanationBrowser, FocusBrowser, PaperTable, TrainLab, WaterbirdsBars

PNG = b"\x89PNG"


@pytest.fixture
def runs(runs, tmp_path):
    """A copy of the finished runs, for panels that train more of them."""
    return Path(shutil.copytree(runs, tmp_path / "runs"))


def test_explanation_browser_filters_pages_and_exports(tiny, runs, tmp_path):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("baseline", "kd", "e2kd")]
    panel = ExplanationBrowser(tiny, students, folder=runs, page_size=4, export_folder=tmp_path / "exports")
    first = bytes(panel.image.value)
    assert first.startswith(PNG)
    assert len(panel.selected) == 8
    panel.page.value = 2
    assert bytes(panel.image.value) != first
    panel.group.value = 1
    assert panel.page.value == 1
    assert (panel.shown.outcomes["kd"].loc[panel.selected, "group"] == 1).all()
    panel.group.value, panel.relation.value = -1, "disagrees with teacher"
    table = panel.shown.outcomes["e2kd"].loc[panel.selected]
    assert (table["prediction"] != table["teacher_prediction"]).all()
    panel.relation.value, panel.order.value = "all", "lowest cosine first"
    assert panel.shown.outcomes["e2kd"].loc[panel.selected, "explanation_cosine"].is_monotonic_increasing
    panel.export_button.click()
    assert {p.suffix for p in (tmp_path / "exports").iterdir()} == {".pdf", ".svg", ".png", ".csv"}
    before = bytes(panel.image.value)
    panel.outlines.value = True  # MiniBirds has masks
    assert bytes(panel.image.value) != before
    assert panel.last_error is None


def test_what_networks_say_about_each_image_is_computed_once(tiny, runs, monkeypatch):
    students = [Run(runs / tiny.replace(method=m, lam=5.0).run_name()) for m in ("kd", "e2kd")]
    first = ExplanationBrowser(tiny, students, folder=runs).shown.outcomes
    assert all((run.folder / "outcomes-test.csv").is_file() for run in students)
    monkeypatch.setattr("e2kd_lab.execute.evaluate", None)
    again = ExplanationBrowser(tiny, students, folder=runs)
    assert again.last_error is None
    for method, table in first.items():
        pd.testing.assert_frame_equal(again.shown.outcomes[method], table)
    measured = measures(first["e2kd"]).query("group == 'all'").set_index("metric")["value"]
    known = students[1].results().query("split == 'test' and group == 'all'").set_index("metric")["value"]
    assert measured.to_dict() == pytest.approx(known.to_dict(), rel=1e-5)


def test_explanation_browser_switches_between_families_and_views(tiny, tiny_bcos, runs):
    students = [Run(runs / e.replace(method=m, lam=5.0).run_name()) for e in (tiny, tiny_bcos) for m in ("kd", "e2kd")]
    panel = ExplanationBrowser([tiny, tiny_bcos], students, folder=runs, page_size=4)
    pictures = [bytes(panel.image.value)]
    assert panel.view.layout.visibility == "hidden"  # GradCAM has one view
    panel.family.value = "bcos"
    assert panel.shown.models["e2kd"].explanation == "bcos"
    pictures.append(bytes(panel.image.value))
    assert panel.view.layout.visibility == "visible"
    panel.view.value = True
    pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 3
    assert set(panel.data["family"]) == {"bcos"}
    assert panel.last_error is None


def test_bars_follow_their_controls(runs):
    panel = WaterbirdsBars(load_runs(runs))
    first = bytes(panel.image.value)
    panel.group.value = "in_distribution"
    second = bytes(panel.image.value)
    panel.zoom.value = True
    third = bytes(panel.image.value)
    panel.family.value = "bcos"
    assert set(panel.data["family"]) == {"bcos"}
    assert len({first, second, third, bytes(panel.image.value)}) == 4
    assert panel.last_error is None
    bundle, _ = panel._repr_mimebundle_()
    assert bundle["image/png"].startswith(PNG)


def test_sliders_pick_a_run_or_train_the_missing_one(tiny, runs):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    assert panel.train_button.disabled  # this run is done
    panel.lam.value = 0.0
    assert panel.train_button.disabled  # lambda 0 is the KD run
    panel.lam.value = 2.0
    assert not panel.train_button.disabled
    assert "no result yet" in panel.message.value
    before = bytes(panel.image.value)
    panel.train_button.click()
    assert panel.wait(120).status == "done"
    assert panel.train_button.disabled
    assert panel.stop_button.disabled
    assert bytes(panel.image.value) != before
    assert "test accuracy" in panel.message.value
    panel.lam.value = 5.0
    assert set(panel.data["run"]) == {"KD, τ = 1", "e²KD, λ = 2, τ = 1", "e²KD, λ = 5, τ = 1"}  # it has joined
    assert panel.last_error is None


def test_other_methods_bring_their_own_weights(tiny, runs):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    assert panel.experiment.method == "e2kd"
    panel.method.value = "baseline"
    assert panel.experiment.method == "baseline"
    assert panel.train_button.disabled  # this run is done
    assert panel.lam.disabled
    assert panel.tau.disabled
    panel.method.value = "at"
    assert [value for _, value in panel.lam.options] == [10.0, 100.0, 1000.0]
    assert panel.experiment == tiny.replace(method="at", lam=1000.0)
    assert panel.export_name == "curves_standard_at_lam1000_s0"
    panel.method.value = "e2kd"
    assert panel.experiment == tiny.replace(method="e2kd", lam=5.0)
    panel.epochs.value = 3
    assert panel.experiment.epochs == 3
    assert not panel.train_button.disabled
    assert panel.last_error is None


def test_an_explanation_is_drawn_anew_as_training_goes_on(tiny, runs, monkeypatch):
    panel = TrainLab(tiny.replace(lam=5.0, epochs=3), folder=runs)
    pictures = [bytes(panel.explanation.value)]
    assert pictures[0].startswith(PNG)  # the teacher alone
    show = panel._show_explanation
    monkeypatch.setattr(
        panel, "_show_explanation", lambda *a: (show(*a), pictures.append(bytes(panel.explanation.value)))
    )
    panel.train_button.click()
    assert panel.wait(120).status == "done"
    assert len(set(pictures)) >= 4  # once an epoch
    panel.number.value = 2
    assert bytes(panel.explanation.value) != pictures[-2]
    assert panel.last_error is None


def test_watching_a_network_does_not_change_its_training(tiny, runs, tmp_path):
    other = Path(shutil.copytree(runs, tmp_path / "other"))
    experiment = tiny.replace(method="e2kd", lam=3.0)
    panel = TrainLab(experiment, folder=other)
    panel.train_button.click()
    watched, alone = panel.wait(120), lab.run(experiment, folder=runs, progress=False)
    assert (watched.folder / "metrics.csv").read_bytes() == (alone.folder / "metrics.csv").read_bytes()


def test_sliders_serve_both_families(tiny, tiny_bcos, runs):
    panel = TrainLab([tiny.replace(lam=5.0), tiny_bcos.replace(lam=5.0)], folder=runs)
    first = bytes(panel.image.value)
    panel.family.value = "bcos"
    assert panel.experiment.student == "bcos_resnet_mini"
    assert panel.train_button.disabled  # this run is done, too
    assert bytes(panel.image.value) != first
    assert panel.export_name == "curves_bcos_e2kd_lam5_tau1_s0"


def test_stop_leaves_a_run_to_resume(tiny, runs):
    panel = TrainLab(tiny.replace(epochs=400, lam=5.0), folder=runs)
    panel.train_button.click()
    panel.stop_button.click()
    assert panel.wait(120).status == "stopped"
    assert panel.train_button.description == "Resume"


def test_errors_are_shown_and_raised_by_wait(tiny, runs):
    panel = TrainLab(
        tiny.replace(
            lr=1e30,
            clip_norm=None,
            lam=5.0,
            warmup_epochs=0.0,
            teacher_recipe=None,
            teacher_weights=str(runs / tiny.teacher_experiment().run_name() / "last.ckpt"),
        ),
        folder=runs,
    )
    panel.train_button.click()
    with pytest.raises(Exception, match="finite number"):
        panel.wait(120)
    assert panel.last_error is not None
    assert "finite number" in panel.message.value


@pytest.fixture(scope="module")
def few_shots(workspace):
    """Finished few-shot runs of the smoke scale."""
    experiment = lab.experiments.get("imagenet_standard", "smoke")
    return [
        lab.run(experiment.with_setting(setting).replace(method=m, lam=5.0), folder=workspace / "shots", progress=False)
        for setting in experiment.settings()
        for m in ("kd", "e2kd")
    ]


def test_a_table_follows_its_shots_and_methods(few_shots, tmp_path):
    panel = PaperTable(lab.results_of(few_shots), "table1", export_folder=tmp_path)
    pictures = [bytes(panel.image.value)]
    panel.shots.value = 1
    pictures.append(bytes(panel.image.value))
    panel.methods.value = ("kd", "e2kd")
    pictures.append(bytes(panel.image.value))
    panel.view.value = "bars"
    pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 4
    assert set(panel.data["method"]) == {"teacher", "kd", "e2kd"}
    assert set(panel.data["place"]) == {1}
    panel.export_button.click()
    assert {p.name for p in tmp_path.glob("*.csv")} == {"table1_bars_1.csv"}
    panel.methods.value = ()
    assert "at least one method" in panel.message.value
    assert panel.last_error is None


def test_panels_show_classes_where_there_are_no_groups(few_shots, workspace):
    experiment = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots")
    panel = ExplanationBrowser(experiment, few_shots[:2], folder=workspace / "shots", page_size=4)
    assert panel.group.description == "Class"
    assert len(panel.group.options) == 21
    assert list(panel.data.query("student == 'kd'")["label"]) == list(experiment.classes()[:4])
    assert "group" not in panel.data
    panel.group.value = 3
    assert set(panel.data["label"]) == {experiment.classes()[3]}
    sliders = TrainLab(experiment.replace(lam=5.0), folder=workspace / "shots")
    assert "agreement" in sliders.message.value
    assert "out-of-distribution" not in sliders.message.value
    assert panel.last_error is None
    assert sliders.last_error is None


def test_examples_come_from_different_classes(few_shots, workspace):
    experiment = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots")
    comparison = explained_examples(experiment, few_shots[:2], count=5, folder=workspace / "shots")
    assert len(set(comparison.titles)) == 5
    assert list(comparison.maps) == ["teacher", "kd", "e2kd"]
    more = explained_examples(experiment, few_shots[:2], count=30, folder=workspace / "shots")
    assert len(more) == 30
    assert len(set(more.titles)) == 20


def test_focus_browser_shows_boxes_of_the_class(workspace, tmp_path):
    base, folder = lab.experiments.get("voc", "smoke"), workspace / "voc-runs"
    students = {
        title: (
            base.with_setting(setting),
            [
                lab.run(base.with_setting(setting).replace(method=m, lam=1.0), folder=folder, progress=False)
                for m in ("kd", "e2kd")
            ],
        )
        for title, setting in (("EPG teacher", "base"), ("IoU teacher", "iou"))
    }
    with pytest.raises(ExperimentError, match="expected FocusBrowser"):
        ExplanationBrowser(base, [])
    panel = FocusBrowser(students, folder=folder, page_size=3, export_folder=tmp_path)
    pictures = [bytes(panel.image.value)]
    assert len(set(panel.data["image"])) == 3
    assert set(panel.data["image"]) < set(base.classes())
    panel.teacher.value = "IoU teacher"
    pictures.append(bytes(panel.image.value))
    panel.view.value = False
    pictures.append(bytes(panel.image.value))
    panel.classes.value = 2
    assert set(panel.data["image"]) == {base.classes()[2]}
    pictures.append(bytes(panel.image.value))
    assert len(set(pictures)) == 4
    panel.export_button.click()
    assert list(tmp_path.glob("focus_iou_*.csv"))
    sliders = TrainLab(base.replace(lam=1.0), folder=folder)
    assert all(f"{name} " in sliders.message.value for name in ("F1", "EPG", "IoU", "agreement"))
    panel.page.value = 10
    assert "no more images" in panel.message.value
    assert panel.figure is None
    assert panel.last_error is None
    written = {file.name for file in write_all_figures(lab.load_runs(folder), tmp_path)}
    assert {"table4_smoke.pdf", "table4_smoke.csv"} <= written
