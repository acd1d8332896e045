"""Measures of accuracy and of fidelity to the teacher, as pure functions."""

from e2kd_lab.metrics.fidelity import agreement, dead_maps, explanation_cosine
from e2kd_lab.metrics.groups import group_accuracy, group_means

__all__ = ["agreement", "dead_maps", "explanation_cosine", "group_accuracy", "group_means"]
