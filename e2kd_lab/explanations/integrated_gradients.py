"""Integrated gradients (Sundararajan et al., ICML 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.explanations.explanation_method import Explanation, ExplanationMethod
from e2kd_lab.explanations.feature_map import twice_differentiable
from e2kd_lab.explanations.input_gradient import image_gradient
from e2kd_lab.explanations.registry import register_explanation
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.models.preserved_state import preserved_buffers
from e2kd_lab.system.errors import ExperimentError
from e2kd_lab.system.fields import check_types


@register_explanation("integrated_gradients", title="Integrated gradients")
@dataclass(frozen=True)
class IntegratedGradients(ExplanationMethod):
    r"""The gradient of the explained logit, averaged from a baseline to the image, times their difference; signed.

    .. math:: E = \sum_c (x - x^0)_c \odot \int_0^1 \frac{\partial z_k}{\partial x_c} (x^0 + a (x - x^0)) \, da

    The integral is a Gauss-Legendre sum. It is complete: the map sums up to :math:`z_k(x) - z_k(x^0)`. A map costs
    ``steps`` forward and backward passes, and its graph as much memory; running statistics see the image alone.

    Attributes
    ----------
    steps : int
        Points m of the sum, >= 1.
    baseline : float
        Grey value of the baseline image, in [0, 1]; 0 is black.

    Raises
    ------
    ExperimentError
        If a field is not in its range.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> model, images = lab.build_model("resnet_mini", num_classes=2).eval(), torch.rand(1, 3, 32, 32)
    >>> lab.explain(model, images, method=IntegratedGradients(steps=8, baseline=0.5)).maps.shape
    torch.Size([1, 1, 32, 32])
    """

    is_signed: ClassVar[bool] = True
    passes_whole_network: ClassVar[bool] = True
    steps: int = 16
    baseline: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        if self.steps < 1:
            raise ExperimentError(f"Integrated gradients have steps = {self.steps}; expected at least 1.")
        if not 0 <= self.baseline <= 1:
            raise ExperimentError(
                f"Integrated gradients have baseline = {self.baseline}; expected a grey value in [0, 1]."
            )

    def __call__(
        self, model: ExplainableModel, images: Tensor, classes: Tensor | None = None, *, create_graph: bool = False
    ) -> Explanation:
        """See `ExplanationMethod.__call__`."""
        with torch.set_grad_enabled(create_graph), twice_differentiable(create_graph):
            logits = model(model.preprocess(images))
        classes = logits.detach().argmax(dim=1) if classes is None else classes
        path = images - self.baseline
        mean = torch.zeros_like(path)
        points, weights = np.polynomial.legendre.leggauss(self.steps)  # on [-1, 1]; the weights sum up to 2
        with preserved_buffers(model):
            for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
                between = self.baseline + float(point) * path
                mean = mean + float(weight) * image_gradient(model, between, classes, create_graph=create_graph)[2]
        return Explanation(logits, classes, (path * mean).sum(dim=1, keepdim=True))


@register_explanation("integrated_gradients_4", title="Integrated gradients, 4 steps")
@dataclass(frozen=True)
class FewStepsIntegratedGradients(IntegratedGradients):
    """Integrated gradients at a quarter of the cost, for training on a CPU; no longer complete.

    Examples
    --------
    >>> FewStepsIntegratedGradients().steps
    4
    """

    steps: int = 4
