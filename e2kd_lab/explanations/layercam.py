"""LayerCAM (Jiang et al., IEEE TIP 2021)."""

from __future__ import annotations

from torch import Tensor

from e2kd_lab.explanations.feature_map import FeatureMapExplanation
from e2kd_lab.explanations.registry import register_explanation


@register_explanation("layercam", title="LayerCAM")
class LayerCAM(FeatureMapExplanation):
    r"""LayerCAM: each place of the feature map has a weight of its own, its positive gradient.

    .. math:: E = \mathrm{ReLU}\Big(\sum_c \mathrm{ReLU}(G_c) \odot F_c\Big), \qquad G = \partial z_k / \partial F

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=2).eval()
    >>> lab.explain(model, torch.rand(1, 3, 32, 32), method="layercam").maps.shape
    torch.Size([1, 1, 32, 32])
    """

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """See `FeatureMapExplanation.weigh`: maps >= 0."""
        return (gradients.relu() * features).sum(dim=1, keepdim=True).relu()
