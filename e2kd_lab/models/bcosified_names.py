"""B-cosified networks by name: ``bcosified/resnet50``, ``bcosified/timm/efficientnet_b0``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from e2kd_lab.models.bcosified import BcosifiedModel
from e2kd_lab.models.bcosify import converted
from e2kd_lab.models.registry import MODELS, build_model, explanation_by_name, model_exists, register_zoo
from e2kd_lab.system.errors import ExperimentError

_LIBRARY = "bcosified"


@register_zoo(_LIBRARY, version=1)  # 1: smooth strides
class Bcosified:
    """Every network that is no B-cos network yet, converted with random weights (see `e2kd_lab.bcosify`).

    Options are those of the network, ``b`` and ``smooth``. Weights of a converted network can be loaded into it; those
    of an ordinary network are converted by `load_ordinary`.
    """

    explanation = BcosifiedModel.explanation

    def names(self) -> Sequence[str]:
        """Names of the lab's own networks; those of other libraries can be converted, too."""
        return [name for name in MODELS if self.exists(name)]

    def exists(self, name: str) -> bool:
        """Whether there is an ordinary network of this name."""
        return model_exists(name) and explanation_by_name(name) != self.explanation

    def build(
        self, name: str, num_classes: int, image_size: int | tuple[int, int] | None = None, **options: Any
    ) -> nn.Module:
        """Build a network with random weights, and convert it."""
        own = {option: options.pop(option) for option in ("b", "smooth") if option in options}
        return converted(build_model(name, num_classes, image_size=image_size, **options), **own)


def ordinary_name(name: str) -> str | None:
    """Name of the network that a B-cosified one is converted from; None for other networks.

    Examples
    --------
    >>> ordinary_name("bcosified/timm/resnet18"), ordinary_name("bcos_resnet18")
    ('timm/resnet18', None)
    """
    library, _, own = name.partition("/")
    return own if library == _LIBRARY else None


def bcosified_name(name: str) -> str:
    """Name of the network that an ordinary one is converted to.

    Examples
    --------
    >>> bcosified_name("timm/resnet18")
    'bcosified/timm/resnet18'
    """
    return f"{_LIBRARY}/{name}"


def load_ordinary(model: BcosifiedModel, name: str, weights: str) -> None:
    """Convert the weights of an ordinary network, and load them into the B-cosified one.

    Parameters
    ----------
    model : BcosifiedModel
        The network of this name.
    name : str
        Its name, ``bcosified/...``.
    weights : str
        Weights of the ordinary network (see `e2kd_lab.models.checkpoints.load_weights`).

    Raises
    ------
    ExperimentError
        If the name is that of another network.
    CheckpointError
        If the weights cannot be read or do not fit.
    """
    ordinary = ordinary_name(name)
    if ordinary is None:
        raise ExperimentError(f"'{name}' is not converted from an ordinary network; expected bcosified/NAME.")
    network = build_model(ordinary, model.num_classes, weights=weights, image_size=model.image_size)
    model.load_state_dict(converted(network, b=model.b, smooth=model.smooth).state_dict())
