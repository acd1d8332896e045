"""Largest memory in use during a block: of a CUDA device, or of this process."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux


class PeakMemory:
    """Memory before a block, and the largest within it.

    Parameters
    ----------
    device : torch.device
        A CUDA device, whose reserved memory is measured; for another one, the memory of this process.

    Attributes
    ----------
    before, peak : int or None
        Bytes; None where the system does not tell. What was freed before the block counts as free.

    Examples
    --------
    >>> with PeakMemory(torch.device("cpu")) as memory:
    ...     image = torch.ones(2**20)
    >>> memory.peak is None or memory.peak >= memory.before
    True
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.before: int | None = None
        self.peak: int | None = None

    def __enter__(self) -> Self:
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)
            self.before = torch.cuda.memory_reserved(self._device)
            return self
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):  # 5 resets the peak, see proc(5)
            _RESET.write_text("5")
            self.before = _bytes("VmRSS")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._device.type == "cuda":
            self.peak = torch.cuda.max_memory_reserved(self._device)
        elif self.before is not None:
            self.peak = _bytes("VmHWM")


def _bytes(field: str) -> int | None:
    """A size that the system reports of this process."""
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
