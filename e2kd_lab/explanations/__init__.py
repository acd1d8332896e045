"""Explanations of networks, one file each, and their pictures.

Examples
--------
>>> import torch, e2kd_lab as lab
>>> model = lab.build_model("bcos_resnet_mini", num_classes=2).eval()
>>> lab.explanations.explain(model, torch.rand(1, 3, 32, 32)).maps.shape
torch.Size([1, 6, 32, 32])
"""

from e2kd_lab.explanations.bcos_weights import BcosWeights, bcos_weights, contribution_maps
from e2kd_lab.explanations.comparison import Comparison, compare, compare_class
from e2kd_lab.explanations.evidence import evidence_maps
from e2kd_lab.explanations.explain import explain, explain_in_parts
from e2kd_lab.explanations.explanation_method import Explanation, ExplanationMethod
from e2kd_lab.explanations.faithfulness import faithfulness, grid_mosaics, grid_pointing
from e2kd_lab.explanations.feature_map import FeatureMapExplanation
from e2kd_lab.explanations.gradcam import GradCAM
from e2kd_lab.explanations.integrated_gradients import IntegratedGradients
from e2kd_lab.explanations.randomisation import randomisation_cascade, randomised_maps
from e2kd_lab.explanations.registry import EXPLANATIONS, explanation_of, register_explanation
from e2kd_lab.explanations.shifts import compare_shifted, shift_curve, shifted_crops
from e2kd_lab.system.registry import import_files

import_files(__name__, __path__)

__all__ = [
    "EXPLANATIONS",
    "BcosWeights",
    "Comparison",
    "Explanation",
    "ExplanationMethod",
    "FeatureMapExplanation",
    "GradCAM",
    "IntegratedGradients",
    "bcos_weights",
    "compare",
    "compare_class",
    "compare_shifted",
    "contribution_maps",
    "evidence_maps",
    "explain",
    "explain_in_parts",
    "explanation_of",
    "faithfulness",
    "grid_mosaics",
    "grid_pointing",
    "randomisation_cascade",
    "randomised_maps",
    "register_explanation",
    "shift_curve",
    "shifted_crops",
]
