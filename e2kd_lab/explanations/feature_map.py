"""The CAM family: explanations from a feature map and the gradient of the explained logit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from e2kd_lab.explanations.explanation_method import Explanation, ExplanationMethod
from e2kd_lab.explanations.inner_gradient import explained_logits, inner_gradient
from e2kd_lab.explanations.resizing import resized
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.interface import ExplainableModel


class FeatureMapExplanation(ExplanationMethod):
    """Base of CAMs: a subclass computes the map from features and gradients in `weigh`.

    The base handles second-order gradients, the choice of the feature map, resizing and mixed precision.

    Examples
    --------
    >>> class LayerCAM(FeatureMapExplanation):
    ...     def weigh(self, features, gradients):
    ...         return (gradients.relu() * features).sum(1, keepdim=True).relu()
    """

    pixels_at_once: ClassVar[int] = 256 * 224**2

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """The map (N, 1, H', W') from features F and gradients dz_k / dF of the logit, both (N, C, H', W').

        Both are in at least float32, also under autocast.
        """
        raise NotImplementedError

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        with torch.enable_grad():
            with twice_differentiable(create_graph):
                features, logits = model.forward_with_features(model.preprocess(images))
            explained, classes = explained_logits(logits, classes)
            gradients = inner_gradient(explained, features, create_graph=create_graph, keep=True)
            with torch.autocast(images.device.type, enabled=False):
                size = (images.shape[-2], images.shape[-1])
                features = at_least_float32(features)
                maps = resized(self.weigh(model.as_map(features, size), model.as_map(gradients, size)), size)
        if not create_graph:
            logits, maps = logits.detach(), maps.detach()
        return Explanation(logits, classes, maps)


@contextmanager
def twice_differentiable(needed: bool) -> Iterator[None]:
    """Forward passes inside avoid operators without a second derivative, if ``needed``.

    These are fused attention and the hard sigmoid of MobileNets.
    """
    if not needed:
        yield
        return
    with sdpa_kernel(SDPBackend.MATH), _DecomposedHardsigmoid():
        yield


class _DecomposedHardsigmoid(TorchFunctionMode):
    """Replaces the hard sigmoid by operators with a second derivative; values are equal up to rounding."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.hardsigmoid:
            return F.relu6(args[0] + 3) / 6
        return func(*args, **(kwargs or {}))
