"""The same images explained by several networks, for side-by-side pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.explanations.explanation_method import ExplanationMethod
from e2kd_lab.explanations.registry import explanation_method, explanation_of
from e2kd_lab.models.interface import ExplainableModel


@dataclass(frozen=True)
class Comparison:
    """Explanations of N images by several networks, all for the same class of an image.

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    maps : dict
        Explanation maps (N, C, H, W) by the network's name, the teacher's first.
    correct : dict
        Whether the network is right about the image, (N,), by the network's name.
    explained : str
        Which class is explained, in words.
    titles : tuple of str
        What to write at each image.
    boxes : tuple of Tensor
        Boxes to draw on each image, (n, 4): left, top, right, bottom in pixels; or none.
    masks : Tensor or None
        Objects to outline on each image, (N, H, W), bool.
    explanation : str or ExplanationMethod
        How the networks were explained, which says how maps look and what evidence they give.
    family : str
        Family of the networks, which figures name.
    """

    images: Tensor
    maps: Mapping[str, Tensor]
    correct: Mapping[str, Tensor]
    explained: str = "the teacher's prediction"
    titles: tuple[str, ...] = ()
    boxes: tuple[Tensor, ...] = ()
    masks: Tensor | None = None
    explanation: ExplanationMethod | str = "gradcam"
    family: str = "standard"

    def __len__(self) -> int:
        return len(self.images)

    @property
    def method(self) -> ExplanationMethod:
        """The explanation that made the maps."""
        return explanation_method(self.explanation)


def compare(
    models: Mapping[str, ExplainableModel],
    images: Tensor,
    labels: Tensor,
    titles: tuple[str, ...] = (),
    masks: Tensor | None = None,
) -> Comparison:
    """Explain a batch by several networks, all for the class that the first of them predicts (Eq. 3).

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
    masks : Tensor, optional
        Objects to outline, (N, H, W), bool.
    """
    classes: Tensor | None = None
    maps, correct = {}, {}
    for name, model in models.items():
        explanation = explain_in_parts(model, images, classes)
        classes = explanation.classes
        maps[name], correct[name] = explanation.maps, explanation.logits.argmax(1) == torch.as_tensor(labels)
    return Comparison(images, maps, correct, titles=titles, masks=masks, **_about(models))


def compare_class(
    models: Mapping[str, ExplainableModel],
    images: Tensor,
    classes: Tensor,
    titles: tuple[str, ...] = (),
    boxes: tuple[Tensor, ...] = (),
) -> Comparison:
    """Explain a class that each image is known to show, where it may show several (Fig. 2, A3, A4).

    Parameters
    ----------
    models : mapping
        Networks in evaluation mode by name, the teacher first.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    classes : Tensor
        The class to explain in each image, (N,); a network is right about it if its logit is not negative.
    titles : tuple of str
        A title for each image, or none.
    boxes : tuple of Tensor
        Boxes of the class in each image, (n, 4) in pixels, or none.
    """
    maps, correct = {}, {}
    for name, model in models.items():
        explanation = explain_in_parts(model, images, classes)
        maps[name] = explanation.maps
        correct[name] = explanation.logits.gather(1, classes[:, None])[:, 0] >= 0
    return Comparison(images, maps, correct, "the class named", titles, boxes, **_about(models))


def _about(models: Mapping[str, ExplainableModel]) -> dict[str, Any]:
    """How these networks are explained, and their family."""
    first = next(iter(models.values()))
    return {"explanation": explanation_of(first), "family": first.family}
