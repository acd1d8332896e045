"""HiResCAM (Draelos and Carin, 2020)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from e2kd_lab.explanations.explanation_method import Drawing
from e2kd_lab.explanations.feature_map import FeatureMapExplanation
from e2kd_lab.explanations.registry import register_explanation


@register_explanation("hirescam", title="HiResCAM")
class HiResCAM(FeatureMapExplanation):
    r"""HiResCAM: features times gradients, place by place; signed.

    .. math:: E = \sum_c G_c \odot F_c, \qquad G = \partial z_k / \partial F

    The map keeps its sign where it is trained or measured; pictures show its positive part, as in the paper. For a head
    of global average pooling and a linear layer its sum over places is the logit without the bias.

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=2).eval()
    >>> lab.explain(model, torch.rand(1, 3, 32, 32), method="hirescam").maps.shape
    torch.Size([1, 1, 32, 32])
    """

    is_signed: ClassVar[bool] = True

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """See `FeatureMapExplanation.weigh`: signed maps."""
        return (gradients * features).sum(dim=1, keepdim=True)

    def draw(self, images: Tensor, maps: Mapping[str, Tensor], *, contributions: bool = False) -> Drawing:
        """See `ExplanationMethod.draw`: a heatmap of the positive part."""
        drawing = self.heatmap(images, {name: one.relu() for name, one in maps.items()})
        return dataclasses.replace(drawing, label=f"Positive part of {drawing.label}")
