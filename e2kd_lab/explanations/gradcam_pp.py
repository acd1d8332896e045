"""Grad-CAM++ (Chattopadhay et al., WACV 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.explanations.feature_map import FeatureMapExplanation
from e2kd_lab.explanations.registry import register_explanation


@register_explanation("gradcam_pp", title="Grad-CAM++")
class GradCAMPlusPlus(FeatureMapExplanation):
    r"""Grad-CAM++: places with a positive gradient count more in the weight of a channel.

    .. math:: E = \mathrm{ReLU}\Big(\sum_c w_c F_c\Big), \qquad
              w_c = \sum_{i,j} \alpha_{c,i,j} \, \mathrm{ReLU}(G_{c,i,j}), \qquad
              \alpha = \frac{G^2}{2 G^2 + G^3 \sum_{i,j} F} = \frac{1}{2 + G \sum_{i,j} F}

    (eq. 19 of the paper, for the exponential of the logit). The form on the right needs no powers of small gradients.
    :math:`\alpha` is 0 where its denominator is.

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=2).eval()
    >>> lab.explain(model, torch.rand(1, 3, 32, 32), method="gradcam_pp").maps.shape
    torch.Size([1, 1, 32, 32])
    """

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """See `FeatureMapExplanation.weigh`: maps >= 0."""
        denominator = 2 + gradients * features.sum(dim=(2, 3), keepdim=True)  # (N, C, H', W')
        is_zero = denominator == 0
        alpha = torch.where(is_zero, 0, 1 / denominator.masked_fill(is_zero, 1))
        weights = (alpha * gradients.relu()).sum(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        return (weights * features).sum(dim=1, keepdim=True).relu()
