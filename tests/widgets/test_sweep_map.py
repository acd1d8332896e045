"""The map of lambda and tau as a panel: pick a student, train a missing one."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

import e2kd_lab as lab
from e2kd_lab.figures import Measure
from e2kd_lab.widgets import SweepMap

PNG = b"\x89PNG"
PICTURES = ("image", "curves", "explanations")


@pytest.fixture
def runs(runs, tmp_path):
    """A copy of the finished runs, for panels that train more of them."""
    return Path(shutil.copytree(runs, tmp_path / "runs"))


def cells(panel):
    return panel.data.set_index(["lam", "tau"])


def test_the_map_has_the_runs_of_this_experiment_and_the_papers_grid(tiny, tiny_bcos, runs):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs)
    assert dict(panel.lam.options) == {"0 (KD)": 0, "1": 1, "5": 5, "10": 10, "15": 15}
    assert dict(panel.tau.options) == {"1": 1, "5": 5}
    assert panel.measure.value == Measure("accuracy", "out_of_distribution")
    finished = cells(panel).query("n > 0")["runs"].to_dict()
    expected = {0: tiny.replace(method="kd"), 5: tiny.replace(method="e2kd", lam=5.0)}
    assert finished == {(lam, 1): experiment.run_name() for lam, experiment in expected.items()}
    measured = lab.load_runs(runs).query("split == 'test' and group == 'worst' and metric == 'agreement'")
    panel.measure.value = Measure("agreement", "worst")
    own = measured.set_index("run")["value"]
    assert cells(panel).loc[(0, 1), "mean"] == own[finished[0, 1]]
    other_recipe = SweepMap(tiny.replace(epochs=3), folder=runs)
    assert cells(other_recipe)["n"].sum() == 0
    assert cells(SweepMap(tiny_bcos, folder=runs)).loc[(5, 5), "in_grid"] == False  # noqa: E712 - a NumPy bool
    assert panel.last_error is None


def test_picking_a_cell_shows_its_run(tiny, runs, tmp_path):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs, export_folder=tmp_path / "exports")
    first = [bytes(getattr(panel, name).value) for name in PICTURES]
    assert all(picture.startswith(PNG) for picture in first)
    panel.lam.value = 0.0
    second = [bytes(getattr(panel, name).value) for name in PICTURES]
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert tiny.replace(method="kd").run_name() in panel.message.value
    panel.export_button.click()
    stem = "sweep_standard_accuracy_out_of_distribution"
    written = pd.read_csv(tmp_path / "exports" / f"{stem}_lam0_tau1_s0_curves.csv")
    metrics = panel.run.metrics()
    assert set(written["run"]) == {"KD, τ = 1, seed 0"}
    pd.testing.assert_frame_equal(written[metrics.columns], metrics, check_dtype=False)
    explained = pd.read_csv(tmp_path / "exports" / f"{stem}_lam0_tau1_s0_explanations.csv")
    assert (explained["image"].nunique(), set(explained["network"])) == (panel.count, {"teacher", "kd"})
    exported = tmp_path / "exports" / f"{stem}.png"
    panel.lam.value = 5.0
    panel.export_button.click()
    assert [file.name for file in exported.parent.glob(f"{stem}*.png") if "lam" not in file.name] == [exported.name]
    panel.lam.value = 0.0
    panel.lam.value = 5.0
    assert [bytes(getattr(panel, name).value) for name in PICTURES] == first
    assert panel.last_error is None


def test_what_was_drawn_once_is_not_drawn_again(tiny, runs, monkeypatch):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs)
    panel.lam.value = 0.0
    for name in ("sweep_map.sweep_map", "training_panel.LiveCurves.png", "sweep_map.explanation_comparison"):
        monkeypatch.setattr(f"e2kd_lab.widgets.{name}", None)
    panel.lam.value = 5.0
    assert panel.last_error is None


def test_a_dragged_picture_is_that_of_its_cell_drawn_from_nothing(tiny, runs):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs)
    assert panel.lam.slider.continuous_update
    for cells in (((0.0, 1.0), (1.0, 1.0), (5.0, 1.0), (0.0, 1.0)), ((0.0, 5.0), (5.0, 1.0))):
        for lam, tau in cells:
            panel.lam.value, panel.tau.value = lam, tau
        fresh = SweepMap(tiny.replace(lam=cells[-1][0], tau=cells[-1][1]), folder=runs)
        for name in PICTURES:
            assert bytes(getattr(panel, name).value) == bytes(getattr(fresh, name).value)
    assert panel.exports() == fresh.exports()
    assert panel.last_error is None


def test_a_missing_cell_is_trained_and_joins_the_map(tiny, runs):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs)
    assert panel.train_button.disabled  # this one is done
    panel.lam.value = 1.0
    assert "no finished run" in panel.message.value
    assert not panel.train_button.disabled
    assert (bytes(panel.curves.value), panel.curves.layout.display) == (b"", "none")
    before = bytes(panel.image.value)
    panel.train_button.click()
    assert panel.train_button.disabled
    run = panel.wait(120)
    assert run.folder.name == tiny.replace(method="e2kd", lam=1.0).run_name()
    assert cells(panel).loc[(1, 1), "runs"] == run.folder.name
    assert bytes(panel.image.value) != before
    assert bytes(panel.explanations.value).startswith(PNG)
    assert panel.progress.value == panel.progress.max > 1
    assert (panel.train_button.disabled, panel.stop_button.disabled) == (True, True)
    assert panel.last_error is None


def test_seeds_of_a_cell_are_averaged_and_can_be_picked(tiny, runs, monkeypatch):
    student = tiny.replace(method="kd", seed=1)
    lab.run(student, folder=runs, progress=False)
    panel = SweepMap(tiny, folder=runs)
    assert (panel.seed.options, cells(panel).loc[(0, 1), "n"]) == ((0, 1), 2)
    panel.seed.value = 1
    assert panel.run.folder.name == student.run_name()
    assert student.run_name() in panel.message.value
    drawn, show = [], panel.show
    monkeypatch.setattr(panel, "show", lambda *values: (drawn.append(panel.run), show(*values)))
    panel.lam.value = 1.0
    assert panel.seed.options == (tiny.seed,)  # the one to train
    assert drawn == [panel.run]  # once
    assert panel.last_error is None


def test_others_can_be_looked_at_while_one_trains_and_stop_leaves_it_to_resume(tiny, runs):
    long = tiny.replace(epochs=400, teacher_recipe=None, teacher_weights=teacher_of(tiny, runs))
    panel = SweepMap(long.replace(lam=1.0), folder=runs)
    panel.train_button.click()
    panel.lam.value = 0.0
    assert not panel.train_button.disabled  # it would wait in the queue
    assert "no finished run" in panel.message.value
    panel.stop_button.click()
    assert panel.wait(120).status == "stopped"
    panel.lam.value = 1.0
    assert (panel.train_button.description, panel.train_button.disabled) == ("Resume", False)
    assert panel.last_error is None


def test_errors_are_shown_in_place_and_raised_by_wait(tiny, runs):
    broken = tiny.replace(lr=1e30, clip_norm=None, warmup_epochs=0.0, lam=1.0)
    panel = SweepMap(broken.replace(teacher_recipe=None, teacher_weights=teacher_of(tiny, runs)), folder=runs)
    panel.train_button.click()
    with pytest.raises(Exception, match="finite number"):
        panel.wait(120)
    assert "finite number" in panel.message.value
    assert panel.last_error is not None
    assert panel.stop_button.disabled


def test_runs_of_other_processes_are_found_when_their_cell_is_picked(tiny, runs):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs)
    late = lab.run(tiny.replace(method="e2kd", lam=10.0), folder=runs, progress=False)
    panel.lam.value = 10.0
    assert cells(panel).loc[(10, 1), "runs"] == late.folder.name
    assert bytes(panel.curves.value).startswith(PNG)
    assert panel.last_error is None


def test_classes_of_voc_are_explained_with_their_boxes(workspace):
    base, folder = lab.experiments.get("voc", "smoke"), workspace / "voc-runs"
    lab.run(base.replace(method="e2kd", lam=1.0), folder=folder, progress=False)
    panel = SweepMap(base.replace(lam=1.0), folder=folder, count=2)
    titles = [measure for measure, _ in panel.measure.options]
    assert titles == ["F1", "Agreement", "Explanation cosine", "EPG", "IoU"]
    assert "Teacher" in panel.figure.get_suptitle()
    assert bytes(panel.explanations.value).startswith(PNG)
    assert panel.last_error is None


def teacher_of(experiment, runs):
    return str(runs / experiment.teacher_experiment().run_name() / "last.ckpt")


def test_a_click_or_a_slider_picks_a_cell_of_the_buttons_which_say_what_the_map_shows(tiny, runs):
    panel = SweepMap(tiny.replace(lam=5.0), folder=runs)
    grid, drawn = panel.cells, []
    panel.image.observe(lambda change: drawn.append(change["new"]), "value")
    assert list(grid.buttons) == [(lam, tau) for tau in (1.0, 5.0) for lam in (0.0, 1.0, 5.0, 10.0, 15.0)]
    kd = grid.buttons[0.0, 1.0]
    accuracy = cells(panel).loc[(0, 1), "mean"]
    assert (kd.description, kd.tooltip) == (
        f"{accuracy:.1f}",
        f"λ = 0, τ = 1: Accuracy, out-of-distribution {accuracy:.1f} %, 1 seed",
    )
    assert grid.buttons[1.0, 1.0].tooltip == "λ = 1, τ = 1: no finished run yet"
    kd.click()
    assert (panel.lam.value, panel.tau.value, len(drawn)) == (0.0, 1.0, 1)
    assert tiny.replace(method="kd").run_name() in panel.message.value
    panel.lam.value = 10.0
    assert grid.value == (10.0, 1.0)
    borders = {place: button.layout.border_top for place, button in grid.buttons.items()}
    assert [place for place, border in borders.items() if border == borders[10.0, 1.0]] == [(10.0, 1.0)]
    assert panel.last_error is None


def test_all_missing_cells_are_trained_the_nearest_first_and_the_map_fills(tiny, runs):
    trained = []

    class Listening(lab.Watcher):
        def on_end(self, title):
            trained.append((title, cells(panel)["n"].sum()))

    panel = SweepMap(tiny.replace(lam=5.0, epochs=1), folder=runs, watchers=[Listening()])
    panel.lam.value, panel.tau.value = 15.0, 5.0
    panel.train_all_button.click()
    assert panel.train_button.disabled
    panel.wait(300)
    titles = [title.split(": ")[1] for title, _ in trained]
    assert titles[:3] == ["e²KD, λ = 15, τ = 5, seed 0", "e²KD, λ = 10, τ = 5, seed 0", "e²KD, λ = 15, τ = 1, seed 0"]
    assert [count for _, count in trained] == list(range(10))  # each is drawn before the next one ends
    assert (cells(panel)["n"] == 1).all()
    panel.train_all_button.click()
    assert "Each cell of the grid has a finished run" in panel.message.value
    assert panel.last_error is None


def test_cells_in_training_and_in_the_queue_are_marked_and_stop_clears_them(tiny, runs):
    long = tiny.replace(epochs=400, teacher_recipe=None, teacher_weights=teacher_of(tiny, runs))
    panel = SweepMap(long.replace(lam=1.0), folder=runs)
    panel.train_button.click()
    panel.train_all_button.click()
    states = {place: button.tooltip.rpartition(", ")[2] for place, button in panel.cells.buttons.items()}
    assert states.pop((1.0, 1.0)) == "in training"
    assert set(states.values()) == {"in the queue"}
    assert len(panel.queue) == 9
    panel.stop_button.click()
    assert panel.wait(120).status == "stopped"
    assert not any("queue" in button.tooltip or "training" in button.tooltip for button in panel.cells.buttons.values())
    assert panel.last_error is None


def test_runs_that_may_be_in_training_elsewhere_are_neither_offered_nor_queued(tiny, runs, monkeypatch):
    panel = SweepMap(tiny.replace(lam=1.0), folder=runs)
    assert not panel.train_button.disabled
    run = panel.run
    run.folder.mkdir()
    run.set_status("running")
    monkeypatch.setattr("e2kd_lab.runs.run_folder.is_locked", lambda lock: None)  # this process may not ask
    panel.draw()
    assert panel.train_button.disabled
    assert "may be finished or in training elsewhere: unknown (process" in panel.message.value
    queued = []
    monkeypatch.setattr(panel, "train", lambda experiments: queued.extend(experiments))
    panel.train_all_button.click()
    names = {experiment.run_name() for experiment in queued}
    assert (len(names), run.folder.name in names) == (7, False)
    assert "1 of 8 missing runs are, or may be, in training already" in panel.message.value
    assert panel.last_error is None
