"""Two processes with half of each batch compute what one process computes with the whole batch.

Batch normalisation needs care: with the statistics of its share, a process computes another function than with the
whole batch, and another explanation, since 1/std is a factor of W(x). In the runs below, that changes the losses of the
first epochs by 0.1 to 24 %. The number of processes is not part of an experiment, so the lab synchronises the
statistics (`e2kd_lab.models.sync_batch_norm`), and only rounding differs.

The optimizer is SGD: Adam's first steps divide a gradient by its own size, which amplifies rounding where a gradient is
nearly zero. Mixup is off: it mixes images within a process, so that other pairs are mixed.
"""

import itertools
import json
import os
import shutil
import socket
from pathlib import Path

import pandas as pd
import pytest
import torch
from endurance.programs import experiment_of, hardware, train_all, train_share, wait_for

import e2kd_lab as lab
from e2kd_lab.methods import Distiller
from e2kd_lab.models.bcos_layers import BatchNormUncentered2d
from e2kd_lab.models.checkpoints import read_checkpoint
from e2kd_lab.models.sync_batch_norm import sync_batch_norms
from e2kd_lab.runs.results import find_runs


def start_two(forks, function, **arguments):
    """Start the function in two processes as torchrun does; what both return."""
    outcomes = end_of_two(forks, function, **arguments)
    for outcome in outcomes:
        assert outcome.error is None, outcome.error
    return [outcome.value for outcome in outcomes]


def end_of_two(forks, function, **arguments):
    """How both end."""
    return [child.wait() for child in begin_two(forks, function, **arguments)]


def begin_two(forks, function, **arguments):
    """The two processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
              "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "two"}  # fmt: skip
    return [
        forks.start(function, environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, **arguments)
        for rank in range(2)
    ]


@pytest.fixture(scope="module")
def both(forks, minibirds, tmp_path_factory):
    """Folders of the same runs by one process and by two."""
    base = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "batch_size": 8,
            "epochs": 2, "optimizer": "sgd", "lr": 0.02, "lam": 5.0}  # fmt: skip
    experiments = [
        {**base, "family": family, "method": method} for family in ("standard", "bcos") for method in ("kd", "e2kd")
    ]
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    forks.call(train_all, experiments=experiments, folder=str(one))
    for teacher in one.glob("*-teacher-*"):
        shutil.copytree(teacher, two / teacher.name)
    start_two(forks, train_all, experiments=experiments, folder=str(two), devices=2)
    return one, two


def of(folder, family, method):
    """The run of a family and a method, its measures and its weights."""
    for metrics in folder.glob(f"*-{method}-*/metrics.csv"):
        if f'"family": "{family}"' in (metrics.parent / "config.json").read_text():
            return pd.read_csv(metrics), read_checkpoint(metrics.parent / "last.ckpt")["model"]
    raise AssertionError(f"{folder} has no run of {family} {method}")


@pytest.mark.parametrize("family", ["standard", "bcos"])
@pytest.mark.parametrize("method", ["kd", "e2kd"])
def test_two_processes_train_like_one(both, family, method):
    (alone, weights), (shared, other_weights) = (of(folder, family, method) for folder in both)
    keys = ["step", "epoch", "split", "group", "metric"]
    rows = alone.merge(shared, on=keys, validate="one_to_one")
    assert len(rows) == len(alone) == len(shared)
    losses = rows[(rows["split"] == "train") & (rows["metric"] != "dead_map_rate")]
    assert set(losses["step"]) == {4, 8}
    assert set(losses["metric"]) == {"loss", "kd_loss", *(["explanation_loss"] if method == "e2kd" else [])}
    assert losses["value_y"].to_numpy() == pytest.approx(losses["value_x"].to_numpy(), rel=2e-5)
    cosines = rows[rows["metric"] == "explanation_cosine"]
    assert cosines["value_y"].to_numpy() == pytest.approx(cosines["value_x"].to_numpy(), abs=1e-4)
    # The statistics that evaluation uses are among the weights.
    assert any(name.endswith("running_var") for name in weights)
    torch.testing.assert_close(other_weights, weights, rtol=1e-4, atol=1e-5)


def train_and_measure(experiments, folder, devices=1, later=False):
    """Train runs with own measures, or add these afterwards."""

    def confidence(predictions):
        return predictions.logits.softmax(1).amax(1).mean()

    def order(predictions):
        """Tells images that are out of order, or that are no images of the others' labels."""
        places = torch.arange(1, len(predictions.labels) + 1)
        assert list(predictions.table["label"]) == predictions.labels.reshape(-1).tolist()
        return float((places * predictions.labels.double().reshape(len(places), -1).sum(1)).sum())

    where, metrics = hardware(devices), {"confidence": confidence, "order": order}
    for one in experiments:
        if later:
            lab.run(experiment_of(one), folder=folder, hardware=where, progress=False)
        lab.run(experiment_of(one), folder=folder, hardware=where, progress=False, metrics=metrics)


@pytest.mark.parametrize("later", [False, True])
def test_own_measures_of_two_processes_see_all_images(forks, minibirds, tmp_path, later):
    waterbirds = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "batch_size": 8,
                  "epochs": 1, "optimizer": "sgd", "lr": 0.02, "method": "kd"}  # fmt: skip
    experiments = [waterbirds, {"name": "voc", "method": "baseline", "epochs": 1}]
    one, two = tmp_path / "one", tmp_path / "two"
    forks.call(train_and_measure, experiments=experiments, folder=str(one), later=later)
    for teacher in one.glob("*-teacher-*"):
        shutil.copytree(teacher, two / teacher.name)
    start_two(forks, train_and_measure, experiments=experiments, folder=str(two), devices=2, later=later)
    found = 0
    for path in one.glob("*/metrics.csv"):
        alone, shared = (pd.read_csv(folder / path.parent.name / "metrics.csv") for folder in (one, two))
        rows = alone.merge(shared, on=["step", "split", "group", "metric"], validate="one_to_one")
        assert len(rows) == len(alone) == len(shared)
        own = rows[rows["metric"].isin(["confidence", "order"])]
        assert own["value_y"].to_numpy() == pytest.approx(own["value_x"].to_numpy(), rel=1e-4)
        found += len(own[own["group"] == "all"].drop_duplicates(["metric", "split"]))
    assert found == 4 * 2 * 2  # runs, measures, splits


def normalize_share(kind, folder):
    """Normalize every ``WORLD_SIZE``-th image of a batch, or all in a process alone; save output and derivatives.

    The sum over all processes of what is differentiated here is what a process alone differentiates.
    """
    layer_type = {"BatchNorm2d": torch.nn.BatchNorm2d, "BatchNormUncentered2d": BatchNormUncentered2d}[kind]
    model = torch.nn.Sequential(layer_type(3)).double()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        torch.distributed.init_process_group("gloo")
        sync_batch_norms(model)
        assert type(model[0]) is not layer_type
    generator = torch.Generator().manual_seed(0)
    images, factors, directions = (
        torch.randn(6, 3, 4, 4, dtype=torch.float64, generator=generator)[rank::world] for _ in range(3)
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
    images.requires_grad_()
    output = model(images)
    # The images of the other processes count through the statistics.
    (first,) = torch.autograd.grad((output.tanh() * factors).sum(), images, create_graph=True)
    inner = (first * directions).sum()
    second, weight = torch.autograd.grad(inner, (images, model[0].weight))
    found = {
        "output": output,
        "first": first,
        "second": second,
        "weight": weight,
        "buffers": dict(model.named_buffers()),
    }
    torch.save(found, Path(folder, "whole.pt" if world == 1 else f"{rank}.pt"))


@pytest.mark.parametrize("kind", ["BatchNorm2d", "BatchNormUncentered2d"])
def test_shared_layers_have_the_derivatives_of_the_whole_batch(forks, tmp_path, kind):
    """Output, first and second derivative in float64; the second is what training an explanation takes."""
    start_two(forks, normalize_share, kind=kind, folder=str(tmp_path))
    forks.call(normalize_share, kind=kind, folder=str(tmp_path))
    whole = torch.load(tmp_path / "whole.pt")
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for name in ("output", "first", "second"):  # of the images
        together = torch.stack([share[name] for share in shares], dim=1).flatten(0, 1)
        torch.testing.assert_close(together, whole[name], rtol=1e-9, atol=1e-12)
        assert whole[name].abs().max() > 1e-3
    for share in shares:
        torch.testing.assert_close(share["buffers"], whole["buffers"], rtol=1e-9, atol=1e-12)
    weight = sum(share["weight"] for share in shares)
    torch.testing.assert_close(weight, whole["weight"], rtol=1e-9, atol=1e-12)


def step_of_an_adapted_network(network, folder):
    """One e2KD step of a share of a batch, or of all in a process alone; save the loss, gradients and buffers."""
    torch.manual_seed(0)
    student = lab.build_model(network, 3, image_size=32).double()
    teacher = lab.build_model("resnet_mini", 3).double()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    method = lab.methods.E2KD(student, teacher, lam=1.0).train()
    if world > 1:
        torch.distributed.init_process_group("gloo")
        sync_batch_norms(method)
        method = torch.nn.parallel.DistributedDataParallel(method)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 32, 32, dtype=torch.float64, generator=generator)[rank::world]
    loss = method(images, torch.zeros(len(images), dtype=torch.long))["loss"]
    loss.backward()
    found = {
        "loss": loss.detach(),
        "gradients": {name: p.grad for name, p in student.named_parameters() if p.grad is not None},
        "buffers": dict(student.named_buffers()),
    }
    torch.save(found, Path(folder, "whole.pt" if world == 1 else f"{rank}.pt"))


@pytest.mark.parametrize("network", ["torchvision/resnet18", "timm/efficientnet_lite0", "timm/test_vit"])
def test_adapted_networks_make_the_step_of_the_whole_batch(forks, tmp_path, network):
    start_two(forks, step_of_an_adapted_network, network=network, folder=str(tmp_path))
    forks.call(step_of_an_adapted_network, network=network, folder=str(tmp_path))
    whole = torch.load(tmp_path / "whole.pt")
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    torch.testing.assert_close(sum(share["loss"] for share in shares) / 2, whole["loss"], rtol=1e-8, atol=1e-12)
    assert len(whole["gradients"]) > 10
    for share in shares:
        torch.testing.assert_close(share["gradients"], whole["gradients"], rtol=1e-6, atol=1e-10)
        torch.testing.assert_close(share["buffers"], whole["buffers"], rtol=1e-8, atol=1e-12)


def train_but_fail_in_one(experiment, folder, failing):
    """Train a run of which one process fails in its sixth step."""

    forward, steps = Distiller.forward, itertools.count()

    def failing_forward(*arguments, **options):
        if next(steps) == 5 and int(os.environ["RANK"]) == failing:
            raise MemoryError("no memory left in this one")
        return forward(*arguments, **options)

    Distiller.forward = failing_forward
    lab.run(experiment_of(experiment), folder=folder, hardware=hardware(2), progress=False)


@pytest.mark.parametrize("failing", [0, 1])
def test_where_one_process_fails_the_other_says_so_and_the_run_goes_on_later(forks, student, tmp_path, failing):
    arguments = {"experiment": student, "folder": str(tmp_path), "failing": failing}
    outcomes = end_of_two(forks, train_but_fail_in_one, **arguments)
    assert "no memory left in this one" in outcomes[failing].error
    assert "TrainingError" in outcomes[1 - failing].error_kinds
    assert "another process of this run ended early" in outcomes[1 - failing].error
    (status,) = tmp_path.glob("*/status.json")
    assert json.loads(status.read_text())["status"] == "failed"
    assert start_two(forks, train_all, experiments=[student], folder=str(tmp_path), devices=2)
    assert json.loads(status.read_text())["status"] == "done"


def test_two_processes_wait_together_for_a_teacher(forks, minibirds, tmp_path):
    base = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "batch_size": 8,
            "epochs": 1, "method": "kd"}  # fmt: skip
    runs, signs = tmp_path / "runs", tmp_path
    first = forks.start(train_share, experiments=[base], folder=str(runs), pause_at=3, signs=str(signs))
    wait_for(signs / "here")
    children = begin_two(forks, train_share, experiments=[{**base, "seed": 1}], folder=str(runs), signs=str(signs))
    wait_for(signs / "waits")
    (signs / "go").touch()
    ended = [child.wait() for child in (first, *children)]
    assert [one.error for one in ended] == [None] * 3
    assert [len(one.value) for one in ended] == [2, 1, 0]  # of the two, only rank 0 has a watcher
    assert {run.status for run in find_runs(runs)} == {"done"}
