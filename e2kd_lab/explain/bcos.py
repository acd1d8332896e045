"""The explanation that B-cos networks come with: the linear map W(x) that the network applies to this input."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.models.dynamic_scales import constant_scales, switchable_scales
from e2kd_lab.models.interface import ExplainableModel


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
