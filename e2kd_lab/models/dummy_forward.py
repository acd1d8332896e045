"""A forward pass of one black image, for the shapes of a network's outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.network_inputs import Size, height_and_width
from e2kd_lab.models.preserved_state import preserved_state


@torch.no_grad()
def dummy_forward(model: ExplainableModel, image_size: Size, forward: Callable[..., Any] | None = None) -> Any:
    """Outputs for one black image, in evaluation mode; the network's mode and statistics are restored.

    Parameters
    ----------
    model : ExplainableModel
        On any device.
    image_size : int or tuple of int
        Side, or height and width, in pixels. A network of fixed size gets an image of its own size instead.
    forward : callable, optional
        Takes the preprocessed image (1, C, H, W), for instance ``model.forward_stages``; the model itself by default.

    Returns
    -------
    object
        What ``forward`` returns.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=2)
    >>> [tuple(stage.shape) for stage in dummy_forward(model, 64, model.forward_stages)]
    [(1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8)]
    """
    weight = next(model.parameters())
    size = height_and_width(image_size)
    with preserved_state(model):
        try:
            return (forward or model)(model.preprocess(weight.new_zeros(1, 3, *size)))
        except (RuntimeError, ValueError, AssertionError):
            own = getattr(model, "image_size", None)
            if own is None or own == size:
                raise
            return (forward or model)(model.preprocess(weight.new_zeros(1, 3, *own)))
