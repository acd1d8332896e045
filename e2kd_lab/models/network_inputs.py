"""Input that a network of another library expects: image size, mean and standard deviation."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from e2kd_lab.models.preprocess import Normalize
from e2kd_lab.system.errors import ExperimentError, LabNote

_USUAL, *_SMALLER = 224, 64, 32
Size = int | tuple[int, int]


def height_and_width(size: Size) -> tuple[int, int]:
    """A size in pixels as (height, width); one number is the side of a square."""
    return (size, size) if isinstance(size, int) else size


def preprocessing_of(
    module: nn.Module,
    preprocess: Callable[[Tensor], Tensor] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> tuple[Callable[[Tensor], Tensor], str]:
    """Preprocessing from RGB images in [0, 1] to a network's input, and its source.

    Parameters
    ----------
    module : nn.Module
        The network.
    preprocess : callable, optional
        A module or function, or an image processor of transformers or torchvision, of which mean and standard deviation
        are taken: the lab has images of the right size.
    mean, std : sequence of float, optional
        Three numbers each.

    Raises
    ------
    ExperimentError
        If both are given, or they are not three numbers each.
    """
    if preprocess is not None:
        if mean is not None or std is not None:
            raise ExperimentError("Both 'preprocess' and 'mean' or 'std' are given; expected one of them.")
        return _given(preprocess)
    if mean is not None or std is not None:
        return normalization(mean or (0.0, 0.0, 0.0), std or (1.0, 1.0, 1.0)), "as given"
    for source, values in _recorded(module):
        if "mean" in values and "std" in values:
            return normalization(values["mean"], values["std"]), source
    name = type(module).__name__
    warnings.warn(
        LabNote(
            f"How {name} wants its images normalised is not recorded in it, so that it is given RGB in [0, 1] as they "
            "are; lab.adapt(model, mean=..., std=...) or preprocess=... changes that."
        ),
        stacklevel=3,
    )
    return nn.Identity(), "nothing is recorded; mean=, std= or preprocess= change it"


def normalization(mean: Sequence[float], std: Sequence[float]) -> nn.Module:
    """Subtract the mean, divide by the standard deviation; nothing if they are 0 and 1.

    Raises
    ------
    ExperimentError
        If they are not three numbers each, the deviations above zero.
    """
    try:
        numbers = [tuple(float(value) for value in values) for values in (mean, std)]
    except (TypeError, ValueError):
        numbers = [(), ()]
    if any(len(values) != 3 for values in numbers) or not all(value > 0 for value in numbers[1]):
        raise ExperimentError(
            f"Images cannot be normalised by mean {mean} and std {std}; expected three numbers each, for red, green "
            "and blue in [0, 1], std above zero."
        )
    if numbers == [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0)]:
        return nn.Identity()
    return Normalize(*numbers)


def sizes_to_try(module: nn.Module, image_size: Size | None) -> list[tuple[int, int]]:
    """Candidate image sizes: the one asked for, else its library's, else common ones.

    Raises
    ------
    ExperimentError
        If the size is not one or two whole numbers above zero.
    """
    if image_size is not None:
        size = (image_size, image_size) if not isinstance(image_size, tuple | list) else tuple(image_size)
        if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
            raise ExperimentError(f"'image_size' is {image_size}; expected pixels, or (height, width).")
        return [(size[0], size[1])]
    own = [size for size in map(_as_size, _recorded_sizes(module)) if size is not None]
    return [*own[:1], (_USUAL, _USUAL), *((side, side) for side in _SMALLER)]


def _given(preprocess: Any) -> tuple[Callable[[Tensor], Tensor], str]:
    name = type(preprocess).__name__
    if hasattr(preprocess, "image_mean"):  # transformers
        used = getattr(preprocess, "do_normalize", True)
        values = (preprocess.image_mean, preprocess.image_std) if used else ((0.0,) * 3, (1.0,) * 3)
        return normalization(*values), f"mean and std of {name}"
    if hasattr(preprocess, "crop_size") and hasattr(preprocess, "mean"):  # torchvision's presets
        return normalization(preprocess.mean, preprocess.std), f"mean and std of {name}"
    if not callable(preprocess):
        raise ExperimentError(f"'preprocess' is a {name}; expected a function or module from images to network inputs.")
    return preprocess, "as given"


def _recorded(module: nn.Module) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Places that may record mean and std, the most reliable first."""
    for field in ("pretrained_cfg", "default_cfg"):
        if isinstance(getattr(module, field, None), Mapping):
            yield "timm's configuration", getattr(module, field)
    if any(kind.__module__.startswith("torchvision.models.") for kind in type(module).__mro__):
        yield "torchvision's, ImageNet's", {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    config: Any = getattr(module, "config", None)
    mean, std = getattr(config, "image_mean", None), getattr(config, "image_std", None)
    if mean is not None and std is not None:
        yield "transformers' configuration", {"mean": mean, "std": std}
    folder = getattr(config, "name_or_path", None)
    if isinstance(folder, str) and folder:
        yield "its preprocessor_config.json", processor_in(Path(folder))


def processor_in(folder: Path) -> dict[str, Any]:
    """Mean and std of the image processor that transformers keeps beside a network; empty if there is none."""
    try:
        values = json.loads((folder / "preprocessor_config.json").read_text())
        if not values.get("do_normalize", True):
            return {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        return {"mean": values["image_mean"], "std": values["image_std"]}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def _recorded_sizes(module: Any) -> Iterator[Any]:
    yield getattr(getattr(module, "patch_embed", None), "img_size", None)
    for field in ("pretrained_cfg", "default_cfg"):
        found = getattr(module, field, None)
        if isinstance(found, Mapping) and found.get("input_size"):
            yield tuple(found["input_size"])[1:]
    yield getattr(module, "image_size", None)
    yield getattr(getattr(module, "config", None), "image_size", None)


def _as_size(found: Any) -> tuple[int, int] | None:
    if isinstance(found, int):
        return found, found
    if isinstance(found, tuple | list) and len(found) == 2 and all(isinstance(side, int) for side in found):
        return found[0], found[1]
    return None
