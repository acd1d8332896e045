"""Find the logits in a network's output: a tensor, a tuple, a mapping or an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from e2kd_lab.system.errors import ExperimentError


def logits_of(output: Any) -> Tensor:
    """Logits (N, K): the output itself, its ``logits``, or its first tensor of two dimensions.

    Raises
    ------
    ExperimentError
        If there is no such tensor.
    """
    if isinstance(output, Tensor):
        return output
    found = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(found, Tensor):
        return found
    values = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    for value in values:
        if isinstance(value, Tensor) and value.ndim == 2:
            return value
    raise ExperimentError(
        f"The network puts out a {type(output).__name__} without logits (N, K); expected lab.adapt(model, logits=...) "
        "with a function that takes them out of it."
    )


def require_logits(name: str, logits: Any, count: int) -> None:
    """Check that a tensor can be the logits of that many images.

    Raises
    ------
    ExperimentError
        If they are no real tensor (count, K).
    """
    if isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == count and logits.is_floating_point():
        return
    what = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
    raise ExperimentError(
        f"{name} puts out {what} for {count} images; expected logits ({count}, K) of a classifier, or "
        "lab.adapt(model, logits=...) with a function that makes them of it."
    )
