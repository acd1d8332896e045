"""GradCAM (Selvaraju et al., ICCV 2017) of the last feature map, differentiable in the network's parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradcam(features: Tensor, logits: Tensor, classes: Tensor, *, create_graph: bool = False) -> Tensor:
    r"""GradCAM of any network, through the gradient of the explained logits to the feature map.

    .. math:: E = \mathrm{ReLU}\Big(\sum_c \alpha_c F_c\Big), \qquad
              \alpha_c = \frac{1}{H'W'} \sum_{i,j} \frac{\partial z_k}{\partial F_{c,i,j}}

    Parameters
    ----------
    features : Tensor
        The last feature map F after its activation, (N, C, H', W'), part of the graph of ``logits``.
    logits : Tensor
        Logits z, (N, K).
    classes : Tensor
        Explained class of each image, integers (N,).
    create_graph : bool
        Keep the graph, so that the map can be differentiated with respect to the parameters.

    Returns
    -------
    Tensor
        Maps (N, 1, H', W'), >= 0, not normalised.
    """
    explained = logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(explained, features, create_graph=create_graph, retain_graph=True)
    alpha = gradient.mean(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
    return torch.relu((alpha * features).sum(dim=1, keepdim=True))


def gradcam_closed_form(features: Tensor, head: nn.Linear, classes: Tensor) -> Tensor:
    r"""GradCAM of a network that ends in global average pooling and one linear layer; no backward pass.

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
        Maps (N, 1, H', W'), >= 0, not normalised; equal to `gradcam`.
    """
    weight = head.weight[classes].to(features.dtype) / features[0, 0].numel()  # (N, C)
    return torch.relu(torch.einsum("nc,nchw->nhw", weight, features)[:, None])
