"""Layout of the feature map in a layer's output: (N, C, H, W), (N, H, W, C), or tokens (N, T, C)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from e2kd_lab.system.errors import ExperimentError

# Class, distillation and register tokens stand in front of the patches.
_MOST_PREFIX_TOKENS = 16


@dataclass(frozen=True)
class FeatureLayout:
    """Layout of a layer's output.

    Attributes
    ----------
    kind : str
        ``NCHW``, ``NHWC``, ``tokens``, or ``reshape`` where a function of the user's own makes the map.
    prefix : int
        Tokens in front of the patches, which are no places of the image.
    reshape : callable or None
        Takes the output and gives the map (N, C, H', W').
    """

    kind: Literal["NCHW", "NHWC", "tokens", "reshape"]
    prefix: int = 0
    reshape: Callable[[Tensor], Tensor] | None = None

    def as_map(self, features: Tensor, size: tuple[int, int]) -> Tensor:
        """The output, or a gradient of its shape, as a map (N, C, H', W'); linear.

        Parameters
        ----------
        features : Tensor
            In the layer's form.
        size : tuple of int
            Height and width of the images in pixels.

        Raises
        ------
        ExperimentError
            If the tokens make no grid of the image's shape.
        """
        if self.reshape is not None:
            return self.reshape(features)
        if self.kind == "NCHW":
            return features
        if self.kind == "NHWC":
            return features.permute(0, 3, 1, 2)
        patches = features[:, self.prefix :]
        grid = grid_of(patches.shape[1], size)
        if grid is None:
            raise ExperimentError(
                f"{features.shape[1]} tokens, {self.prefix} of them in front of the patches, make no grid of an image "
                f"of {size[0]} x {size[1]} px; expected lab.adapt(model, reshape=...) with a function from tokens "
                "(N, T, C) to maps (N, C, H, W)."
            )
        return patches.transpose(1, 2).unflatten(2, grid)

    def __str__(self) -> str:
        if self.kind == "tokens":
            return f"tokens, the first {self.prefix} left out" if self.prefix else "tokens"
        return "a reshape of your own" if self.kind == "reshape" else self.kind


def layout_of(output: Tensor, size: tuple[int, int], prefix: int | None = None) -> FeatureLayout | None:
    """Layout of a layer's output if it is a map of more than one place, else None.

    Parameters
    ----------
    output : Tensor
        Of any shape.
    size : tuple of int
        Height and width of the images in pixels.
    prefix : int, optional
        Tokens in front of the patches, where the network says so.
    """
    shape = tuple(output.shape)
    if output.ndim == 4:
        if _fits(shape[2], shape[3], size):
            return FeatureLayout("NCHW")
        return FeatureLayout("NHWC") if _fits(shape[1], shape[2], size) else None
    if output.ndim == 3:
        hinted = [] if prefix is None else [prefix]
        for number in (*hinted, *range(_MOST_PREFIX_TOKENS + 1)):
            if shape[1] - number > 1 and grid_of(shape[1] - number, size) is not None:
                return FeatureLayout("tokens", number)
    return None


def grid_of(count: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of that many patches of an image of this shape; None if there is no such grid."""
    height, width = size
    ideal = math.sqrt(count * height / width)
    for rows in (round(ideal), math.floor(ideal), math.ceil(ideal)):
        if rows > 0 and count % rows == 0:
            columns = count // rows
            if height != width or rows == columns:
                return rows, columns
    return None


def prefix_tokens(module: nn.Module) -> int | None:
    """Number of class and register tokens before the patches, where timm or transformers says so."""
    number = getattr(module, "num_prefix_tokens", None)
    registers = getattr(getattr(module, "config", None), "num_register_tokens", None)
    if isinstance(number, int):
        return number
    return 1 + registers if isinstance(registers, int) else None


def first_tensor(output: Any) -> Tensor | None:
    """A layer's output, or the first tensor of a tuple or mapping; None if there is none."""
    if isinstance(output, Tensor):
        return output
    values = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    first = next(iter(values), None)
    return first if isinstance(first, Tensor) else None


def _fits(rows: int, columns: int, size: tuple[int, int]) -> bool:
    height, width = size
    within = rows <= height and columns <= width and rows * columns > 1
    return within and abs(rows * width - columns * height) < max(size)
