"""Explaining a batch, whole or in parts."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.explanations.explanation_method import Explanation, ExplanationMethod
from e2kd_lab.explanations.registry import explanation_of
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError

# Bicubic resizing and half precision may leave the unit range by this much.
_TOLERANCE = 0.02


def explain(
    model: ExplainableModel,
    images: Tensor,
    classes: Tensor | None = None,
    *,
    method: ExplanationMethod | str | None = None,
    create_graph: bool = False,
) -> Explanation:
    """Logits and explanation of a batch from one forward pass.

    Parameters
    ----------
    model : ExplainableModel
        In training or evaluation mode; its mode is not changed.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on the model's device.
    classes : Tensor, optional
        Explained class of each image, integers (N,); the model's own prediction if None.
    method : str or ExplanationMethod, optional
        A registered explanation, for instance ``"gradcam"`` (closed form where the head allows it),
        ``"gradcam_general"`` (always by gradient) or ``"bcos"`` (for B-cos networks); the model's own if None.
    create_graph : bool
        Keep the graph of logits and maps, for a loss on them. Without it both are constants.

    Returns
    -------
    Explanation
        Logits, classes and maps.

    Raises
    ------
    ExperimentError
        If there is no such explanation, it cannot explain the network, or the images are not RGB in [0, 1].

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=2).eval()
    >>> lab.explain(model, torch.rand(4, 3, 64, 64)).maps.shape
    torch.Size([4, 1, 64, 64])
    """
    chosen = explanation_of(_explainable(model), method)
    require_unit_range(images)
    return chosen(model, images, classes, create_graph=create_graph)


def explain_in_parts(model: ExplainableModel, images: Tensor, classes: Tensor | None = None) -> Explanation:
    """Explain any number of images in bounded memory, part by part, without a graph.

    Parameters
    ----------
    model : ExplainableModel
        In evaluation mode, where images are independent.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W), on the model's device.
    classes : Tensor, optional
        Explained class of each image, integers (N,); the model's own prediction if None.

    Returns
    -------
    Explanation
        Logits, classes and maps of all images.

    Raises
    ------
    ExperimentError
        If the model's explanation cannot explain it.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("bcos_resnet_mini", num_classes=3).eval()
    >>> explain_in_parts(model, torch.rand(5, 3, 32, 32)).maps.shape
    torch.Size([5, 6, 32, 32])
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


def require_unit_range(images: Tensor) -> None:
    """Refuse images that are not RGB in [0, 1], such as bytes or normalised ones.

    Raises
    ------
    ExperimentError
        One sentence that names the shape, type or range found.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise ExperimentError(
            f"Images have the shape {tuple(images.shape)}; expected RGB images (N, 3, H, W), before the network's own "
            "preprocessing."
        )
    if not images.is_floating_point():
        raise ExperimentError(f"Images are {images.dtype}; expected floating point in [0, 1], such as images / 255.")
    if images.is_meta or not images.numel():
        return
    low, high = (value.item() for value in images.detach().aminmax())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
        raise ExperimentError(
            f"Images have values from {low:.3g} to {high:.3g}; expected RGB in [0, 1], neither bytes nor normalised: "
            "the network preprocesses them itself."
        )


def _explainable(model: ExplainableModel) -> ExplainableModel:
    if not isinstance(model, ExplainableModel):
        raise ExperimentError(
            f"{type(model).__name__} is no network of the lab; expected lab.build_model(name), or lab.adapt(model), "
            "which makes any classifier explainable."
        )
    return model
