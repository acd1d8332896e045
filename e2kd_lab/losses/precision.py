"""At least float32 for losses and maps, also under autocast."""

from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """The tensor itself if it is float32 or float64; a float32 copy if it is in half precision."""
    return tensor if tensor.element_size() >= 4 else tensor.float()
