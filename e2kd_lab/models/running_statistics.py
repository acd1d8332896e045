"""Batch normalisation's memory of the batches that it has seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Forward passes inside leave a model's running statistics as they are, whatever its mode.

    For a second pass of the same step: the statistics that evaluation uses are those of whole batches, each seen once.

    Parameters
    ----------
    model : nn.Module
        All its buffers are kept, so that it makes no difference how its layers call them.
    """
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
