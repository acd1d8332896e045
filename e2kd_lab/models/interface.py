"""What every network of the lab offers, whatever its architecture."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn


class ExplainableModel(nn.Module):
    """A classifier whose explanation can be computed from one forward pass.

    Attributes
    ----------
    explanation : str
        The explanation method that belongs to the network: ``"gradcam"`` for standard networks.
    input_channels : int
        Channels of the network's input, after `preprocess`.
    preprocess : nn.Module
        Maps RGB images (N, 3, H, W) in [0, 1] to the network's input (N, input_channels, H, W).
    """

    explanation: ClassVar[str] = "gradcam"
    input_channels: ClassVar[int] = 3
    preprocess: nn.Module

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map (N, C, H', W'), after its activation."""
        raise NotImplementedError

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) from the last feature map."""
        raise NotImplementedError

    def pooled_linear_head(self) -> nn.Linear | None:
        """The final linear layer if the head is global average pooling and this layer, else None.

        With such a head GradCAM has a closed form and needs no backward pass.
        """
        return None

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of a preprocessed input (N, input_channels, H, W)."""
        return self.forward_head(self.forward_features(x))
