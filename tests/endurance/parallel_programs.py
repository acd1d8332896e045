"""What a pair of children of the fork server do, of which each sees half of a batch."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import torch
from endurance.programs import experiment_of, hardware

import e2kd_lab as lab
from e2kd_lab.methods import Distiller
from e2kd_lab.models.bcos_layers import BatchNormUncentered2d
from e2kd_lab.models.sync_batch_norm import sync_batch_norms


def normalize_share(kind: str, folder: str) -> None:
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


def step_of_an_adapted_network(network: str, folder: str) -> None:
    """One e2KD step of a share of a batch, or of all in a process alone; save the loss, gradients and buffers."""
    torch.manual_seed(0)
    student = lab.build_model(network, 3, image_size=32).double()
    teacher = lab.build_model("resnet_mini", 3).double()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    method: Any = lab.methods.E2KD(student, teacher, lam=1.0).train()
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


def train_but_fail_in_one(experiment: dict[str, Any], folder: str, failing: int) -> None:
    """Train a run of which one process fails in its sixth step."""

    forward, steps = Distiller.forward, itertools.count()

    def failing_forward(*arguments: Any, **options: Any) -> Any:
        if next(steps) == 5 and int(os.environ["RANK"]) == failing:
            raise MemoryError("no memory left in this one")
        return forward(*arguments, **options)

    Distiller.forward = failing_forward  # type: ignore[method-assign]
    lab.run(experiment_of(experiment), folder=folder, hardware=hardware(2), progress=False)


def train_and_measure(experiments: list[dict[str, Any]], folder: str, devices: int = 1, later: bool = False) -> None:
    """Train runs with own measures, or add these afterwards."""

    def confidence(predictions: Any) -> Any:
        return predictions.logits.softmax(1).amax(1).mean()

    def order(predictions: Any) -> float:
        """Tells images that are out of order, or that are no images of the others' labels."""
        places = torch.arange(1, len(predictions.labels) + 1)
        assert list(predictions.table["label"]) == predictions.labels.reshape(-1).tolist()
        return float((places * predictions.labels.double().reshape(len(places), -1).sum(1)).sum())

    where, metrics = hardware(devices), {"confidence": confidence, "order": order}
    for one in experiments:
        if later:
            lab.run(experiment_of(one), folder=folder, hardware=where, progress=False)
        lab.run(experiment_of(one), folder=folder, hardware=where, progress=False, metrics=metrics)
