"""Each panel's callbacks, without a browser."""

import json
import shutil
import threading
from pathlib import Path

import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.figures import FigureOptions
from e2kd_lab.runs import Run, find_runs
from e2kd_lab.training import Watcher
from e2kd_lab.widgets import TrainLab

PNG = b"\x89PNG"


@pytest.fixture
def runs(runs, tmp_path):
    """A copy of the finished runs, for panels that train more of them."""
    return Path(shutil.copytree(runs, tmp_path / "runs"))


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
    shown = ["KD, τ = 1, seed 0", "e²KD, λ = 2, τ = 1, seed 0", "e²KD, λ = 5, τ = 1, seed 0"]
    assert list(panel.data["run"].unique()) == shown  # it has joined
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


def test_another_family_is_drawn_once_with_its_own_epochs(tiny, tiny_bcos, runs, monkeypatch):
    panel = TrainLab([tiny.replace(lam=5.0), tiny_bcos.replace(lam=5.0, epochs=3)], folder=runs)
    drawn = []
    show = panel.show
    monkeypatch.setattr(panel, "show", lambda *values: (drawn.append(panel.experiment), show(*values)))
    panel.family.value = "bcos"
    assert drawn == [tiny_bcos.replace(method="e2kd", lam=5.0, epochs=3)]
    panel.epochs.value = 2
    assert len(drawn) == 2
    panel.method.value = "at"
    assert len(drawn) == 3
    assert panel.last_error is None


def test_a_run_of_another_process_is_not_trained_twice(tiny, runs):
    experiment = tiny.replace(method="e2kd", lam=5.0)
    run = Run(runs / experiment.run_name())
    with run.locked():
        run.set_status("running")
        panel = TrainLab(experiment, folder=runs)
        assert panel.train_button.disabled
        assert "another process trains it" in panel.message.value
    assert panel.last_error is None


def test_stop_leaves_a_run_to_resume(tiny, runs):
    panel = TrainLab(tiny.replace(epochs=400, lam=5.0), folder=runs)
    panel.train_button.click()
    panel.stop_button.click()
    assert panel.wait(120).status == "stopped"
    assert panel.train_button.description == "Resume"
    kept = panel.session.step
    assert panel.progress.value == kept < panel.progress.max
    assert f"λ = 5, τ = 1, seed 0: stopped at step {kept} of {panel.progress.max}: Resume" in panel.time_left.value
    assert panel.last_error is None


def test_a_stopped_run_keeps_its_curves_and_goes_on_from_them(tiny, runs):
    class AfterAnEpoch(Watcher):
        def on_network(self, network):
            self.should_stop = lambda: True

    experiment = tiny.replace(method="e2kd", lam=4.0, epochs=3)
    assert lab.run(experiment, folder=runs, progress=False, watchers=[AfterAnEpoch()]).status == "stopped"
    panel = TrainLab(experiment, folder=runs)
    assert panel.data.loc[panel.data["run"] == "e²KD, λ = 4, τ = 1, seed 0", "epoch"].unique().tolist() == [1]
    panel.train_button.click()
    panel.wait(120)
    assert panel.session.rows["epoch"].unique().tolist() == [1, 2, 3]
    assert panel.session.rows.equals(panel.session.run.metrics())
    assert panel.last_error is None


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


def test_the_summary_names_what_the_experiment_measures(few_shots, taught, workspace):
    experiment = lab.experiments.get("imagenet_standard", "smoke").with_setting("2-shots")
    shots = TrainLab(experiment.replace(lam=5.0), folder=workspace / "shots")
    assert "agreement" in shots.message.value
    assert "out-of-distribution" not in shots.message.value
    objects = TrainLab(taught["EPG teacher"][0].replace(lam=1.0), folder=workspace / "voc-runs")
    assert all(f"{name} " in objects.message.value for name in ("F1", "EPG", "IoU", "agreement"))
    assert (shots.last_error, objects.last_error) == (None, None)


def drawn_runs(panel):
    return [] if panel.data is None else list(panel.data["run"].unique())


def test_runs_to_compare_are_chosen_from_a_list_of_all_methods_and_seeds(tiny, tiny_bcos, runs):
    other_seed = lab.run(tiny.replace(method="kd", seed=1), folder=runs, progress=False)
    lab.run(tiny.replace(method="kd", tau=5.0), folder=runs, progress=False)
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    listed = dict(panel.compare.choice.options)
    assert {"Teacher, seed 1000", "KD, τ = 1, seed 1", "e²KD, λ = 5, τ = 1, seed 0"} <= set(listed)
    assert "B-cos KD, τ = 1, seed 0" in listed
    shown = "e²KD, λ = 5, τ = 1, seed 0"
    assert drawn_runs(panel) == ["KD, τ = 1, seed 0", shown]  # by default
    panel.compare.choice.value = (*panel.compare.choice.value, listed["KD, τ = 1, seed 1"])
    assert drawn_runs(panel) == ["KD, τ = 1, seed 0", "KD, τ = 1, seed 1", shown]
    panel.tau.value = 5.0
    assert drawn_runs(panel) == ["KD, τ = 1, seed 1", "KD, τ = 5, seed 0"]  # KD follows the temperature
    panel.compare.clear_button.click()
    assert (drawn_runs(panel), panel.compare.choice.value) == ([], ())
    panel.tau.value = 1.0
    assert drawn_runs(panel) == [shown]  # it was taken out
    panel.compare.value = (other_seed.folder.name,)
    assert drawn_runs(panel) == ["KD, τ = 1, seed 1", shown]
    assert panel.last_error is None


def test_other_experiments_are_listed_if_their_classes_are_the_same(few_shots, workspace):
    folder = workspace / "shots"
    frozen = lab.experiments.get("imagenet_frozen", "smoke")
    ours = {"name": "imagenet_standard", "scale": "smoke", "num_classes": frozen.num_classes, "method": "kd"}
    panel = TrainLab(frozen, folder=folder)
    names = {name for name, config in panel._cached.finished().items() if config["num_classes"] == frozen.num_classes}
    assert set(panel.compare.titles) == names
    assert any(lab.experiments.title("imagenet_standard") in title for title in panel.compare.titles.values())
    assert not panel.compare._fits({**ours, "name": "somebody_elses"})
    assert not panel.compare._fits({**ours, "num_classes": 2})


def test_runs_of_plugins_that_are_not_there_are_listed(tiny, runs):
    """Their methods do not tell which of a run's settings are their hyper-parameters."""
    run = next(run for run in find_runs(runs) if run.config["method"] == "kd" and run.status == "done")
    config = run.config | {"method": "somebody_elses", "options": {"alpha": 2.0}}
    (run.folder / "config.json").write_text(json.dumps(config))
    panel = TrainLab(tiny, folder=runs)
    assert "somebody_elses" in panel.compare.titles[run.folder.name]
    assert "alpha = 2" in panel.compare.titles[run.folder.name]
    panel.compare.value = tuple(panel.compare.titles)
    assert panel.last_error is None


class Held(Watcher):
    """Keeps a training at its first step until the test lets it go on."""

    def __init__(self):
        self.started, self.go_on = threading.Event(), threading.Event()

    def on_step(self, step, losses):
        self.started.set()
        assert self.go_on.wait(60)


def test_controls_say_what_is_shown_while_another_run_trains(tiny, runs):
    held = Held()
    panel = TrainLab(tiny.replace(lam=3.0), folder=runs, watchers=[held])
    assert panel.training_line.layout.display == "none"
    panel.train_button.click()
    assert held.started.wait(60)
    assert panel.train_button.disabled
    assert "it trains now" in panel.message.value
    panel.lam.value = 5.0  # finished
    assert "e²KD, λ = 5, τ = 1, seed 0: test accuracy" in panel.message.value
    assert panel.export_name == "curves_standard_e2kd_lam5_tau1_s0"
    assert "λ = 3, τ = 1, seed 0: " in panel.time_left.value
    assert (panel.training_line.layout.display, panel.stop_button.disabled) == (None, False)
    finished = bytes(panel.explanation.value)
    held.go_on.set()
    assert panel.wait(120).status == "done"
    assert bytes(panel.explanation.value) == finished  # that of another network is not drawn
    assert "λ = 5, τ = 1, seed 0: test accuracy" in panel.message.value
    assert drawn_runs(panel)[-2:] == ["e²KD, λ = 3, τ = 1, seed 0", "e²KD, λ = 5, τ = 1, seed 0"]
    assert "λ = 3, τ = 1, seed 0: done" in panel.time_left.value
    assert panel.stop_button.disabled
    assert panel.last_error is None


def test_trainings_wait_in_a_queue_and_stop_empties_it(tiny, runs):
    held = Held()
    panel = TrainLab(tiny.replace(lam=3.0), folder=runs, watchers=[held])
    panel.train_button.click()
    assert held.started.wait(60)
    for lam in (4.0, 6.0):
        panel.lam.value = lam
        assert not panel.train_button.disabled
        panel.train_button.click()
        assert panel.train_button.disabled
        panel.seed.value = panel.seed.value  # what waits is said when it is picked again
    panel._pick(None)
    assert "it waits in the queue" in panel.message.value
    assert "2 more in the queue" in panel.time_left.value
    held.go_on.set()
    assert panel.wait(120).config["lam"] == 6.0
    assert [Run(runs / tiny.replace(method="e2kd", lam=lam).run_name()).status for lam in (3.0, 4.0)] == ["done"] * 2
    held.started.clear(), held.go_on.clear()
    for lam in (7.0, 8.0):
        panel.lam.value = lam
        panel.train_button.click()
    assert held.started.wait(60)
    panel.stop_button.click()
    held.go_on.set()
    assert panel.wait(120).status == "stopped"
    assert (panel.queue, panel.training) == ([], False)
    assert Run(runs / tiny.replace(method="e2kd", lam=8.0).run_name()).status == "new"
    assert panel.last_error is None


def test_one_that_fails_does_not_keep_those_behind_it_from_training(tiny, runs):
    panel = TrainLab(tiny, folder=runs)
    broken = tiny.replace(method="e2kd", lr=1e30, clip_norm=None, warmup_epochs=0.0)
    teacher = str(runs / tiny.teacher_experiment().run_name() / "last.ckpt")
    good = tiny.replace(method="e2kd", lam=9.0)
    panel.train([broken.replace(teacher_recipe=None, teacher_weights=teacher), good])
    with pytest.raises(lab.errors.TrainingError, match="finite number"):
        panel.wait(120)
    assert Run(runs / good.run_name()).status == "done"
    assert "finite number" in str(panel.last_error)


@pytest.mark.parametrize(
    ("name", "typed"), [("epochs", "1e9"), ("epochs", "0"), ("epochs", "2.5"), ("seed", "-1"), ("seed", "many")]
)
def test_numbers_that_are_not_valid_are_said_at_the_field_and_change_nothing(tiny, runs, name, typed):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    before, shown = panel.experiment, panel.message.value
    control = getattr(panel, name)
    control.field.value = typed
    assert f"{typed}: expected a whole number" in control.problem.value
    assert (panel.experiment, panel.message.value) == (before, shown)
    control.field.value = "7"
    assert (getattr(panel.experiment, name), control.problem.value) == (7, "")


def test_the_export_is_what_is_shown_curves_and_explanation(tiny, runs, tmp_path):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs, export_folder=tmp_path / "exports")
    panel.number.value = 3
    panel.export_button.click()
    stem = "curves_standard_e2kd_lam5_tau1_s0"
    for suffix in ("", "_explanation"):
        assert {file.suffix for file in (tmp_path / "exports").glob(f"{stem}{suffix}.*")} == {
            *(".pdf", ".svg", ".png", ".csv")
        }
    table = pd.read_csv(tmp_path / "exports" / f"{stem}_explanation.csv")
    assert table["network"].tolist() == ["teacher", "e²KD, λ = 5, τ = 1, seed 0"]
    assert table["image"].unique().tolist() == [3]
    assert panel.last_error is None


def test_what_was_read_or_drawn_once_is_kept_until_its_files_change(tiny, runs, monkeypatch):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    panel.lam.value = 0.0
    read = []
    monkeypatch.setattr("e2kd_lab.runs.run_folder.read_metrics", lambda path: read.append(path))
    for name in ("training_panel.LiveCurves.png", "train_lab.explanation_comparison"):
        monkeypatch.setattr(f"e2kd_lab.widgets.{name}", None)
    panel.lam.value = 5.0
    panel.compare.value = ()
    assert panel.last_error is not None  # these curves alone are new
    panel.last_error = None
    panel.lam.value = 0.0
    assert (panel.last_error, read) == (None, [])


def test_a_dragged_picture_is_that_of_its_run_drawn_from_nothing(tiny, runs):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    assert panel.lam.slider.continuous_update
    for lam in (0.0, 1.0, 5.0, 0.0, 2.0, 5.0):
        panel.lam.value = lam
    fresh = TrainLab(tiny.replace(lam=5.0), folder=runs)
    assert panel.compare.value == fresh.compare.value
    for one in ("image", "explanation"):
        assert bytes(getattr(panel, one).value) == bytes(getattr(fresh, one).value)
    assert panel.exports() == fresh.exports()
    before, said = bytes(panel.explanation.value), []
    panel.message.observe(lambda change: said.append(change["new"]), "value")
    panel.number.value = 2
    assert "Computing map of image 2 by e²KD, λ = 5" in said[0]
    panel.number.value, count = 1, len(said)
    assert (len(said), bytes(panel.explanation.value)) == (count, before)
    assert panel.last_error is None


def test_the_figures_options_hold_for_curves_and_explanation(tiny, runs):
    panel = TrainLab(tiny.replace(lam=5.0), folder=runs)
    before = [bytes(picture.value) for picture in (panel.image, panel.explanation)]
    panel.figure_options = FigureOptions(width="neurips", opacity=1.0)
    after = [bytes(picture.value) for picture in (panel.image, panel.explanation)]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert panel.parts()[""].figure.get_figwidth() == pytest.approx(5.5)
    panel.figure_options = FigureOptions()
    assert [bytes(picture.value) for picture in (panel.image, panel.explanation)] == before
    assert panel.last_error is None


def test_a_run_that_may_be_in_training_elsewhere_is_not_offered(tiny, runs, monkeypatch):
    experiment = tiny.replace(method="e2kd", lam=7.0)
    run = Run(runs / experiment.run_name())
    with run.locked():
        run.set_status("running")
        monkeypatch.setattr("e2kd_lab.runs.run_folder.is_locked", lambda lock: None)  # this process may not ask
        panel = TrainLab(experiment, folder=runs)
    assert panel.train_button.disabled
    assert "may be finished or in training elsewhere: unknown (process" in panel.message.value
    assert panel.last_error is None


def test_a_teacher_that_was_stopped_is_not_said_to_be_done(tiny, tmp_path):
    panel = TrainLab(tiny.replace(epochs=400, lam=5.0), folder=tmp_path)
    panel.train_button.click()
    panel.stop_button.click()
    assert panel.wait(120).status == "new"  # the student never began
    assert panel.time_left.value.startswith("teacher of ")
    assert ": stopped at step" in panel.time_left.value
    assert not panel.train_button.disabled
    assert panel.last_error is None
