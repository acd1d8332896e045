"""Checkpoints of a training run: all that resuming takes, and the best student."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.methods import Distiller
from e2kd_lab.models.checkpoints import load_state, read_checkpoint
from e2kd_lab.system.atomic_write import atomic_write
from e2kd_lab.system.errors import CheckpointError


@dataclass
class TrainingState:
    """Progress of a run, beside network, optimizer and random state.

    Attributes
    ----------
    step : int
        Steps done.
    best_accuracy, best_step : float, int
        Highest validation accuracy (or F1) so far, in percent, and its step.
    sums : dict
        Sums of the losses over the current epoch, float64 scalars on the device.
    """

    step: int = 0
    best_accuracy: float = -1.0
    best_step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(path: Path, state: TrainingState, method: Distiller, optimizer: torch.optim.Optimizer) -> None:
    """Write all that resuming takes; ``model`` holds the student alone, for other uses."""
    content = {
        "model": method.student.state_dict(),
        "method": method.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": {**vars(state), "sums": {name: value.cpu() for name, value in state.sums.items()}},
        "random": _random_state(),
    }
    atomic_write(path, lambda file: torch.save(content, file))


def save_student(path: Path, state: TrainingState, method: Distiller) -> None:
    """Write the student's weights as ``model``, and their step."""
    content = {"model": method.student.state_dict(), "step": state.step}
    atomic_write(path, lambda file: torch.save(content, file))


def load_checkpoint(
    path: Path, method: Distiller, optimizer: torch.optim.Optimizer, device: torch.device
) -> TrainingState:
    """Restore what `save_checkpoint` wrote, random state included.

    Raises
    ------
    CheckpointError
        If the file is damaged or belongs to another method or network.
    """
    content = read_checkpoint(path)
    try:
        load_state(method, content["method"], str(path))
        optimizer.load_state_dict(content["optimizer"])
        if not all(isinstance(content[part], dict) for part in ("state", "random")):
            raise TypeError("its state or random state is not a dictionary")
        state = TrainingState(**{name: content["state"][name] for name in vars(TrainingState())})
        state.sums = {name: value.to(device) for name, value in state.sums.items()}
        if not all(isinstance(value, int) and value >= 0 for value in (state.step, state.best_step)):
            raise TypeError("its steps are not whole numbers")
        if not isinstance(state.best_accuracy, float):
            raise TypeError("its best accuracy is not a number")
        _restore_random_state(content["random"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not the state of this run ({type(error).__name__}: {error}); expected a file that "
            "this lab saved for the same experiment."
        ) from error
    return state


def _random_state() -> dict[str, Any]:
    algorithm, keys, *rest = np.random.get_state()  # noqa: NPY002 - the legacy generator is what libraries draw from
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": (algorithm, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
    }


def _restore_random_state(saved: dict[str, Any]) -> None:
    torch.set_rng_state(saved["torch"])
    if saved["cuda"] and len(saved["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(saved["cuda"])
    random.setstate(saved["python"])
    algorithm, keys, *rest = saved["numpy"]
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
