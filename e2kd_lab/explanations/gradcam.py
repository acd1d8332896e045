"""GradCAM (Selvaraju et al., ICCV 2017) of the last feature map, differentiable with respect to the parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from e2kd_lab.explanations.explanation_method import Explanation
from e2kd_lab.explanations.feature_map import FeatureMapExplanation
from e2kd_lab.explanations.registry import register_explanation
from e2kd_lab.explanations.resizing import resized
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.interface import ExplainableModel


@register_explanation("gradcam_general")
class GradCAMByGradient(FeatureMapExplanation):
    r"""GradCAM of any network, by backpropagation of the explained logits to the feature map.

    .. math:: E = \mathrm{ReLU}\Big(\sum_c \alpha_c F_c\Big), \qquad
              \alpha_c = \frac{1}{H'W'} \sum_{i,j} \frac{\partial z_k}{\partial F_{c,i,j}}
    """

    title = "GradCAM"

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """Maps (N, 1, H', W'), >= 0, not normalised."""
        alpha = gradients.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        return torch.relu((alpha * features).sum(dim=1, keepdim=True))


@register_explanation("gradcam")
class GradCAM(GradCAMByGradient):
    """GradCAM; in closed form if the network ends in global average pooling and a linear layer."""

    title = "GradCAM"

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        head = model.pooled_linear_head()
        if head is None:
            return super().__call__(model, images, classes, create_graph=create_graph)
        size = (images.shape[-2], images.shape[-1])
        with torch.set_grad_enabled(create_graph):
            features, logits = model.forward_with_features(model.preprocess(images))
            if classes is None:
                classes = logits.detach().argmax(dim=1)
            with torch.autocast(images.device.type, enabled=False):
                maps = gradcam_closed_form(at_least_float32(model.as_map(features, size)), head, classes)
                maps = resized(maps, size)
        return Explanation(logits, classes, maps)


def gradcam_closed_form(features: Tensor, head: nn.Linear, classes: Tensor) -> Tensor:
    r"""GradCAM of a network that ends in global average pooling and a linear layer; no backward pass.

    There :math:`\partial z_k / \partial F_{c,i,j} = w_{kc} / (H'W')` everywhere, so :math:`\alpha_c` is known.

    Parameters
    ----------
    features : Tensor
        The last feature map after its activation, (N, C, H', W').
    head : nn.Linear
        The linear layer, weight (K, C).
    classes : Tensor
        Explained class of each image, integers (N,).

    Returns
    -------
    Tensor
        Maps (N, 1, H', W'), >= 0, not normalised; equal to those of `GradCAMByGradient`.

    Examples
    --------
    >>> head = nn.Linear(1, 2, bias=False)
    >>> head.weight = nn.Parameter(torch.tensor([[1.0], [-1.0]]))
    >>> gradcam_closed_form(torch.ones(2, 1, 1, 2), head, torch.tensor([0, 1])).tolist()
    [[[[0.5, 0.5]]], [[[0.0, 0.0]]]]
    """
    weight = head.weight[classes].to(features.dtype) / features[0, 0].numel()  # (N, C)
    return torch.relu(torch.einsum("nc,nchw->nhw", weight, features)[:, None])
