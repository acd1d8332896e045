"""Networks by name, the lab's and a stranger's by the same door."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from e2kd_lab.errors import ExperimentError, shown
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.registry import Registry

# Larger values are almost surely typos, and would fill the memory.
MOST_CLASSES = 1_000_000

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])
MODELS: Registry[Callable[..., nn.Module]] = Registry("model", "register_model")


def register_model(name: str) -> Callable[[Builder], Builder]:
    """Make a function known that builds a network, so that runs can rebuild it anywhere.

    Parameters
    ----------
    name : str
        What `build_model`, experiments and the command line call it.

    Raises
    ------
    ExperimentError
        If the name is taken.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> from torch import nn
    >>> @lab.register_model("two_layers_example")
    ... def two_layers(num_classes):
    ...     pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))
    ...     return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), pool)
    >>> lab.build_model("two_layers_example", num_classes=2).explanation
    'gradcam'
    """

    def register(builder: Builder) -> Builder:
        MODELS.add(name, builder, origin=builder)
        return builder

    return register


def model_names() -> list[str]:
    """The registered names that `build_model` knows, without those of other libraries."""
    return sorted(MODELS)


def explanation_by_name(name: str) -> str | None:
    """How a network of the lab is explained unless told otherwise; None where only the built network tells.

    Raises
    ------
    ExperimentError
        If there is no such network.
    """
    kind = typing.get_type_hints(MODELS[name]).get("return")
    return kind.explanation if isinstance(kind, type) and issubclass(kind, ExplainableModel) else None


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
    builder = MODELS[name]
    if not isinstance(num_classes, int) or not 1 <= num_classes <= MOST_CLASSES:
        raise ExperimentError(
            f"Model '{name}' needs at least one class and at most {MOST_CLASSES}, "
            f"got num_classes = {shown(num_classes)}."
        )
    try:
        inspect.signature(builder).bind(num_classes, **options)
    except TypeError as error:
        raise ExperimentError(f"Model '{name}' does not take these options: {error}.") from error
    model = builder(num_classes, **options)
    if not isinstance(model, ExplainableModel):
        raise ExperimentError(f"Model '{name}' built a {type(model).__name__}; expected an ExplainableModel.")
    if weights is not None:
        load_weights(model, name, weights)
    return model
