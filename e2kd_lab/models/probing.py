"""Looking at a network by showing it an image, without leaving traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from e2kd_lab.models.interface import ExplainableModel


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a square, given by its side, or of any rectangle."""
    return (size, size) if isinstance(size, int) else size


@torch.no_grad()
def probe(model: ExplainableModel, image_size: int | tuple[int, int], forward: Callable[..., Any] | None = None) -> Any:
    """What a network makes of an empty image, without leaving traces in its statistics or its mode.

    Parameters
    ----------
    model : ExplainableModel
        On any device.
    image_size : int or tuple of int
        Side, or height and width, in pixels; a network that takes only images of its own size sees one of that.
    forward : callable, optional
        Takes the preprocessed image (1, C, H, W), for instance ``model.forward_stages``; the model itself by default.
    """
    weight = next(model.parameters())
    with undisturbed(model):
        try:
            return (forward or model)(model.preprocess(weight.new_zeros(1, 3, *pair(image_size))))
        except (RuntimeError, ValueError, AssertionError):
            own = getattr(model, "image_size", None)
            if own is None or own == pair(image_size):
                raise
            return (forward or model)(model.preprocess(weight.new_zeros(1, 3, *own)))


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards each layer's mode, all buffers and torch's random numbers are as before.

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
                for buffer, value in buffers:  # batch normalisation does not count its writing as a new version
                    if not torch.equal(buffer, value):  # writing for nothing would spoil a graph that needs it
                        buffer.copy_(value)
