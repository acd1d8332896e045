"""Networks by name: torchvision's for the paper's experiments, small ones for the lab, a stranger's own."""

from __future__ import annotations

# Importing a file of networks registers them.
from e2kd_lab.models import bcos_densenet, bcos_resnet, resnet_mini, standard, vit  # noqa: F401
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.registry import (
    MODELS,
    MOST_CLASSES,
    build_model,
    explanation_by_name,
    model_names,
    register_model,
)

__all__ = [
    "MODELS",
    "MOST_CLASSES",
    "BcosModel",
    "ExplainableModel",
    "build_model",
    "explanation_by_name",
    "model_names",
    "register_model",
]
