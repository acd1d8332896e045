"""Trackers: what a dashboard is sent, read with the dashboards' own readers; faults; interruptions."""

import warnings

import numpy as np
import pytest

import e2kd_lab as lab
from e2kd_lab.system.errors import ExperimentError, LabNote
from e2kd_lab.training.trackers import TRACKERS, Tracker, register_tracker, tracker
from e2kd_lab.training.trackers import interface as trackers_interface


class Recording(Tracker):
    """Keeps what it is sent."""

    def open(self, folder, name, config):
        self.sent = [*getattr(self, "sent", []), ("open", name, config["method"])]

    def numbers(self, values, step):
        self.sent.append(("numbers", step, dict(values)))

    def picture(self, name, picture, step):
        assert picture.dtype == np.uint8
        self.sent.append(("picture", step, picture))

    def table(self, name, rows):
        self.sent.append(("table", name, rows))

    def close(self):
        self.sent.append(("close",))


@pytest.fixture
def trained(tiny, runs):
    """With a teacher that is given: 4 steps an epoch."""
    teacher = runs / tiny.teacher_experiment().run_name() / "last.ckpt"
    return tiny.replace(method="kd", seed=4, teacher_weights=str(teacher), epochs=3, warmup_epochs=1.0, lr=0.01)


def test_what_is_sent(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(trackers_interface, "_EVERY", 2)
    kept = Recording(pictures_every=2, images=3)
    run = lab.run(trained, folder=tmp_path, progress=False, watchers=[kept])
    assert kept.error is None
    assert kept.sent[0] == ("open", run.folder.name, "kd")
    assert kept.sent[-1] == ("close",)
    assert [one[0] for one in kept.sent].count("close") == 1
    pictures = [one for one in kept.sent if one[0] == "picture"]
    total = int(run.metrics()["step"].max())
    each = total // 3
    assert [one[1] for one in pictures] == [2 * each, 3 * each]  # every second epoch, and the last
    assert pictures[0][2].shape == (2 * 24, 3 * 24, 3)
    assert len(np.unique(pictures[0][2])) > 50

    numbers = [(step, values) for kind, step, values in (one for one in kept.sent if one[0] == "numbers")]
    steps = {step: values for step, values in numbers if "learning_rate" in values}
    assert list(steps) == list(range(2, total + 1, 2))
    assert all(values["images_per_second"] > 0 and values["train/loss"] > 0 for values in steps.values())
    # The rates that the optimizer had, by a formula of their own: linear warm-up, then a half cosine.
    for step, values in steps.items():
        done = step - 1
        cosine = 0.5 * (1 + np.cos(np.pi * (done - each) / (total - each)))
        assert values["learning_rate"] == pytest.approx(0.01 * (0.01 + 0.99 * done / each if done < each else cosine))
    sent = {(step, name): value for step, values in numbers for name, value in values.items()}
    for row in run.metrics().itertuples():
        split = "epoch" if row.split == "train" else row.split
        name = f"{split}/{row.metric}" + ("" if row.group == "all" else f"/{row.group}")
        np.testing.assert_equal(sent[row.step, name], row.value)
    (table,) = (one for one in kept.sent if one[0] == "table")
    test = run.metrics().query("split == 'test'").reset_index(drop=True)
    assert table[2].equals(test[["group", "metric", "value"]])


def test_an_interrupted_run_closes_and_a_resumed_one_sends_only_what_is_new(trained, tmp_path):
    class StopAt(lab.Watcher):
        def on_step(self, step, losses):
            self.step = step

        def should_stop(self):
            return self.step == 9

    first, second = Recording(), Recording()
    assert lab.run(trained, folder=tmp_path, progress=False, watchers=[first, StopAt()]).status == "stopped"
    assert first.sent[-1] == ("close",)
    lab.run(trained, folder=tmp_path, progress=False, watchers=[second])
    assert second.error is None
    steps = [[step for kind, step, _ in (one for one in kept.sent if one[0] == "numbers")] for kept in (first, second)]
    assert max(steps[0]) <= 9
    assert min(steps[1]) > 9


def test_teacher_and_student_are_runs_of_their_own(tiny, tmp_path):
    kept = Recording()
    lab.run(tiny.replace(method="kd", epochs=1), folder=tmp_path, progress=False, watchers=[kept])
    assert [one[2] for one in kept.sent if one[0] == "open"] == ["teacher", "kd"]
    assert [one[0] for one in kept.sent].count("close") == 2


def test_trackers_change_no_number_and_one_that_fails_is_said_once(trained, tmp_path):
    class Broken(Recording):
        def numbers(self, values, step):
            raise ConnectionError("the dashboard is away")

    alone = lab.run(trained, folder=tmp_path / "alone", progress=False)
    broken, kept, board = Broken(), Recording(), tracker("tensorboard", pictures_every=1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        watched = lab.run(trained, folder=tmp_path / "both", progress=False, watchers=[broken, kept, board])
    assert (watched.folder / "metrics.csv").read_bytes() == (alone.folder / "metrics.csv").read_bytes()
    assert (kept.error, board.error) == (None, None)
    notes = [str(one.message) for one in said if one.category is LabNote]
    assert len([note for note in notes if "the dashboard is away" in note]) == 1


def test_tensorboard_reads_what_was_sent(trained, tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = lab.run(trained, folder=tmp_path, progress=False, watchers=[tracker("tensorboard", pictures_every=1)])
    board = reading.EventAccumulator(str(run.folder / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    for metric in ("accuracy", "agreement"):
        rows = run.metrics().query("split == 'val' and metric == @metric and group == 'all'")
        events = board.Scalars(f"val/{metric}")
        assert [one.step for one in events] == list(rows["step"])
        np.testing.assert_allclose([one.value for one in events], rows["value"], rtol=1e-6)
    (pictures,) = board.Tags()["images"]
    assert [(one.height, one.width) for one in board.Images(pictures)] == [(48, 24 * 8)] * 3
    texts = {tag: board.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in board.Tags()["tensors"]}
    assert '| method | "kd" |' in texts["configuration/text_summary"]
    assert "accuracy" in texts["test/text_summary"]


def test_wandb_without_a_network(trained, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    follow = tracker("wandb")
    run = lab.run(trained, folder=tmp_path, progress=False, watchers=[follow])
    assert follow.error is None
    assert list((run.folder / "wandb").glob("offline-run-*/*.wandb"))


def test_trackio_without_a_network(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio", reason="trackio is not installed: pip install trackio")
    follow = tracker("trackio")
    run = lab.run(trained, folder=tmp_path, progress=False, watchers=[follow])
    assert follow.error is None
    rows = trackio.Api().runs("waterbirds")[0]
    assert rows.name == run.folder.name


def test_what_is_not_installed_is_said_before_training():
    class Absent(Tracker):
        package = "no_such_dashboard"

    with pytest.raises(ExperimentError, match=r"no_such_dashboard is not installed; .*: pip install no_such_dashboard"):
        Absent()


def test_a_tracker_of_ones_own_comes_through_the_same_door(monkeypatch):
    for entries in ("_entries", "_origins", "_identities"):
        monkeypatch.setattr(TRACKERS, entries, dict(getattr(TRACKERS, entries)))
    register_tracker("recording")(Recording)
    assert isinstance(tracker("recording", images=2), Recording)
    with pytest.raises(ExperimentError, match="expected a class derived from Tracker"):
        register_tracker("wrong")(dict)
    with pytest.raises(ExperimentError, match="no tracker 'nowhere'"):
        tracker("nowhere")
    with pytest.raises(ExperimentError, match="'pictures_every' is 0"):
        Recording(pictures_every=0)
