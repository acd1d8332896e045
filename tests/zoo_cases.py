"""Networks of other libraries, small ones or of reduced depth where the library allows that, with random weights."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import e2kd_lab as lab
from e2kd_lab.system.errors import LabNote

CLASSES = 5


@dataclass(frozen=True)
class Case:
    """A network, and what is to be found in it."""

    build: Callable[[], nn.Module]
    layer: str
    size: int = 64
    tokens: int | None = None  # in front of the patches; None where the layer puts out (N, C, H, W)
    closed: bool = False


def torchvision(name: str, **options: Any) -> Callable[[], nn.Module]:
    from torchvision.models import get_model

    return lambda: get_model(name, num_classes=CLASSES, **options)


def timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from timm import create_model

        return create_model(name, num_classes=CLASSES, **options)

    return build


def transformers(kind: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from transformers import AutoConfig, AutoModelForImageClassification

        config = AutoConfig.for_model(kind, num_labels=CLASSES, **options)
        return AutoModelForImageClassification.from_config(config)

    return build


def vgg16() -> nn.Module:
    """With a smaller classifier, which holds most of its weights."""
    network = torchvision("vgg16")()
    network.classifier = nn.Sequential(nn.Linear(512 * 49, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, CLASSES))
    return network


def vit_b_16() -> nn.Module:
    """Of 4 narrower layers."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(64, 16, num_layers=4, num_heads=3, hidden_dim=96, mlp_dim=192, num_classes=CLASSES)


def convnext_tiny() -> nn.Module:
    """Of one block a stage."""
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    widths = (48, 96, 192, 384)
    blocks = [CNBlockConfig(a, b, 1) for a, b in zip(widths, (*widths[1:], None), strict=True)]
    return ConvNeXt(blocks, num_classes=CLASSES)


def swin_t() -> nn.Module:
    """Of two narrower blocks a stage."""
    from torchvision.models import SwinTransformer

    return SwinTransformer([4, 4], 48, [2, 2, 2, 2], [2, 4, 8, 16], [7, 7], num_classes=CLASSES)


_VIT = {"image_size": 64, "num_hidden_layers": 4, "hidden_size": 96, "intermediate_size": 192, "num_attention_heads": 3}
_RESNET = {"depths": [1, 1, 1, 1], "hidden_sizes": [32, 64, 96, 128], "embedding_size": 32}

CASES = {
    "torchvision/mobilenet_v3_small": Case(torchvision("mobilenet_v3_small"), "features"),
    "torchvision/efficientnet_b0": Case(torchvision("efficientnet_b0"), "features", closed=True),
    "torchvision/vgg16": Case(vgg16, "features"),
    "torchvision/convnext_tiny": Case(convnext_tiny, "features"),
    "torchvision/swin_t": Case(swin_t, "permute", closed=True),
    "torchvision/vit_b_16": Case(vit_b_16, "encoder.layers.encoder_layer_2", tokens=1),
    "torchvision/regnet_y_400mf": Case(torchvision("regnet_y_400mf"), "trunk_output", closed=True),
    "timm/resnet18d": Case(timm("resnet18d"), "layer4", closed=True),
    "timm/mobilenetv3_small_100": Case(timm("mobilenetv3_small_100"), "blocks"),
    "timm/efficientnet_b0": Case(timm("efficientnet_b0"), "bn2", closed=True),
    "timm/convnext_atto": Case(timm("convnext_atto"), "stages"),
    "timm/vit_tiny_patch16_224": Case(timm("vit_tiny_patch16_224", img_size=64, depth=4), "blocks.2", tokens=1),
    "timm/deit_tiny_patch16_224": Case(timm("deit_tiny_patch16_224", img_size=64, depth=4), "blocks.2", tokens=1),
    "timm/mixer_s16_224": Case(timm("mixer_s16_224", img_size=64), "norm", tokens=0, closed=True),
    "transformers/resnet": Case(transformers("resnet", **_RESNET), "resnet.encoder.stages.3", closed=True),
    "transformers/vit": Case(transformers("vit", **_VIT), "vit.layers.2", tokens=1),
}


def adapted(name: str) -> lab.models.AdaptedModel:
    """The network of a case in float64 and evaluation mode, weights and statistics as training might make them."""
    return copy.deepcopy(_adapted(name))


@functools.cache
def _adapted(name: str) -> lab.models.AdaptedModel:
    torch.manual_seed(0)
    network = CASES[name].build()
    for weight in network.parameters():
        if weight.ndim > 1 and not weight.any():
            nn.init.normal_(weight, std=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabNote)
        model = lab.adapt(network, image_size=CASES[name].size)
    settle(model.double(), images_of(name, 8))
    return model.eval()


@torch.no_grad()
def settle(model: lab.models.AdaptedModel, images: Tensor) -> None:
    """Give a network that was never trained the statistics of a batch, so that its activations have usual sizes."""
    norms = {layer: layer.momentum for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)}
    for layer in norms:
        layer.momentum = None  # the plain average
    if norms:
        model.train()(model.preprocess(images))
    for layer, momentum in norms.items():
        layer.momentum = momentum


def images_of(name: str, count: int = 2) -> Tensor:
    """Smooth random images in [0, 1]."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, 8, 8, generator=generator, dtype=torch.float64)
    return nn.functional.interpolate(coarse, (CASES[name].size,) * 2, mode="bilinear").clamp(0, 1)
