"""Timing contestants in turns, so that other load on the machine affects all of them equally."""

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
    """A benchmark cannot run, or its contestants give different results."""


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
    """Time contestants in rounds: each runs once per round, and each round starts with another one.

    Parameters
    ----------
    contestants : mapping
        Functions by name; each also runs once before the first round, untimed.
    repeats : int
        Number of rounds.
    device : torch.device
        Their device, which is synchronised before each clock starts and stops.

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
    """Spread of the ratios above / below, one per round."""
    return Spread.of([one / other for one, other in zip(seconds[above], seconds[below], strict=True)])


def peak_memory(contestants: Mapping[str, Callable[[], object]], device: torch.device) -> dict[str, int]:
    """Peak bytes that each contestant allocates on a CUDA device; empty on other devices.

    On a CPU the system reports only the process's peak size, which never shrinks and so cannot be attributed to one
    contestant.
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
    """Raise unless two computations gave the same results.

    Parameters
    ----------
    what : str
        Name of the computation, for the error message.
    ours, reference : mapping of str to Tensor
        Results by name.
    tolerance : float
        Largest allowed difference, relative to a result's largest absolute value.

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
