"""Losses and maps are computed in float32 or better, also under autocast."""

from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor itself if it is float32 or float64, else a float32 copy of the half-precision tensor."""
    return tensor if tensor.element_size() >= 4 else tensor.float()
