"""An ordinary convolutional network as a B-cos network (see `e2kd_lab.models.bcosify`)."""

from __future__ import annotations

from torch import Tensor, nn

from e2kd_lab.models.dynamic_functions import DynamicFunctions
from e2kd_lab.models.interface import BcosModel, ExplainableModel


class BcosifiedModel(BcosModel):
    """An ordinary network whose layers, functions and head have become those of a B-cos network.

    Parameters
    ----------
    network : ExplainableModel
        The converted network, of which the classifier has been taken out if there is a ``classifier``.
    num_classes : int
        Number of logits, K >= 2.
    logit_bias : float, optional
        Added to all logits; -log(K - 1) if None.

    Attributes
    ----------
    classifier : nn.Module or None
        The classifier as a 1x1 convolution before global average pooling; None if the network's head is another one and
        stays as it is.
    averages : bool
        Whether max pooling became average pooling.
    num_classes : int
        Number of logits.
    b : float
        The exponent B of all layers.
    smooth : bool
        Whether kernels of strides are averaged.
    """

    classifier: nn.Module | None

    def __init__(self, network: ExplainableModel, num_classes: int, logit_bias: float | None = None) -> None:
        super().__init__(num_classes, logit_bias)
        self.network = network
        self.classifier = None
        self.averages = self.smooth = False
        self.num_classes, self.b = num_classes, 1.0

    def _functions(self) -> DynamicFunctions:
        return DynamicFunctions(average=self.averages)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of the images that the network was looked at with; None if it takes any."""
        return getattr(self.network, "image_size", None)

    @property
    def explained_layer(self) -> nn.Module | None:
        """See `ExplainableModel.explained_layer`."""
        return self.network.explained_layer

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of RGB images and their inverse, (N, 6, H, W)."""
        if self.classifier is not None:
            return super().forward(x)
        with self._functions():
            return self.network(x) + self.logit_bias

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map (N, C, H', W')."""
        with self._functions():
            return self.network.forward_features(x)

    def forward_with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `ExplainableModel.forward_with_features`."""
        if self.classifier is not None:
            return super().forward_with_features(x)
        with self._functions():
            features, logits = self.network.forward_with_features(x)
        return features, logits + self.logit_bias

    def as_map(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """See `ExplainableModel.as_map`."""
        return features if self.classifier is not None else self.network.as_map(features, size)

    def forward_stages(self, x: Tensor) -> list[Tensor]:
        """See `ExplainableModel.forward_stages`: the stages of the network that was converted."""
        with self._functions():
            return self.network.forward_stages(x)

    def activate(self, stage: Tensor) -> Tensor:
        """See `ExplainableModel.activate`: ReLUs of the network stay."""
        return self.network.activate(stage)

    def classify_map(self, features: Tensor) -> Tensor:
        """See `BcosModel.classify_map`."""
        return super().classify_map(features) if self.classifier is None else self.classifier(features)
