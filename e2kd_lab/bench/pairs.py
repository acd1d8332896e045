"""Pairs of teacher and student, and the training steps to time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from e2kd_lab.bench.reference import PlainModel, PlainStep, plain_model
from e2kd_lab.explanations import EXPLANATIONS
from e2kd_lab.methods import Distiller, build_method, has_hyperparameter
from e2kd_lab.models import ExplainableModel, build_model, explanation_by_name
from e2kd_lab.models.memory_format import prepare_networks
from e2kd_lab.training.recipe import BCOS_OPTIMISATION, Recipe, build_optimizer

METHODS = ("baseline", "kd", "e2kd")
LAM, TAU = 5.0, 1.0
# Weights must barely move, however many steps are timed.
_LEARNING_RATE = 1e-6


@dataclass(frozen=True)
class Pair:
    """A teacher and a student of one family, and their batches.

    Attributes
    ----------
    teacher, student : str
        Names of `e2kd_lab.build_model`.
    classes, size, batch : int
        Number of classes, side of the images in pixels, images per step.
    """

    teacher: str
    student: str
    classes: int
    size: int
    batch: int

    @property
    def passes_whole_network(self) -> bool:
        """Whether an explanation needs a backward pass through the whole network."""
        return EXPLANATIONS[explanation_by_name(self.student) or "gradcam"].passes_whole_network

    def build(self, device: torch.device) -> tuple[ExplainableModel, ExplainableModel]:
        """Teacher (frozen, evaluation mode) and student (training mode), with fixed random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            teacher, student = (build_model(name, self.classes) for name in (self.teacher, self.student))
            settle(teacher, torch.rand(8, 3, self.size, self.size))
        return teacher.to(device).eval().requires_grad_(False), student.to(device).train()

    def images_and_labels(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """A fixed batch of noise."""
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(self.batch, 3, self.size, self.size, generator=generator)
        return images.to(device), torch.randint(self.classes, (self.batch,), generator=generator).to(device)


@torch.no_grad()
def settle(model: ExplainableModel, images: Tensor) -> None:
    """Set batch statistics of an untrained network, so that its activations have a normal scale."""
    handles = [
        module.register_forward_pre_hook(_take_statistics)
        for module in model.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    model.eval()(model.preprocess(images))
    for handle in handles:
        handle.remove()


def our_steps(
    teacher: ExplainableModel, student: ExplainableModel, images: Tensor, labels: Tensor, *, half: bool = False
) -> dict[str, Callable[[], object]]:
    """Complete training steps of each method as in a run: optimised for the device, without unnecessary graphs.

    With ``half``, in mixed precision with bfloat16, as in a run of precision ``bf16-mixed``.
    """
    prepare_networks(student, teacher, images.shape[-1], images.device)
    images = images.contiguous(memory_format=torch.channels_last)
    optimizer = optimizer_of(student)
    mixed = torch.autocast(images.device.type, torch.bfloat16, enabled=half)
    steps: dict[str, Callable[[], object]] = {}
    for name in METHODS:
        losses = mixed(method_of(name, student, teacher).forward)
        steps[name] = step_of(losses, optimizer, images, labels)
    return steps


def method_of(name: str, student: ExplainableModel, teacher: ExplainableModel) -> Distiller:
    """Build a method with the benchmark's weight and temperature, if it has them."""
    values = {field: value for field, value in (("lam", LAM), ("tau", TAU)) if has_hyperparameter(name, field)}
    return build_method(name, student, teacher, **values)


def reference_steps(
    teacher: ExplainableModel, student: ExplainableModel, images: Tensor, labels: Tensor
) -> dict[str, Callable[[], object]]:
    """The same steps in plain PyTorch, on copies of the networks."""
    plain_teacher, plain_student = plain_pair(teacher, student)
    optimizer = optimizer_of(plain_student.network, fused=False)
    steps: dict[str, Callable[[], object]] = {}
    for name in METHODS:
        step = PlainStep(name, plain_student, plain_teacher, lam=LAM, tau=TAU)
        steps[name] = step_of(lambda *batch, step=step: {"loss": step(*batch)}, optimizer, images, labels)
    return steps


def plain_pair(teacher: ExplainableModel, student: ExplainableModel) -> tuple[PlainModel, PlainModel]:
    """Teacher and student in plain layers."""
    plain_teacher = plain_model(teacher).eval()
    plain_teacher.requires_grad_(False)
    return plain_teacher, plain_model(student).train()


def step_of(
    losses: Callable[..., Mapping[str, Tensor]], optimizer: torch.optim.Optimizer, *batch: Any
) -> Callable[[], object]:
    """A training step: forward, loss, backward, optimizer."""

    def step() -> None:
        losses(*batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def optimizer_of(student: ExplainableModel, *, fused: bool = True) -> torch.optim.Optimizer:
    """The optimizer of the student's family (Sec. C.1), with a tiny learning rate."""
    changes = {**BCOS_OPTIMISATION} if student.family == "bcos" else {}
    recipe = Recipe(**{"epochs": 1, "batch_size": 1, **changes, "lr": _LEARNING_RATE})
    return build_optimizer(recipe, student, fused=fused)


def loss_and_gradients(loss: Tensor, student: ExplainableModel) -> dict[str, Tensor]:
    """A loss and its gradients with respect to a student's parameters, by name; frees the graph."""
    loss.backward()
    found = {"loss": loss.detach()}
    for name, parameter in student.named_parameters():
        if parameter.grad is not None:
            found[f"gradient of {name}"] = parameter.grad
    return found


def in_double(*models: ExplainableModel) -> tuple[ExplainableModel, ...]:
    """Copies of networks in float64, where rounding cannot hide or cause a difference."""
    return tuple(copy.deepcopy(model).double() for model in models)


def _take_statistics(module: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
    assert module.running_var is not None
    assert module.running_mean is not None
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3), unbiased=False)
    module.running_var.copy_(variance)
    module.running_mean.copy_(mean)
