"""Networks by name: the paper's, small ones for the lab, your own, and other libraries'."""

from __future__ import annotations

# Importing a file of networks registers them.
from e2kd_lab.models import bcos_densenet, bcos_resnet, bcosified_names, resnet_mini, standard, vit, zoo  # noqa: F401
from e2kd_lab.models.adapted import AdaptedModel
from e2kd_lab.models.bcosified import BcosifiedModel
from e2kd_lab.models.bcosify import Step, bcosify, bcosify_steps
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.registry import (
    MODELS,
    ZOOS,
    Zoo,
    build_model,
    explanation_by_name,
    model_exists,
    model_names,
    register_model,
    register_zoo,
    require_model,
)

__all__ = [
    "MODELS",
    "ZOOS",
    "AdaptedModel",
    "BcosModel",
    "BcosifiedModel",
    "ExplainableModel",
    "Step",
    "Zoo",
    "bcosify",
    "bcosify_steps",
    "build_model",
    "explanation_by_name",
    "model_exists",
    "model_names",
    "register_model",
    "register_zoo",
    "require_model",
]
