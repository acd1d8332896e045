"""The explanation of B-cos networks: the dynamic linear weights W(x) that the network applies to its input x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from matplotlib import colormaps
from torch import Tensor

from e2kd_lab.explanations.explanation_method import Drawing, Explanation, ExplanationMethod
from e2kd_lab.explanations.inner_gradient import explained_logits, inner_gradient
from e2kd_lab.explanations.registry import register_explanation
from e2kd_lab.explanations.rendering import bcos_rgba, bcos_strength, largest, over_white, smoothing, unit_norm
from e2kd_lab.models.dynamic_scales import constant_scales, switchable_scales
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.preprocess import AddInverse
from e2kd_lab.system.errors import ExperimentError


@register_explanation("bcos", title="W(x)")
class BcosWeights(ExplanationMethod):
    """The dynamic weights W(x) of B-cos networks: a signed map per input channel; W(x) times x is the logit."""

    channels: ClassVar[int] = BcosModel.input_channels
    is_signed: ClassVar[bool] = True
    has_contributions: ClassVar[bool] = True
    passes_whole_network: ClassVar[bool] = True
    # The backward pass keeps every feature map: 0.12 GB per 224-px image for a ResNet-50 or DenseNet-169.
    pixels_at_once: ClassVar[int] = 32 * 224**2

    def check(self, model: ExplainableModel) -> None:
        """See `ExplanationMethod.check`: only B-cos networks have W(x)."""
        if not isinstance(model, BcosModel):
            raise ExperimentError(
                f"{type(model).__name__} is not a B-cos network and has no dynamic weights W(x); expected another "
                "explanation, for instance gradcam."
            )

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        logits, classes, weights = bcos_weights(model, model.preprocess(images), classes, create_graph=create_graph)
        return Explanation(logits, classes, weights)

    def evidence(self, maps: Tensor, images: Tensor) -> Tensor:
        """See `ExplanationMethod.evidence`: each pixel's contribution to the logit (`contribution_maps`)."""
        return contribution_maps(maps, AddInverse()(images))

    def draw(self, images: Tensor, maps: Mapping[str, Tensor], *, contributions: bool = False) -> Drawing:
        """See `ExplanationMethod.draw`: the colours of the weights, with their norm as opacity."""
        if contributions:
            return super().draw(images, maps, contributions=True)
        inputs, smooth = AddInverse()(images), smoothing(images.shape[-1])
        shown = {name: unit_norm(one) for name, one in maps.items()}
        vmax = largest(bcos_strength(inputs, one, smooth=smooth) for one in shown.values())
        pictures = {name: over_white(bcos_rgba(inputs, one, smooth=smooth, vmax=vmax)) for name, one in shown.items()}
        label = "opacity: norm of W(x) at a pixel, {of}, divided by its L2 norm"
        return Drawing(pictures, 0, vmax, colormaps["Greys"], label)


def bcos_weights(
    model: ExplainableModel, inputs: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Logits and dynamic weights W(x) from one forward pass.

    W(x) is the gradient of the explained logit with respect to the input, with all dynamic scales held constant:

    .. math:: z_k = \langle W_k(x), x \rangle + \mathrm{const}

    (B-cos v2, Sec. 3). With ``create_graph`` the scales are constant in this gradient only: a later backward pass
    through logits and W(x) differentiates the scales, too, which gives the true derivative of a loss on W(x).

    Parameters
    ----------
    model : ExplainableModel
        A B-cos network, in training or evaluation mode.
    inputs : Tensor
        The network's input ``model.preprocess(images)``, (N, C, H, W); treated as a constant.
    classes : Tensor, optional
        Explained class of each image, integers (N,); the network's own prediction if None.
    create_graph : bool
        Keep the graph of logits and weights, for a loss on both.

    Returns
    -------
    logits, classes, weights : Tensor
        (N, K); (N,); (N, C, H, W), the weights in at least float32.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = lab.build_model("bcos_resnet_mini", num_classes=3).eval()
    >>> inputs = model.preprocess(torch.rand(2, 3, 32, 32))
    >>> logits, classes, weights = bcos_weights(model, inputs)
    >>> explained = logits.gather(1, classes[:, None])[:, 0]
    >>> torch.allclose((weights * inputs).sum((1, 2, 3)) + model.logit_bias, explained, atol=1e-4)
    True
    """
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        if create_graph:
            with switchable_scales(inputs) as switch:
                logits = model(inputs)
            explained, classes = explained_logits(logits, classes)
            with switch.frozen():
                weights = inner_gradient(explained, inputs, create_graph=True)
        else:
            with constant_scales():
                logits = model(inputs)
            explained, classes = explained_logits(logits, classes)
            weights = inner_gradient(explained, inputs)
            logits = logits.detach()
    return logits, classes, weights


def contribution_maps(weights: Tensor, inputs: Tensor) -> Tensor:
    """Contribution of each pixel to the explained logit: the sum of W(x) * x over the channels.

    Parameters
    ----------
    weights, inputs : Tensor
        W(x) and the network's input x, (N, C, H, W).

    Returns
    -------
    Tensor
        Signed maps (N, 1, H, W), in units of the logit. For CNNs their sum over space is the logit without its bias;
        for vision transformers the position features contribute the rest.

    Examples
    --------
    >>> contribution_maps(torch.ones(1, 6, 1, 2), torch.full((1, 6, 1, 2), 0.5))
    tensor([[[[3., 3.]]]])
    """
    return (weights * inputs).sum(dim=1, keepdim=True)
