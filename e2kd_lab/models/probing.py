"""Looking at a network by showing it an empty image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from e2kd_lab.models.interface import ExplainableModel


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a square, given by its side, or of any rectangle."""
    return (size, size) if isinstance(size, int) else size


@torch.no_grad()
def probe(
    model: ExplainableModel, image_size: int | tuple[int, int], forward: Callable[[Tensor], Any] | None = None
) -> Any:
    """What a network makes of an empty image, without leaving traces in its statistics or its mode.

    Parameters
    ----------
    model : ExplainableModel
        On any device.
    image_size : int or tuple of int
        Side, or height and width, of the image in pixels.
    forward : callable, optional
        Takes the preprocessed image (1, C, H, W), for instance ``model.forward_stages``; the model itself by default.
    """
    training = model.training
    image = next(model.parameters()).new_zeros(1, 3, *pair(image_size))
    result = (forward or model)(model.eval().preprocess(image))
    model.train(training)
    return result
