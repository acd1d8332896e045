"""Explanations of any number of images in bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.explanations.method import Explanation, explanation_of
from e2kd_lab.models.interface import ExplainableModel


def explain_in_parts(model: ExplainableModel, images: Tensor, classes: Tensor | None = None) -> Explanation:
    """`explain` without a graph, of as many images as one likes: a part at a time where all would fill the memory.

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode, where images do not see each other.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on the model's device.
    classes : Tensor, optional
        Explained class of each image, integers (N,); the model's own prediction if None.

    Returns
    -------
    Explanation
        Logits, classes and maps of all images.
    """
    method = explanation_of(model)
    count = max(1, method.pixels_at_once // images.shape[2:].numel())
    if len(images) <= count:
        return method(model, images, classes)
    parts = [
        method(model, images[first : first + count], None if classes is None else classes[first : first + count])
        for first in range(0, len(images), count)
    ]
    return Explanation(*(torch.cat(values) for values in zip(*parts, strict=True)))
