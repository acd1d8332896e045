"""Guiding a network's explanations to the objects, as for the paper's VOC and Waterbirds teachers."""

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
    """A loss on the location of a network's own positive evidence (Rao et al., ICCV 2023).

    It explains one class of each image, drawn at random: by pixel contributions for B-cos networks, by GradCAM for
    standard ones.

    Attributes
    ----------
    name : str
        ``energy`` keeps the evidence inside the object (high EPG); ``l1`` also fills the object (high IoU).
    weight : float
        Weight of this loss, added to the label loss; >= 0.

    Raises
    ------
    ExperimentError
        If the name is unknown or the weight is negative.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> student = lab.build_model("resnet_mini", num_classes=3)
    >>> guided = lab.methods.Baseline(student, guidance=Guidance("energy", weight=0.5))
    >>> images, masks = torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32)
    >>> sorted(guided(images, torch.tensor([0, 2]), masks=masks))
    ['guidance_loss', 'label_loss', 'loss']
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
            Class indices (N,), or 0 and 1 for each class (N, K).
        masks : Tensor
            Object masks: per class (N, K, H, W), or of the only object (N, 1, H, W).

        Returns
        -------
        logits, loss : Tensor
            (N, K), and a scalar: the mean over images with a nonempty mask.
        """
        classes = labels if labels.ndim == 1 else _one_of(labels)
        logits, _, maps = explanation_of(model)(model, images, classes, create_graph=True)
        evidence = evidence_maps(model, images, maps)
        channels = classes.clamp(max=masks.shape[1] - 1)
        chosen = masks[torch.arange(len(masks), device=masks.device), channels]
        loss = energy_guidance_loss if self.name == "energy" else l1_guidance_loss
        return logits, loss(evidence, chosen)


def _one_of(labels: Tensor) -> Tensor:
    """A random class of each image; any class if it has none."""
    return torch.multinomial(labels.float() + 1e-9, 1)[:, 0]
