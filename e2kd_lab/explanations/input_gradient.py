"""Input times gradient (Shrikumar et al., 2016)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from e2kd_lab.explanations.explanation_method import Explanation, ExplanationMethod
from e2kd_lab.explanations.feature_map import twice_differentiable
from e2kd_lab.explanations.inner_gradient import explained_logits, inner_gradient
from e2kd_lab.explanations.registry import register_explanation
from e2kd_lab.models.interface import ExplainableModel


@register_explanation("input_x_gradient", title="Input × gradient")
class InputXGradient(ExplanationMethod):
    r"""The image times the gradient of the explained logit, summed over colours; signed.

    .. math:: E = \sum_{c} x_c \odot \partial z_k / \partial x_c

    x is the RGB image in [0, 1], so that black pixels get no evidence.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("resnet_mini", num_classes=2).eval()
    >>> lab.explain(model, torch.rand(1, 3, 32, 32), method="input_x_gradient").maps.shape
    torch.Size([1, 1, 32, 32])
    """

    is_signed: ClassVar[bool] = True
    passes_whole_network: ClassVar[bool] = True

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        logits, classes, gradient = image_gradient(model, images, classes, create_graph=create_graph)
        return Explanation(logits, classes, (images * gradient).sum(dim=1, keepdim=True))


def image_gradient(
    model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (N, K), explained classes (N,), and the gradient of their logits in the RGB images, (N, 3, H, W).

    Parameters as in `e2kd_lab.explain`.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        with twice_differentiable(create_graph):
            logits = model(model.preprocess(images))
        explained, classes = explained_logits(logits, classes)
        gradient = inner_gradient(explained, images, create_graph=create_graph)
    return (logits if create_graph else logits.detach()), classes, gradient
