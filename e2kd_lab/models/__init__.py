"""Networks by name: torchvision's for the paper's experiments, small ones for the lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from e2kd_lab.errors import ExperimentError, shown
from e2kd_lab.models.bcos_densenet import bcos_densenet169, bcos_densenet_mini, bcos_densenet_mini_deep
from e2kd_lab.models.bcos_resnet import (
    bcos_resnet18,
    bcos_resnet34,
    bcos_resnet50,
    bcos_resnet_mini,
    bcos_resnet_mini_deep,
)
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.models.interface import BcosModel, ExplainableModel
from e2kd_lab.models.resnet_mini import resnet_mini, resnet_mini_deep
from e2kd_lab.models.standard import densenet169, resnet18, resnet34, resnet50
from e2kd_lab.models.vit import (
    bcos_simple_vit_ti_patch16_224,
    bcos_vit_mini,
    bcos_vitc_ti_patch1_14,
    simple_vit_ti_patch16_224,
)

__all__ = ["MOST_CLASSES", "BcosModel", "ExplainableModel", "build_model", "model_names"]

# More is a slip that would fill the memory.
MOST_CLASSES = 1_000_000
_REGISTRY: dict[str, Callable[..., ExplainableModel]] = {
    builder.__name__: builder
    for builder in (
        resnet18,
        resnet34,
        resnet50,
        densenet169,
        simple_vit_ti_patch16_224,
        resnet_mini,
        resnet_mini_deep,
        bcos_resnet18,
        bcos_resnet34,
        bcos_resnet50,
        bcos_densenet169,
        bcos_simple_vit_ti_patch16_224,
        bcos_vitc_ti_patch1_14,
        bcos_resnet_mini,
        bcos_resnet_mini_deep,
        bcos_densenet_mini,
        bcos_densenet_mini_deep,
        bcos_vit_mini,
    )
}


def model_names() -> list[str]:
    """The names that `build_model` knows."""
    return sorted(_REGISTRY)


def build_model(name: str, num_classes: int, *, weights: str | None = None, **options: Any) -> ExplainableModel:
    """Build a network by its registry name.

    Parameters
    ----------
    name : str
        One of `model_names`.
    num_classes : int
        Number of logits, K >= 1.
    weights : str, optional
        Checkpoint file or torchvision weight enum (see `e2kd_lab.models.checkpoints.load_weights`); random if None.
    **options
        Options of the network, for instance ``width`` of ``resnet_mini``.

    Returns
    -------
    ExplainableModel
        In training mode, float32, on the CPU; maps ``model.preprocess(images)`` to logits (N, K).

    Raises
    ------
    ExperimentError
        If the name, the number of classes or an option is not known or not valid.
    CheckpointError
        If the weights cannot be read or do not fit.
    """
    if name not in _REGISTRY:
        raise ExperimentError(f"There is no model '{shown(name)}'; expected one of {', '.join(model_names())}.")
    if not isinstance(num_classes, int) or not 1 <= num_classes <= MOST_CLASSES:
        raise ExperimentError(
            f"Model '{name}' needs at least one class and at most {MOST_CLASSES}, "
            f"got num_classes = {shown(num_classes)}."
        )
    try:
        model = _REGISTRY[name](num_classes, **options)
    except TypeError as error:
        raise ExperimentError(f"Model '{name}' does not take these options: {error}.") from error
    if weights is not None:
        load_weights(model, name, weights)
    return model
