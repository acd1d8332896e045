"""The explanation that B-cos networks come with: the linear map W(x) that the network applies to this input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from matplotlib import colormaps
from torch import Tensor

from e2kd_lab.explanations.explanation_method import Drawing, Explanation, ExplanationMethod
from e2kd_lab.explanations.registry import register_explanation
from e2kd_lab.explanations.rendering import bcos_rgba, bcos_strength, largest, over_white, smoothing, unit_norm
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.dynamic_scales import constant_scales, switchable_scales
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.preprocess import AddInverse
from e2kd_lab.system.errors import ExperimentError


@register_explanation("bcos", title="W(x)")
class BcosWeights(ExplanationMethod):
    """The dynamic weights W(x) of B-cos networks, which reproduce the logit: signed, a map for each input channel."""

    channels: ClassVar[int] = BcosModel.input_channels
    is_signed: ClassVar[bool] = True
    has_contributions: ClassVar[bool] = True
    passes_whole_network: ClassVar[bool] = True
    # W(x) keeps every feature map for its backward pass: 0.12 GB an image of 224 px with a ResNet-50 or DenseNet-169.
    pixels_at_once: ClassVar[int] = 32 * 224**2

    def check(self, model: ExplainableModel) -> None:
        """See `ExplanationMethod.check`: only B-cos networks have W(x)."""
        if not isinstance(model, BcosModel):
            raise ExperimentError(
                f"{type(model).__name__} is no B-cos network, so that it has no dynamic weights to explain it by; "
                "expected for instance explanation gradcam."
            )

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        logits, classes, weights = bcos_weights(model, model.preprocess(images), classes, create_graph=create_graph)
        return Explanation(logits, classes, at_least_float32(weights))

    def evidence(self, maps: Tensor, images: Tensor) -> Tensor:
        """See `ExplanationMethod.evidence`: what each pixel contributes to the logit (`contribution_maps`)."""
        return contribution_maps(maps, AddInverse()(images))

    def draw(self, images: Tensor, maps: Mapping[str, Tensor], *, contributions: bool = False) -> Drawing:
        """See `ExplanationMethod.draw`: the colours that the weights ask for, the more opaque the larger they are."""
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

    W(x) is the gradient of the explained logit to the input, with all dynamic scales held constant, so that

    .. math:: z_k = \langle W_k(x), x \rangle + \mathrm{const}

    (B-cos v2, Sec. 3). With ``create_graph`` the scales are constants in this gradient only: a later backward pass
    through logits and W(x) differentiates the scales as well, which gives the true derivative of a loss on W(x).

    Parameters
    ----------
    model : ExplainableModel
        A B-cos network, in training or evaluation mode.
    inputs : Tensor
        The network's input ``model.preprocess(images)``, (N, C, H, W); treated as a constant.
    classes : Tensor, optional
        Explained class of each image, integers (N,); the network's own prediction if None.
    create_graph : bool
        Keep the graph of logits and weights, for a loss on them.

    Returns
    -------
    logits, classes, weights : Tensor
        (N, K); (N,); (N, C, H, W).
    """
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad():
        if create_graph:
            with switchable_scales(inputs) as switch:
                logits = model(inputs)
            explained, classes = _explained(logits, classes)
            with switch.frozen():
                (weights,) = torch.autograd.grad(explained, inputs, create_graph=True)
        else:
            with constant_scales():
                logits = model(inputs)
            explained, classes = _explained(logits, classes)
            (weights,) = torch.autograd.grad(explained, inputs)
            logits = logits.detach()
    return logits, classes, weights


def contribution_maps(weights: Tensor, inputs: Tensor) -> Tensor:
    """What each pixel contributes to the explained logit: the sum of W(x) * x over the channels.

    Parameters
    ----------
    weights, inputs : Tensor
        W(x) and the network's input x, (N, C, H, W).

    Returns
    -------
    Tensor
        Signed maps (N, 1, H, W), in units of the logit. For CNNs their sum over space is the logit without its bias;
        for vision transformers the position features contribute the rest.
    """
    return (weights * inputs).sum(dim=1, keepdim=True)


def _explained(logits: Tensor, classes: Tensor | None) -> tuple[Tensor, Tensor]:
    classes = logits.detach().argmax(dim=1) if classes is None else classes
    return logits.gather(1, classes[:, None]).sum(), classes
