"""Measures of accuracy and of fidelity to the teacher, as pure functions.

Examples
--------
>>> import torch, e2kd_lab as lab
>>> logits = torch.eye(3)
>>> lab.metrics.agreement(logits, logits)
1.0
"""

from e2kd_lab.metrics.agreement import agreement
from e2kd_lab.metrics.epg_iou import energy_pointing_game, explanation_iou
from e2kd_lab.metrics.explanation_cosine import dead_maps, explanation_cosine
from e2kd_lab.metrics.f1 import multilabel_f1
from e2kd_lab.metrics.groups import Grouping, group_accuracy, group_means
from e2kd_lab.metrics.predictions import Predictions
from e2kd_lab.metrics.shift_similarity import PeriodEstimate, estimate_period, shift_similarity

__all__ = [
    "Grouping",
    "PeriodEstimate",
    "Predictions",
    "agreement",
    "dead_maps",
    "energy_pointing_game",
    "estimate_period",
    "explanation_cosine",
    "explanation_iou",
    "group_accuracy",
    "group_means",
    "multilabel_f1",
    "shift_similarity",
]
