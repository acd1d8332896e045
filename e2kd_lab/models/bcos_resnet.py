"""B-cos ResNets (B-cos v2) with the keys of their published checkpoints, and a small one for the lab."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from e2kd_lab.models.bcos_layers import AveragePool2d, BatchNormUncentered2d, BcosConv2d
from e2kd_lab.models.interface import BcosModel
from e2kd_lab.models.registry import register_model
from e2kd_lab.models.smooth_strides import smooth_strides


class BasicBlock(nn.Module):
    """Two 3x3 B-cos convolutions beside a shortcut; nothing after the sum."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = BcosConv2d(in_channels, channels, 3, stride, 1)
        self.bn1 = BatchNormUncentered2d(channels)
        self.conv2 = BcosConv2d(channels, channels, 3, 1, 1)
        self.bn2 = BatchNormUncentered2d(channels)
        self.downsample = _downsample(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        branch = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        return branch + (x if self.downsample is None else self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 B-cos convolutions beside a shortcut; nothing after the sum."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = BcosConv2d(in_channels, channels, 1)
        self.bn1 = BatchNormUncentered2d(channels)
        self.conv2 = BcosConv2d(channels, channels, 3, stride, 1)
        self.bn2 = BatchNormUncentered2d(channels)
        self.conv3 = BcosConv2d(channels, 4 * channels, 1)
        self.bn3 = BatchNormUncentered2d(4 * channels)
        self.downsample = _downsample(in_channels, 4 * channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 4 channels, H / stride, W / stride)."""
        branch = self.bn3(self.conv3(self.bn2(self.conv2(self.bn1(self.conv1(x))))))
        return branch + (x if self.downsample is None else self.downsample(x))


class BcosResNet(BcosModel):
    """B-cos ResNet: average pooling in the stem, classifier before the global pooling.

    Parameters
    ----------
    block : type
        `BasicBlock` or `Bottleneck`.
    blocks : sequence of int
        Blocks in each stage.
    num_classes : int
        Number of logits, K >= 2.
    width : int
        Channels of the first stage; each stage has twice as many as the one before.
    kernel_size : int
        Of the stem's convolution, which has stride 2.
    pool : bool
        Halve the resolution once more behind the stem.
    logit_bias : float, optional
        Added to all logits; -log(K - 1) if None.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        num_classes: int,
        *,
        width: int = 64,
        kernel_size: int = 7,
        pool: bool = True,
        logit_bias: float | None = None,
    ) -> None:
        super().__init__(num_classes, logit_bias)
        self.conv1 = BcosConv2d(self.input_channels, width, kernel_size, 2, kernel_size // 2)
        self.bn1 = BatchNormUncentered2d(width)
        self.pool = AveragePool2d(3, 2, 1) if pool else nn.Identity()
        channels = width
        self.stages = [f"layer{number}" for number in range(1, len(blocks) + 1)]
        for number, (name, count) in enumerate(zip(self.stages, blocks, strict=True)):
            stage = []
            for place in range(count):
                stage.append(block(channels, width * 2**number, 2 if number > 0 and place == 0 else 1))
                channels = width * 2**number * block.expansion
            self.add_module(name, nn.Sequential(*stage))
        self.fc = BcosConv2d(channels, num_classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """See `ExplainableModel.forward_stages`."""
        x = self.pool(self.bn1(self.conv1(x)))
        outputs = []
        for name in self.stages:
            x = self.get_submodule(name)(x)
            outputs.append(x)
        return outputs

    def forward_features(self, x: Tensor) -> Tensor:
        """The output of the last stage, (N, C, H', W')."""
        return self.forward_stages(x)[-1]

    def classify_map(self, features: Tensor) -> Tensor:
        """The classifier at every place, (N, K, H', W')."""
        return self.fc(features)


@register_model("bcos_resnet18")
def bcos_resnet18(num_classes: int, *, logit_bias: float | None = None) -> BcosResNet:
    """B-cos ResNet-18, 11.7 M parameters at 1000 classes."""
    return BcosResNet(BasicBlock, (2, 2, 2, 2), num_classes, logit_bias=logit_bias)


@register_model("bcos_resnet34")
def bcos_resnet34(num_classes: int, *, logit_bias: float | None = None) -> BcosResNet:
    """B-cos ResNet-34, 21.8 M parameters at 1000 classes."""
    return BcosResNet(BasicBlock, (3, 4, 6, 3), num_classes, logit_bias=logit_bias)


@register_model("bcos_resnet50")
def bcos_resnet50(num_classes: int, *, logit_bias: float | None = None) -> BcosResNet:
    """B-cos ResNet-50, 25.5 M parameters at 1000 classes."""
    return BcosResNet(Bottleneck, (3, 4, 6, 3), num_classes, logit_bias=logit_bias)


@register_model("bcos_resnet_mini", version=1)  # 1: smooth strides
def bcos_resnet_mini(
    num_classes: int, *, width: int = 16, blocks: int = 1, logit_bias: float | None = None
) -> BcosResNet:
    """B-cos ResNet of three stages with 16, 32 and 64 channels, for images of about 64 px; the lab's student."""
    model = BcosResNet(
        BasicBlock, (blocks,) * 3, num_classes, width=width, kernel_size=3, pool=False, logit_bias=logit_bias
    )
    return smooth_strides(model)


@register_model("bcos_resnet_mini_deep", version=1)  # 1: smooth strides
def bcos_resnet_mini_deep(num_classes: int, *, logit_bias: float | None = None) -> BcosResNet:
    """B-cos ResNet mini with two blocks in each stage, 0.2 M parameters; a teacher of the lab."""
    return bcos_resnet_mini(num_classes, blocks=2, logit_bias=logit_bias)


def _downsample(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(BcosConv2d(in_channels, out_channels, 1, stride), BatchNormUncentered2d(out_channels))
