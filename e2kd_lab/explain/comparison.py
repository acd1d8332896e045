"""The same images explained by several networks, for side-by-side pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from e2kd_lab.explain.explanation import explain
from e2kd_lab.models import BcosModel, ExplainableModel
from e2kd_lab.models.preprocess import AddInverse


@dataclass(frozen=True)
class Comparison:
    """Explanations of N images by several networks, all for the class that the teacher predicts (Eq. 3).

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    labels : Tensor
        Ground-truth classes, (N,).
    maps : dict
        Explanation maps (N, C, H, W) by the network's name, the teacher's first: GradCAM or W(x).
    predictions : dict
        Predicted classes (N,) by the network's name.
    titles : tuple of str
        What to write at each image.
    """

    images: Tensor
    labels: Tensor
    maps: Mapping[str, Tensor]
    predictions: Mapping[str, Tensor]
    titles: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_bcos(self) -> bool:
        """Whether the maps are the weights W(x) of B-cos networks."""
        return next(iter(self.maps.values())).shape[1] == BcosModel.input_channels

    @property
    def inputs(self) -> Tensor:
        """What B-cos networks see of the images, (N, 6, H, W)."""
        return AddInverse()(self.images)


def compare(
    models: Mapping[str, ExplainableModel], images: Tensor, labels: Tensor, titles: tuple[str, ...] = ()
) -> Comparison:
    """Explain a batch by several networks.

    Parameters
    ----------
    models : mapping
        Networks in evaluation mode by name; the first one is the teacher, whose prediction all of them explain.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    labels : Tensor
        Ground-truth classes, (N,).
    titles : tuple of str
        A title for each image, or none.
    """
    classes: Tensor | None = None
    maps, predictions = {}, {}
    for name, model in models.items():
        explanation = explain(model, images, classes)
        classes = explanation.classes
        maps[name], predictions[name] = explanation.maps, explanation.logits.argmax(1)
    return Comparison(images, torch.as_tensor(labels), maps, predictions, titles)
