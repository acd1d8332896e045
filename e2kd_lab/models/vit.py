"""SimpleViT (Beyer et al., 2022), standard and B-cos (B-cos v2), with the keys of the published checkpoints.

Tokens are mean-pooled (no class token), positions are fixed sines and cosines. One code serves both kinds: they differ
in their linear layers, norms and activation only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.models.bcos_layers import BcosConv2d, BcosLinear, LayerNorm2dNoBias, LayerNormNoBias
from e2kd_lab.models.dynamic_scales import dynamic
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.preprocess import Normalize
from e2kd_lab.models.registry import register_model


@dataclass(frozen=True)
class Layers:
    """The kind of layers that a vision transformer is built of."""

    linear: Callable[[int, int], nn.Module]
    output: Callable[[int, int], nn.Module]  # behind the attention; never has a bias
    norm: Callable[[int], nn.Module]
    activation: Callable[[], nn.Module]


STANDARD = Layers(nn.Linear, lambda i, o: nn.Linear(i, o, bias=False), nn.LayerNorm, nn.GELU)
BCOS = Layers(BcosLinear, BcosLinear, LayerNormNoBias, nn.Identity)


class Attention(nn.Module):
    """Multi-head self-attention; the attention matrix is a dynamic scale of the values.

    The matrix is written out: the fused operators have no second derivative, which training an explanation needs.
    """

    def __init__(self, layers: Layers, dim: int, heads: int) -> None:
        super().__init__()
        self.dim, self.heads = dim, heads
        self.norm = layers.norm(dim)
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)  # a plain linear layer in both kinds
        self.to_out = layers.output(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, T, dim) to (N, T, dim)."""
        tokens = self.norm(tokens)
        # Values apart from queries and keys, which only scales depend on, so that explanations need not pass there.
        (q, k), (v,) = (  # (N, heads, T, dim / heads) each
            F.linear(tokens, weight).unflatten(2, (-1, self.heads, self.dim // self.heads)).permute(2, 0, 3, 1, 4)
            for weight in self.to_qkv.weight.split((2 * self.dim, self.dim))
        )
        attention = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)  # (N, heads, T, T)
        mixed = dynamic(attention) @ v  # (N, heads, T, dim / heads)
        return self.to_out(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Norm and two linear layers with an activation between them."""

    def __init__(self, layers: Layers, dim: int, hidden: int) -> None:
        super().__init__()
        parts = {
            "norm": layers.norm(dim),
            "linear1": layers.linear(dim, hidden),
            "act": layers.activation(),
            "linear2": layers.linear(hidden, dim),
        }
        self.net = nn.Sequential(OrderedDict(parts))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, T, dim) to (N, T, dim)."""
        return self.net(tokens)


class Encoder(nn.Module):
    """Attention and feed-forward layer, each beside a shortcut."""

    def __init__(self, layers: Layers, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attn = Attention(layers, dim, heads)
        self.ff = FeedForward(layers, dim, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, T, dim) to (N, T, dim)."""
        tokens = tokens + self.attn(tokens)
        return tokens + self.ff(tokens)


class PatchEmbedding(nn.Module):
    """Cut a map into square patches and map each to a token, after an optional convolutional stem.

    A patch is read row by row, the channels of a pixel next to each other.
    """

    def __init__(
        self, layers: Layers, channels: int, patch_size: int, dim: int, stem: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        if stem:
            self.conv_stem = _conv_stem(channels, stem)
            channels = stem[-1]
        self.linear = layers.linear(channels * patch_size**2, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, H / patch_size, W / patch_size, dim)."""
        if hasattr(self, "conv_stem"):
            x = self.conv_stem(x)
        side = self.patch_size
        if x.shape[2] % side or x.shape[3] % side:
            raise ValueError(
                f"PatchEmbedding needs height and width divisible by the patch size {side}, got {tuple(x.shape[2:])}."
            )
        patches = x.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # (N, C, H', side, W', side)
        return self.linear(patches.permute(0, 2, 4, 3, 5, 1).flatten(3))


class VisionTransformer(nn.Module):
    """SimpleViT without the logit bias that B-cos networks add.

    Parameters
    ----------
    layers : Layers
        `STANDARD` or `BCOS`.
    num_classes, channels, patch_size, dim, depth, heads, hidden : int
        Logits, input channels, side of a patch in pixels, width of a token, encoders, attention heads, and width of the
        feed-forward layer.
    stem : sequence of int, optional
        Channels of stride-2 convolutions in front of the patches.
    """

    def __init__(
        self,
        layers: Layers,
        num_classes: int,
        *,
        channels: int,
        patch_size: int = 16,
        dim: int = 192,
        depth: int = 12,
        heads: int = 3,
        hidden: int = 768,
        stem: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.to_patch_embedding = PatchEmbedding(layers, channels, patch_size, dim, stem)
        encoders = {f"encoder_{number}": Encoder(layers, dim, heads, hidden) for number in range(depth)}
        self.transformer = nn.Sequential(OrderedDict(encoders))
        head = {"norm": layers.norm(dim), "linear": layers.linear(dim, num_classes)}
        self.linear_head = nn.Sequential(OrderedDict(head))

    def forward_features(self, x: Tensor) -> Tensor:
        """The tokens of the last encoder as a map, (N, dim, H', W')."""
        tokens = self.to_patch_embedding(x)  # (N, H', W', dim)
        rows, columns, dim = tokens.shape[1:]
        tokens = tokens.flatten(1, 2) + position_features(rows, columns, dim).to(tokens)
        return self.transformer(tokens).transpose(1, 2).unflatten(2, (rows, columns))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of the mean token."""
        return self.linear_head(features.mean((2, 3)))


class StandardViT(VisionTransformer, ExplainableModel):
    """SimpleViT with linear layers, GELU and layer normalisation; explained by GradCAM of its last tokens."""

    def __init__(self, num_classes: int, **sizes: Any) -> None:
        super().__init__(STANDARD, num_classes, channels=3, **sizes)
        self.preprocess = Normalize()


class BcosViT(BcosModel):
    """B-cos SimpleViT: B-cos linear layers, norms without bias, no activation.

    Its explanation W(x) leaves out what the position features contribute, which act as an additive bias.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        logit_bias: float | None = None,
        stem: Sequence[int] | None = None,
        **sizes: Any,
    ) -> None:
        super().__init__(num_classes, logit_bias)
        # Published checkpoints hold the transformer as the first element of a sequence: their keys begin with "0.".
        transformer = VisionTransformer(BCOS, num_classes, channels=self.input_channels, stem=stem, **sizes)
        self.add_module("0", transformer)

    @property
    def transformer(self) -> VisionTransformer:
        """The network in front of the logit bias."""
        return self.get_submodule("0")  # type: ignore[return-value]

    def forward_features(self, x: Tensor) -> Tensor:
        """The tokens of the last encoder as a map, (N, dim, H', W')."""
        return self.transformer.forward_features(x)

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) of the mean token."""
        return self.transformer.forward_head(features) + self.logit_bias


def position_features(rows: int, columns: int, dim: int) -> Tensor:
    """Sines and cosines of column and row, for each patch: (rows * columns, dim), float32."""
    frequency = 1 / 10000 ** (torch.arange(dim // 4) / (dim // 4 - 1))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.flatten()[:, None] * frequency for place in (column, row)]
    return torch.cat([function(angle) for angle in angles for function in (torch.sin, torch.cos)], dim=1)


@register_model("simple_vit_ti_patch16_224")
def simple_vit_ti_patch16_224(num_classes: int) -> StandardViT:
    """SimpleViT-Ti with patches of 16 px, 5.7 M parameters at 1000 classes."""
    return StandardViT(num_classes)


@register_model("bcos_simple_vit_ti_patch16_224")
def bcos_simple_vit_ti_patch16_224(num_classes: int, *, logit_bias: float | None = None) -> BcosViT:
    """B-cos SimpleViT-Ti with patches of 16 px, 5.8 M parameters at 1000 classes."""
    return BcosViT(num_classes, logit_bias=logit_bias)


@register_model("bcos_vitc_ti_patch1_14")
def bcos_vitc_ti_patch1_14(num_classes: int, *, logit_bias: float | None = None) -> BcosViT:
    """B-cos ViT-Ti behind a convolutional stem of stride 16, 5.3 M parameters at 1000 classes."""
    return BcosViT(num_classes, logit_bias=logit_bias, patch_size=1, depth=11, stem=(24, 48, 96, 192))


@register_model("bcos_vit_mini")
def bcos_vit_mini(
    num_classes: int, *, patch_size: int = 8, dim: int = 64, depth: int = 4, logit_bias: float | None = None
) -> BcosViT:
    """B-cos SimpleViT with patches of 8 px, 4 encoders and 64 channels, for images of 64 px; a student of the lab."""
    return BcosViT(
        num_classes, logit_bias=logit_bias, patch_size=patch_size, dim=dim, depth=depth, heads=4, hidden=2 * dim
    )


def _conv_stem(in_channels: int, channels: Sequence[int]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for out_channels in channels:
        # The identity stands where other networks have their activation: it counts in the parameters' names.
        parts += [BcosConv2d(in_channels, out_channels, 3, 2, 1), LayerNorm2dNoBias(out_channels), nn.Identity()]
        in_channels = out_channels
    return nn.Sequential(*parts)
