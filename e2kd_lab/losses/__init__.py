"""The losses, as pure functions of logits, features and explanation maps.

Examples
--------
>>> import torch, e2kd_lab as lab
>>> maps = torch.rand(4, 1, 8, 8)
>>> lab.losses.explanation_loss(maps, maps).item() < 1e-6
True
"""

from e2kd_lab.losses.classification import uniform_off_label_bce
from e2kd_lab.losses.decoupled_kd import dkd_loss
from e2kd_lab.losses.dist import dist_loss
from e2kd_lab.losses.e2kd import e2kd_loss
from e2kd_lab.losses.explanation_similarity import explanation_loss
from e2kd_lab.losses.features import attention_transfer_loss, class_attention_loss, review_kd_loss
from e2kd_lab.losses.guidance import energy_guidance_loss, l1_guidance_loss
from e2kd_lab.losses.kd import kd_loss
from e2kd_lab.losses.multilabel_kd import multilabel_kd_loss
from e2kd_lab.losses.standardised_kd import standardised_kd_loss

__all__ = [
    "attention_transfer_loss",
    "class_attention_loss",
    "dist_loss",
    "dkd_loss",
    "e2kd_loss",
    "energy_guidance_loss",
    "explanation_loss",
    "kd_loss",
    "l1_guidance_loss",
    "multilabel_kd_loss",
    "review_kd_loss",
    "standardised_kd_loss",
    "uniform_off_label_bce",
]
