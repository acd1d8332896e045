"""torchvision's ResNets and DenseNet, split at the last feature map; parameters and keys are torchvision's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torchvision.models.densenet as tv_densenet
import torchvision.models.resnet as tv_resnet
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.preprocess import Normalize
from e2kd_lab.models.registry import register_model


def stages_before_relu(stages: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """Outputs of stages of torchvision's residual blocks, each before the ReLU of its last block."""
    outputs = []
    for stage in stages:
        *blocks, last = stage.children()
        for block in blocks:
            x = block(x)
        outputs.append(_before_relu(last, x))
        x = torch.relu(outputs[-1])
    return outputs


def _before_relu(block: Any, x: Tensor) -> Tensor:
    branch = block.bn1(block.conv1(x))
    branch = block.bn2(block.conv2(torch.relu(branch)))
    if isinstance(block, tv_resnet.Bottleneck):
        branch = block.bn3(block.conv3(torch.relu(branch)))
    return branch + (x if block.downsample is None else block.downsample(x))


class ResNet(tv_resnet.ResNet, ExplainableModel):
    """ResNet (He et al., CVPR 2016) in torchvision's form; the explained feature map is ``layer4`` after its ReLU."""

    conv1: nn.Module
    bn1: nn.Module
    relu: nn.Module
    maxpool: nn.Module
    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module
    avgpool: nn.Module
    fc: nn.Module

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preprocess = Normalize()

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """See `ExplainableModel.forward_stages`: ``layer1`` to ``layer4`` before their last ReLU."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return stages_before_relu((self.layer1, self.layer2, self.layer3, self.layer4), x)

    def forward_features(self, x: Tensor) -> Tensor:
        """The output of ``layer4``, (N, C, H/32, W/32)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of average-pooled features."""
        return self.fc(torch.flatten(self.avgpool(features), 1))

    def pooled_linear_head(self) -> nn.Linear | None:
        """The layer ``fc``, unless it was replaced by something else than a linear layer."""
        return self.fc if isinstance(self.fc, nn.Linear) else None

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of a normalized input (N, 3, H, W)."""
        return self.forward_head(self.forward_features(x))


class DenseNet(tv_densenet.DenseNet, ExplainableModel):
    """DenseNet (Huang et al., CVPR 2017) in torchvision's form; the explained map is ``features`` after a ReLU."""

    features: nn.Module
    classifier: nn.Module

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.preprocess = Normalize()
        # A module of its own (torchvision calls a function here), so that hooks can reach the explained map.
        self.final_relu = nn.ReLU()

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """See `ExplainableModel.forward_stages`: the dense blocks, each after the norm that follows it."""
        stages: list[Tensor] = []
        for name, layer in self.features.named_children():
            if name.startswith("transition"):
                norm, _, conv, pool = layer.children()
                stages.append(norm(x))
                x = pool(conv(torch.relu(stages[-1])))
            else:
                x = layer(x)
        return [*stages, x]

    def forward_features(self, x: Tensor) -> Tensor:
        """The activated output of ``features``, (N, C, H/32, W/32)."""
        return self.final_relu(self.features(x))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of average-pooled features."""
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(features, 1), 1))

    def pooled_linear_head(self) -> nn.Linear | None:
        """The layer ``classifier``, unless it was replaced by something else than a linear layer."""
        return self.classifier if isinstance(self.classifier, nn.Linear) else None

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of a normalized input (N, 3, H, W)."""
        return self.forward_head(self.forward_features(x))


@register_model("resnet18")
def resnet18(num_classes: int) -> ResNet:
    """ResNet-18, 11.7 M parameters at 1000 classes."""
    return ResNet(tv_resnet.BasicBlock, [2, 2, 2, 2], num_classes=num_classes)


@register_model("resnet34")
def resnet34(num_classes: int) -> ResNet:
    """ResNet-34, 21.8 M parameters at 1000 classes."""
    return ResNet(tv_resnet.BasicBlock, [3, 4, 6, 3], num_classes=num_classes)


@register_model("resnet50")
def resnet50(num_classes: int) -> ResNet:
    """ResNet-50, 25.6 M parameters at 1000 classes."""
    return ResNet(tv_resnet.Bottleneck, [3, 4, 6, 3], num_classes=num_classes)


@register_model("densenet169")
def densenet169(num_classes: int) -> DenseNet:
    """DenseNet-169, 14.1 M parameters at 1000 classes."""
    return DenseNet(32, (6, 12, 32, 32), 64, num_classes=num_classes)
