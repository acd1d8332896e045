"""Networks by name: the lab's own, those that others register, and other libraries'."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from torch import nn

from e2kd_lab.models.adapt import adapt
from e2kd_lab.models.adapted import AdaptedModel
from e2kd_lab.models.checkpoints import load_weights
from e2kd_lab.models.exported import exported_in
from e2kd_lab.models.interface import ExplainableModel
from e2kd_lab.system.errors import ExperimentError, shown
from e2kd_lab.system.registry import Registry

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])
MODELS: Registry[Callable[..., nn.Module]] = Registry("model", "register_model")


class Zoo(Protocol):
    """A library of networks, named ``prefix/name``, such as ``timm/resnet50``."""

    def names(self) -> Sequence[str]:
        """All names, without the prefix."""

    def exists(self, name: str) -> bool:
        """Whether the library has this network, without building it."""

    def build(
        self, name: str, num_classes: int, image_size: int | tuple[int, int] | None = None, **options: Any
    ) -> nn.Module:
        """Build a network with random weights, for images of this size if it takes a fixed size."""


ZOOS: Registry[Zoo] = Registry("library of networks", "register_zoo")
Library = TypeVar("Library", bound=type)


def register_zoo(prefix: str, *, version: int = 0) -> Callable[[Library], Library]:
    """Register a library of networks: `build_model` then knows all its names, as ``prefix/name``.

    Parameters
    ----------
    prefix : str
        The part of names before the slash.
    version : int
        See `register_model`.

    Raises
    ------
    ExperimentError
        If the prefix is taken.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> from e2kd_lab.models import register_zoo
    >>> @register_zoo("flat_example")
    ... class Flat:
    ...     def names(self): return ["wide", "narrow"]
    ...     def exists(self, name): return name in self.names()
    ...     def build(self, name, num_classes, image_size=None, channels=4): ...
    """

    def register(kind: Library) -> Library:
        ZOOS.add(prefix, kind(), origin=kind, version=version)
        return kind

    return register


def register_model(name: str, *, version: int = 0) -> Callable[[Builder], Builder]:
    """Register a function that builds a network, so that runs can rebuild it by name.

    Parameters
    ----------
    name : str
        Its name in `build_model`, in experiments and on the command line.
    version : int
        Raised when the lab changes what a network of its own computes, so that old runs are not taken for new ones.
        Other networks need none: their code identifies them.

    Raises
    ------
    ExperimentError
        If another plug-in has the name.

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
        MODELS.add(name, builder, origin=builder, version=version)
        return builder

    return register


def model_names() -> list[str]:
    """Registered names, without those of other libraries.

    Examples
    --------
    >>> "bcos_resnet18" in model_names()
    True
    """
    return sorted(MODELS)


def model_exists(name: str) -> bool:
    """Whether `build_model` knows a name; the network is not built.

    Raises
    ------
    ExperimentError
        If the name belongs to a library that is not installed.

    Examples
    --------
    >>> model_exists("resnet18"), model_exists("resnet19"), model_exists("torchvision/resnet18")
    (True, False, True)
    """
    library, own = _split(name)
    return name in MODELS if library is None else ZOOS[library].exists(own)


def model_version(name: str) -> int:
    """The version that a network, or its library, was registered with; it is part of the names of runs.

    Examples
    --------
    >>> model_version("resnet18"), model_version("bcos_resnet_mini"), model_version("bcosified/resnet18")
    (0, 1, 1)
    """
    library, _ = _split(name)
    return MODELS.version(name) if library is None else ZOOS.version(library)


def require_model(name: str) -> None:
    """Refuse a name that `build_model` does not know.

    Raises
    ------
    ExperimentError
        One sentence with similar names.

    Examples
    --------
    >>> require_model("torchvision/resnet18")
    """
    library, own = _split(name)
    if library is None:
        MODELS[name]
    elif not ZOOS[library].exists(own):
        close = difflib.get_close_matches(own, ZOOS[library].names(), 5, 0.4)
        near = ", ".join(f"{library}/{other}" for other in close)
        raise ExperimentError(
            f"{library} has no model '{shown(own)}'; expected " + (f"for instance {near}." if near else "its names.")
        )


def explanation_by_name(name: str) -> str | None:
    """Default explanation of a network, without building it; None if only the built network knows.

    Raises
    ------
    ExperimentError
        If there is no such network.

    Examples
    --------
    >>> explanation_by_name("resnet18"), explanation_by_name("bcos_resnet18")
    ('gradcam', 'bcos')
    """
    require_model(name)
    library, _ = _split(name)
    if library is not None:
        return getattr(ZOOS[library], "explanation", AdaptedModel.explanation)
    kind = typing.get_type_hints(MODELS[name]).get("return")
    return kind.explanation if isinstance(kind, type) and issubclass(kind, ExplainableModel) else None


def build_model(
    name: str,
    num_classes: int | None = None,
    *,
    weights: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    **options: Any,
) -> ExplainableModel:
    """Build a network by its name.

    Parameters
    ----------
    name : str
        One of `model_names`, or one of another library: ``timm/resnet50``, ``torchvision/convnext_tiny``,
        ``transformers/vit``, or ``transformers/FOLDER``. Or a folder that ``e2kd-lab export`` wrote, whose network,
        weights and size of images are taken.
    num_classes : int
        Number of logits, K >= 1; that of an exported folder by default.
    weights : str, optional
        Checkpoint file or torchvision weight enum (see `e2kd_lab.models.checkpoints.load_weights`); random if None.
    image_size : int, optional
        Side in pixels of the images, for networks that take a fixed size.
    **options
        Options of the network, for instance ``width`` of ``resnet_mini``.

    Returns
    -------
    ExplainableModel
        In training mode, float32, on the CPU; maps ``model.preprocess(images)`` to logits (N, K). Networks of other
        libraries are adapted (see `e2kd_lab.adapt`).

    Raises
    ------
    ExperimentError
        If the name, the number of classes or an option is unknown or invalid.
    CheckpointError
        If the weights cannot be read or do not fit.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.build_model("torchvision/squeezenet1_1", num_classes=4, image_size=64).findings.layer
    'classifier.2'
    """
    # A name stays that of its network, wherever the program is called; "./NAME" is the folder.
    is_known = name in MODELS or _split(name)[0] is not None
    if weights is None and not is_known and (about := exported_in(name)) is not None:
        return _exported(name, about, num_classes, image_size, options)
    require_model(name)
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ExperimentError(f"Model '{name}' has num_classes = {shown(num_classes)}; expected at least 1.")
    library, own = _split(name)
    if library is None:
        model = _built(name, num_classes, image_size, options)
    else:
        try:
            model = ZOOS[library].build(own, num_classes, image_size, **options)
        except (TypeError, ValueError, AssertionError) as error:
            raise ExperimentError(
                f"Model '{name}' cannot be built with image_size = {image_size} and these options ({shown(options)}): "
                f"{error}."
            ) from error
    if not isinstance(model, nn.Module):
        raise ExperimentError(f"Model '{name}' built a {type(model).__name__}; expected a torch.nn.Module.")
    explainable = model if isinstance(model, ExplainableModel) else adapt(model, image_size=image_size)
    if weights is not None:
        load_weights(explainable, name, weights)
    return explainable


def _exported(
    folder: str,
    about: dict[str, Any],
    num_classes: int | None,
    image_size: int | tuple[int, int] | None,
    options: dict[str, Any],
) -> ExplainableModel:
    """The network of an exported folder, with its weights."""
    if num_classes not in (None, about["num_classes"]):
        raise ExperimentError(
            f"{folder} holds a network of {about['num_classes']} classes; expected num_classes to be this, or left out."
        )
    size = tuple(about["image_size"]) if isinstance(about["image_size"], list) else about["image_size"]
    model = build_model(
        about["network"], about["num_classes"], weights=folder, image_size=image_size or size, **options
    )
    if about["explanation"] is not None:
        model.explanation = about["explanation"]
    return model


def _built(name: str, num_classes: int, image_size: int | tuple[int, int] | None, options: dict[str, Any]) -> nn.Module:
    signature = inspect.signature(MODELS[name])
    if image_size is not None and "image_size" in signature.parameters:
        options = {"image_size": image_size, **options}
    try:
        signature.bind(num_classes, **options)
    except TypeError as error:
        raise ExperimentError(f"Model '{name}' does not take these options: {error}.") from error
    return MODELS[name](num_classes, **options)


def _split(name: str) -> tuple[str | None, str]:
    """A library and its name for a network; None and the name for registered networks."""
    library, slash, own = name.partition("/")
    return (library, own) if slash and library in ZOOS else (None, name)
