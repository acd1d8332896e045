"""A ResNet small enough to train on a laptop's CPU in half a minute."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.preprocess import Normalize
from e2kd_lab.models.registry import register_model
from e2kd_lab.models.standard import stages_before_relu


class ResNetMini(ExplainableModel):
    """Three stages of basic blocks behind a strided 3x3 stem, for images of about 64 px.

    Parameters
    ----------
    num_classes : int
        Number of logits, K.
    width : int
        Channels of the first stage; the stages have width, 2 width and 4 width channels.
    blocks : int
        Basic blocks per stage.
    """

    def __init__(self, num_classes: int, *, width: int = 16, blocks: int = 1) -> None:
        super().__init__()
        self.preprocess = Normalize()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(width, width, blocks, stride=1)
        self.layer2 = _stage(width, 2 * width, blocks, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, blocks, stride=2)
        self.fc = nn.Linear(4 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """See `ExplainableModel.forward_stages`: ``layer1`` to ``layer3`` before their last ReLU."""
        return stages_before_relu((self.layer1, self.layer2, self.layer3), self.relu(self.bn1(self.conv1(x))))

    def forward_features(self, x: Tensor) -> Tensor:
        """The output of ``layer3``, (N, 4 width, H/8, W/8)."""
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H/2, W/2)
        x = self.layer2(self.layer1(x))  # (N, 2 width, H/4, W/4)
        return self.layer3(x)  # (N, 4 width, H/8, W/8)

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of average-pooled features."""
        return self.fc(torch.mean(features, dim=(2, 3)))

    def pooled_linear_head(self) -> nn.Linear | None:
        """The layer ``fc``, unless it was replaced by something else than a linear layer."""
        return self.fc if isinstance(self.fc, nn.Linear) else None


@register_model("resnet_mini")
def resnet_mini(num_classes: int, *, width: int = 16, blocks: int = 1) -> ResNetMini:
    """ResNet of three stages with 16, 32 and 64 channels, 78 k parameters; the lab's student."""
    return ResNetMini(num_classes, width=width, blocks=blocks)


@register_model("resnet_mini_deep")
def resnet_mini_deep(num_classes: int) -> ResNetMini:
    """ResNet mini with two blocks in each stage, 0.2 M parameters; a teacher of the lab."""
    return ResNetMini(num_classes, blocks=2)


def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or in_channels != channels:
        shortcut = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
        )
    first = BasicBlock(in_channels, channels, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(channels, channels) for _ in range(blocks - 1)))
