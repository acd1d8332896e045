r"""Strides whose explanation has no grid.

A convolution of stride 2 reads even and odd pixels with different taps of its kernel; one of size 1 reads a single
pixel in four. W(x) is the transposed convolution, so that it repeats these differences every two pixels, and those of
deeper layers every four and eight. Averaging a kernel over 2x2 places makes its taps on even and on odd pixels sum to
the same value, along either axis:

.. math:: v_{ij} = \tfrac14 (w_{ij} + w_{i-1,j} + w_{i,j-1} + w_{i-1,j-1}), \qquad
          \sum_i (-1)^i \, v_{ij} = \sum_j (-1)^j \, v_{ij} = 0

A constant gradient then comes back without the stride's frequency (Zhang, ICML 2019, on the same averages in the
forward pass). No parameter is added, and none of the averages is computed on a feature map.
"""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from e2kd_lab.models.bcos_layers import BcosConv2d

Network = TypeVar("Network", bound=nn.Module)


class SmoothKernel(nn.Module):
    """Kernels (K, C, k, k) averaged over 2x2 places, (K, C, k + 1, k + 1)."""

    def forward(self, weight: Tensor) -> Tensor:
        """Average with zeros around."""
        return F.avg_pool2d(weight, 2, stride=1, padding=1)


def smooth_strides(model: Network) -> Network:
    """Average the kernels of all convolutions of stride 2: 3x3 weights make 4x4 kernels, 1x1 weights 2x2 ones.

    The weights stay the parameters, under ``parametrizations.weight.original``: checkpoints of networks with plain
    strides do not load. Maps of even size keep their size; odd ones are rounded down.

    Parameters
    ----------
    model : Module
        A B-cos network, or a layer of one, that has not been frozen; changed in place.

    Returns
    -------
    Module
        The same network.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model = smooth_strides(lab.build_model("bcos_resnet18", num_classes=2))
    >>> model.conv1.linear.weight.shape, model.conv1.linear.parametrizations.weight.original.shape
    (torch.Size([64, 6, 8, 8]), torch.Size([64, 6, 7, 7]))
    """
    for layer in model.modules():
        if isinstance(layer, BcosConv2d) and layer.stride == 2:
            smooth_kernel(layer.linear)
            layer.kernel_size += 1
    return model


def smooth_kernel(convolution: nn.Conv2d) -> None:
    """Average the kernels of one convolution of stride 2, in place; see `smooth_strides`."""
    parametrize.register_parametrization(convolution, "weight", SmoothKernel(), unsafe=True)
    height, width = convolution.kernel_size
    convolution.kernel_size = height + 1, width + 1
