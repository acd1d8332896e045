"""Where the evidence for a class lies: one map a class, in the form that EPG, IoU and guidance look at."""

from __future__ import annotations

from torch import Tensor

from e2kd_lab.explanations.registry import explanation_of
from e2kd_lab.models.interface import ExplainableModel


def evidence_maps(model: ExplainableModel, images: Tensor, maps: Tensor) -> Tensor:
    """Evidence of each pixel: contributions to the logit for B-cos networks, for others the explanation itself.

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
    """
    return explanation_of(model).evidence(maps, images)[:, 0]
