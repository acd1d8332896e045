"""Forward passes that leave a network's modes, buffers and random numbers as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def preserved_state(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards each layer's mode, all buffers and torch's random numbers are restored.

    Parameters
    ----------
    module : nn.Module
        On any device.
    """
    modes = [(layer, layer.training) for layer in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers() if not buffer.is_meta]
    training = module.training
    devices = {tensor.device for tensor in module.parameters() if tensor.is_cuda}
    with torch.random.fork_rng(devices=list(devices)):
        try:
            module.eval()
            yield
        finally:
            module.train(training)
            for layer, mode in modes:
                if layer.training != mode:
                    layer.training = mode
            with torch.no_grad():
                # Compared first: batch normalisation updates its buffers without a new version, but `copy_` makes one,
                # and a graph that saved the buffer could then not be differentiated.
                for buffer, value in buffers:
                    if not torch.equal(buffer, value):
                        buffer.copy_(value)


@contextmanager
def preserved_buffers(module: nn.Module) -> Iterator[None]:
    """Restore all buffers afterwards, the running statistics of batch normalisation among them, whatever the mode.

    For a second forward pass within one training step: each batch counts once in the running statistics.

    Parameters
    ----------
    module : nn.Module
        On any device, in any mode.
    """
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.data.copy_(value)  # no new version of the buffer: graphs that saved it can be differentiated
