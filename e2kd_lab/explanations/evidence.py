"""Evidence maps: what EPG, IoU, guidance and shift curves measure."""

from __future__ import annotations

from torch import Tensor

from e2kd_lab.explanations.registry import explanation_of
from e2kd_lab.models.interface import ExplainableModel


def evidence_maps(model: ExplainableModel, images: Tensor, maps: Tensor) -> Tensor:
    """Evidence of each pixel: contributions to the logit for B-cos networks, the map itself for others.

    Parameters
    ----------
    model : ExplainableModel
        The network that was explained.
    images : Tensor
        RGB images in [0, 1], (N, 3, H, W).
    maps : Tensor
        The network's explanations of these images (see `e2kd_lab.explain`), (N, C, H, W).

    Returns
    -------
    Tensor
        (N, H, W); differentiable where ``maps`` are.

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> model, images = lab.build_model("bcos_resnet_mini", num_classes=3).eval(), torch.rand(2, 3, 32, 32)
    >>> evidence_maps(model, images, lab.explain(model, images).maps).shape
    torch.Size([2, 32, 32])
    """
    return explanation_of(model).evidence(maps, images)[:, 0]
