"""B-cos DenseNets (B-cos v2) with the keys of their published checkpoints, and a small one for the lab."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from e2kd_lab.models.bcos_layers import AveragePool2d, BatchNormUncentered2d, BcosConv2d
from e2kd_lab.models.interface import BcosModel
from e2kd_lab.models.registry import register_model
from e2kd_lab.models.smooth_strides import smooth_strides


class DenseLayer(nn.Module):
    """Norm, 1x1 convolution to a bottleneck, norm, 3x3 convolution to ``growth`` new channels."""

    def __init__(self, in_channels: int, growth: int, bottleneck: int) -> None:
        super().__init__()
        self.norm1 = BatchNormUncentered2d(in_channels)
        self.conv1 = BcosConv2d(in_channels, bottleneck * growth, 1)
        self.norm2 = BatchNormUncentered2d(bottleneck * growth)
        self.conv2 = BcosConv2d(bottleneck * growth, growth, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, growth, H, W)."""
        return self.conv2(self.norm2(self.conv1(self.norm1(x))))


class DenseBlock(nn.Module):
    """Dense layers; each takes the outputs of all before it."""

    def __init__(self, in_channels: int, layers: int, growth: int, bottleneck: int) -> None:
        super().__init__()
        for number in range(layers):
            self.add_module(f"denselayer{number + 1}", DenseLayer(in_channels + number * growth, growth, bottleneck))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, in_channels + layers * growth, H, W)."""
        for layer in self.children():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class Transition(nn.Module):
    """Norm, 1x1 convolution to half the channels, average pooling to half the resolution."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm = BatchNormUncentered2d(in_channels)
        self.conv = BcosConv2d(in_channels, in_channels // 2, 1)
        self.pool = AveragePool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, in_channels / 2, H / 2, W / 2)."""
        return self.pool(self.conv(self.norm(x)))


class BcosDenseNet(BcosModel):
    """B-cos DenseNet: average pooling in the stem, classifier before the global pooling.

    Parameters
    ----------
    num_classes : int
        Number of logits, K >= 2.
    growth : int
        New channels per dense layer.
    blocks : sequence of int
        Dense layers in each block.
    width : int
        Channels of the stem.
    bottleneck : int
        Channels between the two convolutions of a dense layer, as a multiple of ``growth``.
    kernel_size : int
        Of the stem's convolution, which has stride 2.
    pool : bool
        Halve the resolution once more behind the stem.
    logit_bias : float, optional
        Added to all logits; -log(K - 1) if None.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        growth: int = 32,
        blocks: Sequence[int] = (6, 12, 32, 32),
        width: int = 64,
        bottleneck: int = 4,
        kernel_size: int = 7,
        pool: bool = True,
        logit_bias: float | None = None,
    ) -> None:
        super().__init__(num_classes, logit_bias)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv0"] = BcosConv2d(self.input_channels, width, kernel_size, 2, kernel_size // 2)
        layers["norm0"] = BatchNormUncentered2d(width)
        layers["pool0"] = AveragePool2d(3, 2, 1) if pool else nn.Identity()
        channels = width
        for number, count in enumerate(blocks, start=1):
            layers[f"denseblock{number}"] = DenseBlock(channels, count, growth, bottleneck)
            channels += count * growth
            if number < len(blocks):
                layers[f"transition{number}"] = Transition(channels)
                channels //= 2
        layers["norm5"] = BatchNormUncentered2d(channels)
        self.features = nn.Sequential(layers)
        self.classifier = BcosConv2d(channels, num_classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """See `ExplainableModel.forward_stages`: the dense blocks, each after the norm that follows it."""
        outputs = []
        for layer in self.features:
            if isinstance(layer, Transition):
                outputs.append(layer.norm(x))
                x = layer.pool(layer.conv(outputs[-1]))
            else:
                x = layer(x)
        return [*outputs, x]

    def forward_features(self, x: Tensor) -> Tensor:
        """The output of ``features``, (N, C, H', W')."""
        return self.features(x)

    def classify_map(self, features: Tensor) -> Tensor:
        """The classifier at every place, (N, K, H', W')."""
        return self.classifier(features)


@register_model("bcos_densenet169")
def bcos_densenet169(num_classes: int, *, logit_bias: float | None = None) -> BcosDenseNet:
    """B-cos DenseNet-169, 14.1 M parameters at 1000 classes."""
    return BcosDenseNet(num_classes, logit_bias=logit_bias)


@register_model("bcos_densenet_mini", version=1)  # 1: smooth strides
def bcos_densenet_mini(
    num_classes: int,
    *,
    growth: int = 12,
    blocks: Sequence[int] = (3, 4),
    width: int = 16,
    logit_bias: float | None = None,
) -> BcosDenseNet:
    """B-cos DenseNet of two blocks, 3x3 stem and stride product 4, for images of about 64 px; a teacher of the lab."""
    model = BcosDenseNet(
        num_classes,
        growth=growth,
        blocks=blocks,
        width=width,
        bottleneck=2,
        kernel_size=3,
        pool=False,
        logit_bias=logit_bias,
    )
    return smooth_strides(model)


@register_model("bcos_densenet_mini_deep", version=1)  # 1: smooth strides
def bcos_densenet_mini_deep(num_classes: int, *, logit_bias: float | None = None) -> BcosDenseNet:
    """B-cos DenseNet mini of three blocks and stride product 8: a teacher that sees whole objects."""
    return bcos_densenet_mini(num_classes, blocks=(2, 4, 6), logit_bias=logit_bias)
