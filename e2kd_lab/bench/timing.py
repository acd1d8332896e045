"""Measuring contestants in turns, so that whatever else the machine does falls on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.system.errors import LabError


class BenchError(LabError):
    """A benchmark cannot be run, or its contestants do not compute the same."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated measurements.

    Attributes
    ----------
    lower, median, upper : float
        The 25th, 50th and 75th percentile.
    repeats : int
        Number of measurements.
    """

    lower: float
    median: float
    upper: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of a list of measurements."""
        lower, median, upper = (float(value) for value in np.percentile(values, (25, 50, 75)))
        return cls(lower, median, upper, len(values))


def take_turns(
    contestants: Mapping[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, list[float]]:
    """Time contestants in rounds: each runs once a round, and each round starts with another one.

    Parameters
    ----------
    contestants : mapping
        What to time, by name; each is run once more before the first round, untimed.
    repeats : int
        Rounds.
    device : torch.device
        Where they compute; its queue is empty when a clock starts and when it stops.

    Returns
    -------
    dict
        Seconds of each round, by name.
    """
    names = list(contestants)
    for name in names:
        contestants[name]()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeats):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            _wait_for(device)
            before = time.perf_counter()
            contestants[name]()
            _wait_for(device)
            seconds[name].append(time.perf_counter() - before)
    return seconds


def ratio_of(seconds: Mapping[str, Sequence[float]], above: str, below: str) -> Spread:
    """How often ``below`` fits into ``above``: the spread of the quotients, one a round."""
    return Spread.of([one / other for one, other in zip(seconds[above], seconds[below], strict=True)])


def peak_memory(contestants: Mapping[str, Callable[[], object]], device: torch.device) -> dict[str, int]:
    """Bytes that each contestant needs on a CUDA device beyond what lies there when it starts; empty elsewhere.

    On a CPU the process's largest size is all that the system tells. It never shrinks, so that it says nothing about
    the contestants one by one.
    """
    if device.type != "cuda":
        return {}
    peaks = {}
    for name, contestant in contestants.items():
        _wait_for(device)
        resident = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        contestant()
        _wait_for(device)
        peaks[name] = torch.cuda.max_memory_allocated(device) - resident
    return peaks


def require_equal(what: str, ours: Mapping[str, Any], reference: Mapping[str, Any], tolerance: float) -> None:
    """Raise unless two computations gave the same.

    Parameters
    ----------
    what : str
        What was computed, for the message.
    ours, reference : mapping of str to Tensor
        Results by name.
    tolerance : float
        Largest difference of a result, in units of its largest absolute value.

    Raises
    ------
    BenchError
        If a result is missing, has another shape, or differs by more.
    """
    if set(ours) != set(reference):
        raise BenchError(f"{what}: ours gave {sorted(ours)}, the reference {sorted(reference)}; expected the same.")
    for name, value in ours.items():
        mine, other = (torch.as_tensor(tensor).detach().double().cpu() for tensor in (value, reference[name]))
        if mine.shape != other.shape:
            raise BenchError(
                f"{what}: {name} has shape {tuple(mine.shape)}, but {tuple(other.shape)} in the reference; "
                "expected the same."
            )
        difference = _relative_difference(mine, other)
        if not difference <= tolerance:
            raise BenchError(
                f"{what}: {name} differs from the reference by {difference:.2g} of its largest value; "
                f"expected at most {tolerance:g}. Times of different results cannot be compared."
            )


def _relative_difference(mine: Tensor, other: Tensor) -> float:
    if mine.numel() == 0:
        return 0.0
    largest = other.abs().max().clamp_min(torch.finfo(other.dtype).tiny)
    return ((mine - other).abs().max() / largest).item()


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
