"""One call for the explanations of all networks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from e2kd_lab.errors import ExperimentError
from e2kd_lab.explain.bcos import bcos_weights
from e2kd_lab.explain.gradcam import gradcam, gradcam_closed_form
from e2kd_lab.explain.resizing import resized
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.interface import ExplainableModel

METHODS = ("gradcam", "gradcam_general", "bcos")


class Explanation(NamedTuple):
    """What one forward pass says about a batch.

    Attributes
    ----------
    logits : Tensor
        (N, K).
    classes : Tensor
        The explained class of each image, integers (N,).
    maps : Tensor
        Explanation maps at image size, in at least float32: GradCAM (N, 1, H, W) with values >= 0, or the signed
        dynamic weights W(x) of a B-cos network (N, 6, H, W).
    """

    logits: Tensor
    classes: Tensor
    maps: Tensor


def explain(
    model: ExplainableModel,
    images: Tensor,
    classes: Tensor | None = None,
    *,
    method: str | None = None,
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
    method : str, optional
        ``"gradcam"`` (closed form where the head allows it), ``"gradcam_general"`` (always by gradient) or ``"bcos"``
        (for B-cos networks); the model's own method if None.
    create_graph : bool
        Keep the graph of logits and maps, for a loss on them. Without it both are constants.

    Returns
    -------
    Explanation
        Logits, classes and maps.

    Raises
    ------
    ExperimentError
        If the method is not known, or is ``"bcos"`` and the model is no B-cos network.
    """
    method = method or model.explanation
    if method not in METHODS:
        raise ExperimentError(f"There is no explanation method '{method}'; expected one of {', '.join(METHODS)}.")
    if method == "bcos":
        if model.explanation != "bcos":
            raise ExperimentError(
                f"{type(model).__name__} is no B-cos network, so that it has no dynamic weights to explain it by; "
                "expected method gradcam."
            )
        logits, classes, weights = bcos_weights(model, model.preprocess(images), classes, create_graph=create_graph)
        return Explanation(logits, classes, at_least_float32(weights))
    head = model.pooled_linear_head() if method == "gradcam" else None
    with torch.set_grad_enabled(create_graph or head is None):
        features = model.forward_features(model.preprocess(images))
        if not features.requires_grad and head is None:
            features.requires_grad_()  # a frozen network: the gradient starts at the feature map
        logits = model.forward_head(features)
        if classes is None:
            classes = logits.detach().argmax(dim=1)
        with torch.autocast(images.device.type, enabled=False):
            if head is None:
                maps = gradcam(features, logits, classes, create_graph=create_graph)
            else:
                maps = gradcam_closed_form(at_least_float32(features), head, classes)
            maps = resized(at_least_float32(maps), (images.shape[-2], images.shape[-1]))
    if not create_graph:
        logits, maps = logits.detach(), maps.detach()
    return Explanation(logits, classes, maps)
