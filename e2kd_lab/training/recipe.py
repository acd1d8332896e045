"""Training recipes: optimizer, schedule, clipping and length (Sec. C.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.fields import check_types

# Lightning Fabric's names; images are single precision, so true half or double precision is left out.
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
# NumPy's generators take no larger one.
_LARGEST_SEED = 2**32 - 1
_CONFIG = (
    *("epochs", "batch_size", "optimizer", "lr", "weight_decay", "warmup_epochs", "clip_norm", "adaptive_clip"),
    *("mixup", "validate_every", "precision", "seed"),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Optimisation of one training.

    The defaults are the paper's for standard networks (Sec. C.1): AdamW, learning rate 0.01, weight decay 1e-4, cosine
    schedule after 5 warm-up epochs, gradient norm clipped at 1.

    Attributes
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int
        Global batch size, over all processes.
    optimizer : str
        ``adamw``, ``adam`` or ``sgd`` (momentum 0.9).
    lr, weight_decay : float
        Peak learning rate and weight decay.
    warmup_epochs : float
        Epochs of linear warm-up before the schedule.
    step_epochs : float or None
        Epochs after which the learning rate is divided by ten, again and again, as in prior work (Table B1); None for a
        cosine schedule.
    clip_norm : float or None
        Largest norm of the gradient; None for no limit.
    adaptive_clip : float or None
        Largest ratio of a unit's gradient to its weights (see `clip_gradients_adaptively`); None for no limit.
    mixup : float
        Alpha of mixup's Beta distribution; 0 for none.
    validate_every : int
        Epochs between validations; the last epoch is always validated.
    precision : str
        ``32-true``, ``bf16-mixed`` or ``16-mixed``, as Lightning Fabric names them.
    seed : int
        Seed of initialisation, order and augmentation.

    Raises
    ------
    ExperimentError
        If a value is not valid.

    Examples
    --------
    >>> Recipe(epochs=200, batch_size=256).lr
    0.01
    """

    epochs: int
    batch_size: int
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 1e-2
    weight_decay: float = 1e-4
    warmup_epochs: float = 5.0
    step_epochs: float | None = None
    clip_norm: float | None = 1.0
    adaptive_clip: float | None = None
    mixup: float = 0.0
    validate_every: int = 1
    precision: str = "32-true"
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        for field in ("epochs", "batch_size", "validate_every"):
            if getattr(self, field) < 1:
                raise ExperimentError(f"'{field}' is {getattr(self, field)}; expected at least 1.")
        if not self.lr > 0:
            raise ExperimentError(f"'lr' is {self.lr}; expected a positive learning rate.")
        for field in ("weight_decay", "warmup_epochs", "mixup", "seed"):
            if not getattr(self, field) >= 0:
                raise ExperimentError(f"'{field}' is {getattr(self, field)}; expected at least 0.")
        for field in ("clip_norm", "adaptive_clip", "step_epochs"):
            limit = getattr(self, field)
            if limit is not None and not limit > 0:
                raise ExperimentError(f"'{field}' is {limit}; expected a positive number or None.")
        if self.seed > _LARGEST_SEED:
            raise ExperimentError(f"'seed' is {self.seed}; expected 0 to {_LARGEST_SEED}.")
        if self.precision not in PRECISIONS:
            raise ExperimentError(f"'precision' is '{shown(self.precision)}'; expected one of {', '.join(PRECISIONS)}.")
        if self.optimizer not in ("adamw", "adam", "sgd"):
            raise ExperimentError(f"'optimizer' is '{self.optimizer}'; expected adamw, adam or sgd.")

    def config(self) -> dict[str, Any]:
        """What changes the result; ``step_epochs`` where it is used, so that older runs keep their names."""
        stepped = () if self.step_epochs is None else ("step_epochs",)
        return {name: getattr(self, name) for name in (*_CONFIG, *stepped)}

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of one step, see `learning_rate`.

        Examples
        --------
        >>> Recipe(epochs=2, batch_size=4, lr=0.5, warmup_epochs=0).rate(0, steps_per_epoch=10)
        0.5
        """
        return learning_rate(
            step,
            peak=self.lr,
            warmup_steps=round(self.warmup_epochs * steps_per_epoch),
            total_steps=self.epochs * steps_per_epoch,
            steps_per_tenth=None if self.step_epochs is None else self.step_epochs * steps_per_epoch,
        )


# Student and teacher of one seed would start from the same weights and agree without any distillation, so teachers have
# a seed that no student is likely to have.
TEACHER_SEED = 1000

# What the paper changes for B-cos networks (Sec. C.1): Adam, learning rate 0.001, no decay, adaptive gradient clipping.
BCOS_OPTIMISATION: Mapping[str, Any] = {
    "optimizer": "adam",
    "lr": 1e-3,
    "weight_decay": 0.0,
    "clip_norm": None,
    "adaptive_clip": 0.01,
}


def build_optimizer(recipe: Recipe, module: nn.Module, *, fused: bool = True) -> torch.optim.Optimizer:
    """The recipe's optimizer of all trainable parameters of a module.

    Parameters
    ----------
    recipe : Recipe
        Gives optimizer, learning rate and weight decay.
    module : nn.Module
        The module to train.
    fused : bool
        Update each parameter in one pass over memory; ignored with ``16-mixed``, whose gradients could then not be
        clipped.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    fused = fused and recipe.precision != "16-mixed"
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay, fused=fused)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, recipe.lr, weight_decay=recipe.weight_decay, fused=fused)


def learning_rate(
    step: int, *, peak: float, warmup_steps: int, total_steps: int, steps_per_tenth: float | None = None
) -> float:
    """Learning rate of one step: linear warm-up from 1 % of the peak, then a half cosine to zero, or tenfold drops.

    Parameters
    ----------
    step : int
        The step, from 0 to ``total_steps`` - 1.
    peak : float
        Highest learning rate, reached after ``warmup_steps`` steps.
    warmup_steps, total_steps : int
        Length of the warm-up and of the training.
    steps_per_tenth : float, optional
        Steps between two tenfold drops, in place of the cosine.

    Returns
    -------
    float
        In (0, peak].
    """
    if step < warmup_steps:
        return peak * (0.01 + 0.99 * step / warmup_steps)
    if steps_per_tenth is not None:
        return peak * 0.1 ** int(step / steps_per_tenth)
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
