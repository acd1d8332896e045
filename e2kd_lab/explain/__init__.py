"""Explanations of networks, and their pictures."""

from e2kd_lab.explain.bcos import bcos_weights, contribution_maps
from e2kd_lab.explain.comparison import Comparison, compare, compare_class
from e2kd_lab.explain.evidence import evidence_maps
from e2kd_lab.explain.explanation import Explanation, explain
from e2kd_lab.explain.parts import explain_in_parts
from e2kd_lab.explain.shifts import compare_shifted, shift_curve, shifted_crops

__all__ = [
    "Comparison",
    "Explanation",
    "bcos_weights",
    "compare",
    "compare_class",
    "compare_shifted",
    "contribution_maps",
    "evidence_maps",
    "explain",
    "explain_in_parts",
    "shift_curve",
    "shifted_crops",
]
