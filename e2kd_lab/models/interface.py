"""The interface of all networks: features, head, stages, preprocessing and explanation."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2kd_lab.losses.classification import uniform_off_label_bce
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.preprocess import AddInverse
from e2kd_lab.system.errors import ExperimentError


class ExplainableModel(nn.Module):
    """Base of classifiers that can be explained from one forward pass.

    Attributes
    ----------
    explanation : str or ExplanationMethod
        Default explanation: ``"gradcam"``, or ``"bcos"`` for B-cos networks. It can be set to any registered
        explanation (see `e2kd_lab.register_explanation`).
    family : str
        ``standard``, or ``bcos``.
    input_channels : int
        Channels of the network's input, after `preprocess`.
    preprocess : nn.Module
        Maps RGB images (N, 3, H, W) in [0, 1] to the network's input (N, input_channels, H, W).
    """

    explanation: Any = "gradcam"
    family: ClassVar[str] = "standard"
    input_channels: ClassVar[int] = 3
    preprocess: nn.Module

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map (N, C, H', W'), after its activation."""
        raise NotImplementedError

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K) from the last feature map."""
        raise NotImplementedError

    def forward_with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Feature tensor in the graph of the logits, and the logits (N, K), from one forward pass.

        Where gradients are enabled the tensor has one, also in frozen networks; `as_map` brings it into the form of a
        feature map.
        """
        features = self.forward_features(x)
        if torch.is_grad_enabled() and not features.requires_grad:
            features.requires_grad_()  # a frozen network: the gradient starts at the feature map
        return features, self.forward_head(features)

    def as_map(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """The tensor of `forward_with_features`, or its gradient, as a map (N, C, H', W').

        Parameters
        ----------
        features : Tensor
            In the network's own form, for instance tokens (N, T, C).
        size : tuple of int
            Height and width of the images in pixels.
        """
        return features

    @property
    def class_weights(self) -> Tensor | None:
        """Weight of each class in `classification_loss`, (K,); None if all are equal.

        It moves with the network and is no part of its checkpoints.
        """
        return self._buffers.get("_class_weights")

    @class_weights.setter
    def class_weights(self, weights: Tensor | None) -> None:
        self.register_buffer("_class_weights", weights, persistent=False)

    def classification_loss(self, logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """Label loss: cross-entropy.

        Parameters
        ----------
        logits : Tensor
            (N, K).
        labels : Tensor
            Class indices (N,), or class probabilities (N, K).
        weight : Tensor, optional
            How much an image of each class counts, positive, (K,); `class_weights` by default.

        Returns
        -------
        Tensor
            Scalar, in at least float32.
        """
        logits = at_least_float32(logits)
        weight = self.class_weights if weight is None else weight
        return F.cross_entropy(logits, labels, None if weight is None else weight.to(logits))

    @property
    def explained_layer(self) -> nn.Module | None:
        """Layer whose output is itself the feature map, if there is one; optimisations leave it alone."""
        return None

    def pooled_linear_head(self) -> nn.Linear | None:
        """The final linear layer if the head is global average pooling and this layer, else None.

        With such a head GradCAM has a closed form and needs no backward pass.
        """
        return None

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """Outputs of the network's stages before their activation, (N, C_l, H_l, W_l), the shallowest first.

        The last one, activated, is the last feature map.

        Raises
        ------
        ExperimentError
            If the network has no stages of feature maps, for instance a vision transformer.
        """
        raise ExperimentError(
            f"{type(self).__name__} has no stages of feature maps that AT or ReviewKD could match; "
            "expected a ResNet or DenseNet."
        )

    def activate(self, stage: Tensor) -> Tensor:
        """Activation of a stage's output: ReLU; the identity in B-cos networks."""
        return torch.relu(stage)

    def class_maps(self, features: Tensor) -> Tensor:
        """Classifier applied at each place of the last feature map, bias included, (N, K, H', W').

        Their mean over space is the logits.

        Raises
        ------
        ExperimentError
            If the head is not global average pooling and one linear layer.
        """
        head = self.pooled_linear_head()
        if head is None:
            raise ExperimentError(
                f"{type(self).__name__} has no class activation maps that CAT-KD could match; expected a network that "
                "ends in global average pooling and a linear layer."
            )
        return F.conv2d(features, head.weight[:, :, None, None], head.bias)

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

    explanation: Any = "bcos"
    family: ClassVar[str] = "bcos"
    input_channels: ClassVar[int] = 6

    def __init__(self, num_classes: int, logit_bias: float | None = None) -> None:
        super().__init__()
        if num_classes < 2:
            raise ExperimentError(f"A B-cos network needs at least two classes, got num_classes = {num_classes}.")
        self.logit_bias = -math.log(num_classes - 1) if logit_bias is None else logit_bias
        self.preprocess = AddInverse()

    def classify_map(self, features: Tensor) -> Tensor:
        """Classifier applied at each place of the last feature map, without the logit bias, (N, K, H', W')."""
        raise ExperimentError(
            f"{type(self).__name__} has no class activation maps that CAT-KD could match; "
            "expected a ResNet or DenseNet."
        )

    def classification_loss(self, logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
        """See `ExplainableModel.classification_loss`: binary cross-entropy with uniform off labels."""
        return uniform_off_label_bce(logits, labels, weight=self.class_weights if weight is None else weight)

    def activate(self, stage: Tensor) -> Tensor:
        """See `ExplainableModel.activate`: B-cos networks have no activation."""
        return stage

    def class_maps(self, features: Tensor) -> Tensor:
        """See `ExplainableModel.class_maps`."""
        return self.classify_map(features) + self.logit_bias

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits (N, K): the average of `class_maps` over space."""
        return self.classify_map(features).mean((2, 3)) + self.logit_bias
