"""Explanations of the same images by several networks, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.explanations.explanation_method import ExplanationMethod
from e2kd_lab.explanations.registry import explanation_method, explanation_of
from e2kd_lab.models.interface import ExplainableModel


@dataclass(frozen=True)
class Comparison:
    """Explanations of N images by several networks, which all explain the same class of an image.

    Attributes
    ----------
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    maps : dict
        Explanation maps (N, C, H, W) by network name, the teacher's first.
    correct : dict
        Whether each image is classified correctly, (N,), by network name.
    explained : str
        The explained class, in words.
    titles : tuple of str
        Title of each image, or none.
    boxes : tuple of Tensor
        Boxes on each image, (n, 4): left, top, right, bottom in pixels; or none.
    masks : Tensor or None
        Object masks to outline, (N, H, W), bool.
    explanation : str or ExplanationMethod
        The explanation that made the maps; it also draws them and computes evidence.
    family : str
        Family of the networks, for titles.
    labels : Tensor or None
        Ground-truth class of each image, or the explained one where an image may show several, (N,).
    predictions : dict
        Predicted class of each image, (N,), by network name; empty where an image may show several classes.
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
    labels: Tensor | None = None
    predictions: Mapping[str, Tensor] = field(default_factory=dict)

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
        Networks in evaluation mode by name, the teacher first; all explain the teacher's prediction.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    labels : Tensor
        Ground-truth classes, (N,).
    titles : tuple of str
        A title for each image, or none.
    masks : Tensor, optional
        Object masks to outline, (N, H, W), bool.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> models = {name: lab.build_model("resnet_mini", num_classes=2).eval() for name in ("teacher", "student")}
    >>> comparison = compare(models, torch.rand(3, 3, 32, 32), labels=torch.tensor([0, 1, 0]))
    >>> comparison.maps["student"].shape
    torch.Size([3, 1, 32, 32])
    """
    classes: Tensor | None = None
    maps, predictions, labels = {}, {}, torch.as_tensor(labels)
    for name, model in models.items():
        explanation = explain_in_parts(model, images, classes)
        classes = explanation.classes
        maps[name], predictions[name] = explanation.maps, explanation.logits.argmax(1)
    return Comparison(
        images,
        maps,
        {name: predicted == labels for name, predicted in predictions.items()},
        titles=titles,
        masks=masks,
        labels=labels,
        predictions=predictions,
        **_explanation_and_family(models),
    )


def compare_class(
    models: Mapping[str, ExplainableModel],
    images: Tensor,
    classes: Tensor,
    titles: tuple[str, ...] = (),
    boxes: tuple[Tensor, ...] = (),
) -> Comparison:
    """Explain a given class of each image by several networks, for multi-label data (Fig. 2, A3, A4).

    Parameters
    ----------
    models : mapping
        Networks in evaluation mode by name, the teacher first.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    classes : Tensor
        The explained class of each image, (N,); a network is correct if its logit is >= 0.
    titles : tuple of str
        A title for each image, or none.
    boxes : tuple of Tensor
        Boxes of the class in each image, (n, 4) in pixels, or none.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> models = {name: lab.build_model("resnet_mini", num_classes=2).eval() for name in ("teacher", "student")}
    >>> comparison = compare_class(models, torch.rand(3, 3, 32, 32), classes=torch.tensor([0, 1, 0]))
    >>> comparison.maps["student"].shape
    torch.Size([3, 1, 32, 32])
    """
    maps, correct = {}, {}
    for name, model in models.items():
        explanation = explain_in_parts(model, images, classes)
        maps[name] = explanation.maps
        correct[name] = explanation.logits.gather(1, classes[:, None])[:, 0] >= 0
    named = _explanation_and_family(models)
    return Comparison(images, maps, correct, "the class named", titles, boxes, labels=classes, **named)


def _explanation_and_family(models: Mapping[str, ExplainableModel]) -> dict[str, Any]:
    """The networks' explanation and family, which are the teacher's."""
    teacher = next(iter(models.values()))
    return {"explanation": explanation_of(teacher), "family": teacher.family}
