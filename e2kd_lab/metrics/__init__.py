"""Measures of accuracy, of fidelity to the teacher and of faithful explanations, as pure functions.

Examples
--------
>>> import torch, e2kd_lab as lab
>>> logits = torch.eye(3)
>>> lab.metrics.agreement(logits, logits)
1.0
"""

from e2kd_lab.metrics.agreement import agreement
from e2kd_lab.metrics.bootstrap import Interval, bootstrap_interval
from e2kd_lab.metrics.epg_iou import energy_pointing_game, explanation_iou
from e2kd_lab.metrics.explanation_cosine import dead_maps, explanation_cosine
from e2kd_lab.metrics.f1 import multilabel_f1
from e2kd_lab.metrics.grid_pointing import grid_members, grid_pointing_game, image_grids
from e2kd_lab.metrics.groups import Grouping, group_accuracy, group_means
from e2kd_lab.metrics.infidelity import infidelity, sensitivity
from e2kd_lab.metrics.insertion_deletion import (
    area_under,
    blurred,
    delete_pixels,
    deletion_curve,
    insert_pixels,
    insertion_curve,
)
from e2kd_lab.metrics.predictions import Predictions
from e2kd_lab.metrics.rank_correlation import rank_correlation
from e2kd_lab.metrics.shift_similarity import PeriodEstimate, estimate_period, shift_similarity

__all__ = [
    "Grouping",
    "Interval",
    "PeriodEstimate",
    "Predictions",
    "agreement",
    "area_under",
    "blurred",
    "bootstrap_interval",
    "dead_maps",
    "delete_pixels",
    "deletion_curve",
    "energy_pointing_game",
    "estimate_period",
    "explanation_cosine",
    "explanation_iou",
    "grid_members",
    "grid_pointing_game",
    "group_accuracy",
    "group_means",
    "image_grids",
    "infidelity",
    "insert_pixels",
    "insertion_curve",
    "multilabel_f1",
    "rank_correlation",
    "sensitivity",
    "shift_similarity",
]
