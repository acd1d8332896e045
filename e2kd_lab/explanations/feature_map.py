"""Explanations that weigh a feature map by the gradient of the explained logit: the CAM family."""

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
from e2kd_lab.explanations.resizing import resized
from e2kd_lab.losses.precision import at_least_float32
from e2kd_lab.models.interface import ExplainableModel


class FeatureMapExplanation(ExplanationMethod):
    """Base of CAMs: a subclass says in `weigh` how features and gradients make a map.

    Second-order gradients, the network's own choice of feature map, resizing and mixed precision are taken care of.

    Examples
    --------
    >>> class LayerCAM(FeatureMapExplanation):
    ...     def weigh(self, features, gradients):
    ...         return (gradients.relu() * features).sum(1, keepdim=True).relu()
    """

    pixels_at_once: ClassVar[int] = 256 * 224**2

    def weigh(self, features: Tensor, gradients: Tensor) -> Tensor:
        """The map (N, 1, H', W') of features F and gradients dz_k / dF of the explained logits, both (N, C, H', W')."""
        raise NotImplementedError

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        with torch.enable_grad():
            with twice_differentiable(create_graph):
                features, logits = model.forward_with_features(model.preprocess(images))
            if classes is None:
                classes = logits.detach().argmax(dim=1)
            explained = logits.gather(1, classes[:, None]).sum()
            with torch.autocast(images.device.type, enabled=False):
                (gradients,) = torch.autograd.grad(explained, features, create_graph=create_graph, retain_graph=True)
                size = (images.shape[-2], images.shape[-1])
                maps = self.weigh(model.as_map(features, size), model.as_map(gradients, size))
                maps = resized(at_least_float32(maps), size)
        if not create_graph:
            logits, maps = logits.detach(), maps.detach()
        return Explanation(logits, classes, maps)


@contextmanager
def twice_differentiable(needed: bool) -> Iterator[None]:
    """Forward passes inside use operators that have a second derivative, where torch's usual ones have none.

    Those are fused attention and the hard sigmoid of MobileNets.
    """
    if not needed:
        yield
        return
    with sdpa_kernel(SDPBackend.MATH), _WrittenOut():
        yield


class _WrittenOut(TorchFunctionMode):
    """Calls operators without a second derivative in parts that have one; the values are the same up to rounding."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.hardsigmoid:
            return F.relu6(args[0] + 3) / 6
        return func(*args, **(kwargs or {}))
