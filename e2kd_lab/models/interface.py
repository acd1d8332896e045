"""What every network of the lab offers, whatever its architecture."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor, nn

from e2kd_lab.errors import ExperimentError
from e2kd_lab.models.preprocess import AddInverse


class ExplainableModel(nn.Module):
    """A classifier whose explanation can be computed from one forward pass.

    Attributes
    ----------
    explanation : str
        The explanation method that belongs to the network: ``"gradcam"``, or ``"bcos"`` for B-cos networks.
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


class BcosModel(ExplainableModel):
    """A B-cos network, whose explanation is the matrix W(x) of its own linear summary.

    Parameters
    ----------
    num_classes : int
        Number of logits, K >= 2.
    logit_bias : float, optional
        Added to all logits; -log(K - 1) if None, so that a network without evidence gives each class the probability
        1/K.
    """

    explanation: ClassVar[str] = "bcos"
    input_channels: ClassVar[int] = 6

    def __init__(self, num_classes: int, logit_bias: float | None = None) -> None:
        super().__init__()
        if num_classes < 2:
            raise ExperimentError(f"A B-cos network needs at least two classes, got num_classes = {num_classes}.")
        self.logit_bias = -math.log(num_classes - 1) if logit_bias is None else logit_bias
        self.preprocess = AddInverse()

    def classify_map(self, features: Tensor) -> Tensor:
        """The classifier applied at every place of the last feature map, (N, K, H', W')."""
        raise NotImplementedError

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K): the average of `classify_map` over space, plus the logit bias."""
        return self.classify_map(features).mean((2, 3)) + self.logit_bias
