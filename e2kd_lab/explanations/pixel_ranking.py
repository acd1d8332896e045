"""The order in which an explanation ranks the pixels of one image, and what it is worth to the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from e2kd_lab.explanations.evidence import evidence_maps
from e2kd_lab.explanations.explain import explain_in_parts
from e2kd_lab.explanations.faithfulness import logits_in_parts
from e2kd_lab.explanations.registry import explanation_of
from e2kd_lab.metrics import deletion_curve, insertion_curve
from e2kd_lab.models.interface import ExplainableModel


@dataclass(frozen=True)
class PixelRanking:
    """A network's evidence for its own prediction of an image, and its insertion and deletion curves.

    Attributes
    ----------
    evidence : Tensor
        (H, W).
    signed : bool
        Whether evidence may be negative.
    predicted : int
        The predicted class, which is explained.
    insertion, deletion : Tensor
        Probability of this class, (steps + 1,), while the share of pixels grows from 0 to 1.
    """

    evidence: Tensor
    signed: bool
    predicted: int
    insertion: Tensor
    deletion: Tensor


def pixel_rankings(
    networks: Mapping[str, ExplainableModel], image: Tensor, *, steps: int = 32
) -> dict[str, PixelRanking]:
    """Rank the pixels of an image by the explanation of each network, for its own prediction.

    Parameters
    ----------
    networks : mapping
        Networks in evaluation mode by name.
    image : Tensor
        RGB image in [0, 1], (3, H, W), on the networks' device.
    steps : int
        Steps of the curves.

    Examples
    --------
    >>> import torch, e2kd_lab as lab
    >>> networks = {"kd": lab.build_model("resnet_mini", num_classes=3).eval()}
    >>> pixel_rankings(networks, torch.rand(3, 32, 32), steps=4)["kd"].insertion.shape
    torch.Size([5])
    """
    found, images = {}, image[None]
    for name, model in networks.items():
        _, classes, maps = explain_in_parts(model, images)
        evidence, explanation = evidence_maps(model, images, maps), explanation_of(model)
        logits = partial(logits_in_parts, model)
        found[name] = PixelRanking(
            evidence[0],
            explanation.is_signed or explanation.has_contributions,
            int(classes[0]),
            insertion_curve(logits, images, evidence, classes, steps=steps)[0],
            deletion_curve(logits, images, evidence, classes, steps=steps)[0],
        )
    return found
