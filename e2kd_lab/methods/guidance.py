"""Guiding a network's explanations to the objects, which is how the paper's VOC and Waterbirds teachers were made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from e2kd_lab.explanations import evidence_maps, explanation_of
from e2kd_lab.losses import energy_guidance_loss, l1_guidance_loss
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError

GuidanceName = Literal["energy", "l1"]
GUIDANCE: tuple[GuidanceName, ...] = ("energy", "l1")


@dataclass(frozen=True)
class Guidance:
    """A loss on where a network's own positive evidence lies (Rao et al., ICCV 2023).

    Of each image one of its classes, drawn at random, is explained: by the contributions of the pixels for B-cos
    networks, by GradCAM for standard ones.

    Attributes
    ----------
    name : str
        ``energy`` keeps the evidence within the object (a high EPG), ``l1`` also fills it (a high IoU).
    weight : float
        Of this loss beside the label loss.

    Raises
    ------
    ExperimentError
        If the name is not known or the weight is negative.
    """

    name: GuidanceName
    weight: float

    def __post_init__(self) -> None:
        if self.name not in GUIDANCE:
            raise ExperimentError(f"There is no guidance '{self.name}'; expected one of {', '.join(GUIDANCE)}.")
        if not self.weight >= 0:
            raise ExperimentError(f"The weight of guidance is {self.weight}; expected at least 0.")

    def __call__(self, model: ExplainableModel, images: Tensor, labels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of a batch and its guidance loss, from one forward pass.

        Parameters
        ----------
        model : ExplainableModel
            The network in training.
        images : Tensor
            RGB images in [0, 1], (N, 3, H, W).
        labels : Tensor
            Class indices (N,), or which classes an image shows (N, K).
        masks : Tensor
            Where the objects are: (N, K, H, W), or (N, 1, H, W) for the only object of an image.

        Returns
        -------
        logits, loss : Tensor
            (N, K), and a scalar: the mean over the images that show an object.
        """
        classes = labels if labels.ndim == 1 else _one_of(labels)
        explanation = explanation_of(model)(model, images, classes, create_graph=True)
        maps = evidence_maps(model, images, explanation.maps)
        channels = classes.clamp(max=masks.shape[1] - 1)
        chosen = masks[torch.arange(len(masks), device=masks.device), channels]
        loss = energy_guidance_loss if self.name == "energy" else l1_guidance_loss
        return explanation.logits, loss(maps, chosen)


def _one_of(labels: Tensor) -> Tensor:
    """One class that each image shows, drawn at random; any class where it shows none."""
    return torch.multinomial(labels.float() + 1e-9, 1)[:, 0]
