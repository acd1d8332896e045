"""Two processes with half of each batch compute what one process computes with the whole batch.

Batch normalisation is what stands in the way: a process that normalises with the statistics of its own share computes
another function than one with the whole batch, and another explanation, since 1/std is a factor of W(x). Measured on
the runs below, per-process statistics change the losses of the first epochs by 0.1 to 24 %. As the number of processes
is no part of an experiment, whose runs are told apart by their configuration alone, the lab always normalises with the
statistics of all processes (`e2kd_lab.models.sync_batch_norm`), and what is left is rounding.

The optimizer is SGD, because Adam's first steps divide a gradient by its own size, which turns rounding into steps of
full length where a gradient is next to zero. Mixup is left out: it mixes images of one process only, so that with more
processes other pairs are mixed.
"""

import json
import shutil
import socket

import pandas as pd
import pytest
import torch

from e2kd_lab.models.checkpoints import read_checkpoint


def start_two(forks, function, **arguments):
    """Start the function in two processes as torchrun does; what both return."""
    outcomes = end_of_two(forks, function, **arguments)
    for outcome in outcomes:
        assert outcome.error is None, outcome.error
    return [outcome.value for outcome in outcomes]


def end_of_two(forks, function, **arguments):
    """How both end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
              "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "two"}  # fmt: skip
    children = [
        forks.start(function, environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, **arguments)
        for rank in range(2)
    ]
    return [child.wait() for child in children]


@pytest.fixture(scope="module")
def both(forks, minibirds, tmp_path_factory):
    """Folders of the same runs by one process and by two."""
    base = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "batch_size": 8,
            "epochs": 2, "optimizer": "sgd", "lr": 0.02, "lam": 5.0}  # fmt: skip
    experiments = [
        {**base, "family": family, "method": method} for family in ("standard", "bcos") for method in ("kd", "e2kd")
    ]
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    forks.call("train_all", experiments=experiments, folder=str(one))
    for teacher in one.glob("*-teacher-*"):
        shutil.copytree(teacher, two / teacher.name)
    start_two(forks, "train_all", experiments=experiments, folder=str(two), devices=2)
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


@pytest.mark.parametrize("later", [False, True])
def test_own_measures_of_two_processes_see_all_images(forks, minibirds, tmp_path, later):
    waterbirds = {"name": "waterbirds", "data_root": str(minibirds), "image_size": 24, "resize": 24, "batch_size": 8,
                  "epochs": 1, "optimizer": "sgd", "lr": 0.02, "method": "kd"}  # fmt: skip
    experiments = [waterbirds, {"name": "voc", "method": "baseline", "epochs": 1}]
    one, two = tmp_path / "one", tmp_path / "two"
    forks.call("train_and_measure", experiments=experiments, folder=str(one), later=later)
    for teacher in one.glob("*-teacher-*"):
        shutil.copytree(teacher, two / teacher.name)
    start_two(forks, "train_and_measure", experiments=experiments, folder=str(two), devices=2, later=later)
    found = 0
    for path in one.glob("*/metrics.csv"):
        alone, shared = (pd.read_csv(folder / path.parent.name / "metrics.csv") for folder in (one, two))
        rows = alone.merge(shared, on=["step", "split", "group", "metric"], validate="one_to_one")
        assert len(rows) == len(alone) == len(shared)
        own = rows[rows["metric"].isin(["confidence", "order"])]
        assert own["value_y"].to_numpy() == pytest.approx(own["value_x"].to_numpy(), rel=1e-4)
        found += len(own[own["group"] == "all"].drop_duplicates(["metric", "split"]))
    assert found == 4 * 2 * 2  # runs, measures, splits


@pytest.mark.parametrize("kind", ["BatchNorm2d", "BatchNormUncentered2d"])
def test_shared_layers_have_the_derivatives_of_the_whole_batch(forks, tmp_path, kind):
    """Output, first and second derivative in float64; the second is what training an explanation takes."""
    start_two(forks, "normalize_share", kind=kind, folder=str(tmp_path))
    forks.call("normalize_share", kind=kind, folder=str(tmp_path))
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


@pytest.mark.parametrize("network", ["torchvision/resnet18", "timm/efficientnet_lite0", "timm/test_vit"])
def test_adapted_networks_make_the_step_of_the_whole_batch(forks, tmp_path, network):
    start_two(forks, "step_of_an_adapted_network", network=network, folder=str(tmp_path))
    forks.call("step_of_an_adapted_network", network=network, folder=str(tmp_path))
    whole = torch.load(tmp_path / "whole.pt")
    shares = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    torch.testing.assert_close(sum(share["loss"] for share in shares) / 2, whole["loss"], rtol=1e-8, atol=1e-12)
    assert len(whole["gradients"]) > 10
    for share in shares:
        torch.testing.assert_close(share["gradients"], whole["gradients"], rtol=1e-6, atol=1e-10)
        torch.testing.assert_close(share["buffers"], whole["buffers"], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("failing", [0, 1])
def test_where_one_process_fails_the_other_says_so_and_the_run_goes_on_later(forks, student, tmp_path, failing):
    arguments = {"experiment": student, "folder": str(tmp_path), "failing": failing}
    outcomes = end_of_two(forks, "train_but_fail_in_one", **arguments)
    assert "no memory left in this one" in outcomes[failing].error
    assert "TrainingError" in outcomes[1 - failing].error_kinds
    assert "another process of this run ended early" in outcomes[1 - failing].error
    (status,) = tmp_path.glob("*/status.json")
    assert json.loads(status.read_text())["status"] == "failed"
    assert start_two(forks, "train_all", experiments=[student], folder=str(tmp_path), devices=2)
    assert json.loads(status.read_text())["status"] == "done"
