"""What a run costs: measured in the run's own loop, with its own images or drawn ones of the same shape."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from cost_cases import COST
from torch.utils.data import default_collate

import e2kd_lab as lab
from e2kd_lab.runs import costs
from e2kd_lab.runs.costs import measure_cost
from e2kd_lab.runs.freeze import freeze
from e2kd_lab.runs.stand_in import Shown
from e2kd_lab.system.errors import DataError
from e2kd_lab.training import Hardware
from e2kd_lab.training.trainer import BEST, LAST, Trainer

CPU = Hardware(device="cpu")


@pytest.mark.parametrize(
    ("waits", "given", "a_step"), [(True, 640.0, 0.6), (False, 640.0, 0.5), (False, 64.0, 1.0), (True, 64.0, 1.5)]
)
def test_seconds_are_those_of_all_steps_with_their_images_and_of_the_rest(waits, given, a_step):
    cost = replace(COST, waits=waits, images_given=given)
    assert cost.seconds == pytest.approx(3 + 100 * a_step + 7)


@pytest.mark.parametrize("method", ["teacher", "baseline", "e2kd", "reviewkd"])
def test_a_run_has_the_steps_and_the_checkpoints_that_were_said(tiny, workspace, method):
    experiment = tiny.replace(method=method, lam=1.0)
    cost = measure_cost(experiment, hardware=CPU, steps=2)
    run = lab.run(experiment, folder=workspace / "runs-of-costs", progress=False, hardware=CPU)
    metrics = run.metrics()
    assert cost.steps == metrics["step"].max()
    written = sum((run.folder / name).stat().st_size for name in (LAST, BEST))
    assert cost.checkpoint_bytes == pytest.approx(written, rel=0.05)
    assert not cost.is_drawn
    assert cost.seconds > cost.steps * cost.step_seconds > 0
    assert cost.images_needed == pytest.approx(experiment.batch_size / cost.step_seconds)


def test_whole_periods_are_timed_in_the_own_loop_of_runs(tiny, monkeypatch):
    seen, step = [], Trainer._step

    def counted(self, module, optimizer, batch, number):
        seen.append((number, len(batch["image"])))
        return step(self, module, optimizer, batch, number)

    monkeypatch.setattr(Trainer, "_step", counted)
    experiment = tiny.replace(method="e2kd", lam=1.0, explain_every=4)
    measure_cost(experiment, hardware=CPU, steps=5, cheaper=False)
    # One step and one more tell how many a CPU can afford; then a period of 4 and two that are timed.
    assert seen[-12:] == [(number, 8) for number in range(12)]


def test_what_a_cpu_cannot_afford_is_measured_with_fewer_images(tiny, monkeypatch):
    monkeypatch.setattr(costs, "_BUDGET", 1e-6)
    monkeypatch.setattr(costs, "_LEAST_BATCH", 2)
    cost = measure_cost(tiny.replace(method="kd"), hardware=CPU, steps=8, cheaper=False)
    assert (cost.batch, cost.measured_batch) == (8, 2)
    assert cost.step_seconds == pytest.approx(8 / cost.images_needed)


def test_what_does_not_fit_into_a_gpu_is_measured_with_half_the_images():
    tried = []

    def step_seconds(experiment, few, batch, steps):
        tried.append(batch)
        if batch > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 0.1

    measuring = costs._Measuring.__new__(costs._Measuring)
    measuring.experiment, measuring.batch = None, 64
    measuring.fabric, measuring._step_seconds = SimpleNamespace(device=torch.device("cuda")), step_seconds
    assert measuring._fitting([], 20) == (16, 20)
    assert tried == [64, 32, 16]


def test_devices_share_a_batch(tiny):
    cost = measure_cost(tiny.replace(method="kd"), hardware=Hardware(device="cpu", devices=2), steps=2, cheaper=False)
    assert cost.batch == tiny.batch_size // 2


def test_a_frozen_teacher_takes_the_room_that_was_said(workspace, tmp_path):
    experiment = lab.experiments.get("imagenet_frozen", "smoke").replace(method="e2kd", lam=1.0, frozen_dtype="float16")
    cost = measure_cost(experiment, hardware=CPU, steps=2)
    runs = workspace / "runs-of-freezing"
    lab.run(experiment.teacher_experiment(), folder=runs, progress=False, hardware=CPU)
    cache = freeze(experiment, runs=runs, folder=tmp_path / "cache", device="cpu")
    assert cost.frozen_bytes == pytest.approx(sum(file.stat().st_size for file in cache.iterdir()), rel=0.05)
    assert set(cost.cheaper) == {"explain_part=0.25"}  # it is frozen already


def test_what_would_be_cheaper_is_what_the_experiment_has(workspace):
    live = lab.experiments.get("imagenet_bcos", "smoke")
    names = {
        method: set(measure_cost(live.replace(method=method, lam=lam), hardware=CPU, steps=2).cheaper)
        for method, lam in (("baseline", 0.0), ("kd", 0.0), ("e2kd", 1.0))
    }
    assert names == {"baseline": set(), "kd": {"frozen=true"}, "e2kd": {"explain_part=0.25", "frozen=true"}}


def test_random_numbers_of_the_program_go_on_as_before(tiny):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    measure_cost(tiny.replace(method="kd"), hardware=CPU, steps=2)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(
    ("name", "setting", "trained"),
    [
        ("waterbirds", "base", 4795),
        ("voc", "base", 5145),
        ("imagenet_standard", "50-shots", 50_000),
        ("imagenet_frozen", "base", 1_231_167),
        ("data_free", "base", 108_754),
        ("data_free", "reversed", 1_281_167),
        ("cnn_to_vit", "base", 1_231_167),
        ("which_explanation_few_shots", "base", 50_000),
    ],
)
def test_drawn_pictures_stand_in_for_sets_that_are_not_here(workspace, name, setting, trained):
    experiment = lab.experiments.get(name, "paper").with_setting(setting).replace(method="e2kd", lam=1.0)
    shown = Shown.of(experiment)
    assert shown.is_drawn
    assert shown.counts["train"] == trained
    for split in ("train", "val"):
        batch = default_collate([*shown.few(split, 4)])
        assert batch["image"].shape == (4, 3, 224, 224)
        if experiment.multilabel:
            assert batch["label"].shape == (4, experiment.num_classes)
        else:
            assert batch["label"].max() < experiment.num_classes


def test_a_folder_that_was_named_is_not_replaced_by_drawings(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        Shown.of(lab.experiments.get("waterbirds", "paper").replace(data_root=str(tmp_path / "nowhere")))
