"""Each panel's callbacks, without a browser."""

import shutil
from pathlib import Path

import pytest

import e2kd_lab as lab
from e2kd_lab.runs import Run
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


def test_a_stopped_run_keeps_its_curves_and_goes_on_from_them(tiny, runs):
    class AfterAnEpoch(Watcher):
        def on_network(self, network):
            self.should_stop = lambda: True

    experiment = tiny.replace(method="e2kd", lam=4.0, epochs=3)
    assert lab.run(experiment, folder=runs, progress=False, watchers=[AfterAnEpoch()]).status == "stopped"
    panel = TrainLab(experiment, folder=runs)
    assert panel.data.loc[panel.data["run"] == "e²KD, λ = 4, τ = 1", "epoch"].unique().tolist() == [1]
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
