"""EXIF orientation: pictures, masks and boxes are turned alike, so that they lie as their viewers show them."""

from __future__ import annotations

import struct

import torch
from PIL import Image as PILImage
from torch import Tensor

_TAG = 0x0112
_TURNS = {
    2: PILImage.Transpose.FLIP_LEFT_RIGHT,
    3: PILImage.Transpose.ROTATE_180,
    4: PILImage.Transpose.FLIP_TOP_BOTTOM,
    5: PILImage.Transpose.TRANSPOSE,
    6: PILImage.Transpose.ROTATE_270,
    7: PILImage.Transpose.TRANSVERSE,
    8: PILImage.Transpose.ROTATE_90,
}


def orientation_of(image: PILImage.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) if there is none, or none that can be read."""
    try:
        value = image.getexif().get(_TAG, 1)
    except (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, struct.error):
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def turned(image: PILImage.Image, orientation: int) -> PILImage.Image:
    """An image that was stored in an orientation, upright."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def turned_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height after `turned`; from upright to stored it is the same."""
    return (height, width) if orientation >= 5 else (width, height)


def turned_boxes(boxes: Tensor, width: int, height: int, orientation: int) -> Tensor:
    """Boxes of an image that was stored in an orientation, upright.

    Parameters
    ----------
    boxes : Tensor
        (N, 4): x1, y1, x2, y2 in pixels of the stored image.
    width, height : int
        Size of the stored image in pixels.
    orientation : int
        EXIF orientation, 1 to 8.

    Returns
    -------
    Tensor
        (N, 4), in pixels of the upright image.

    Examples
    --------
    >>> turned_boxes(torch.tensor([[0.0, 0.0, 2.0, 1.0]]), 8, 4, 6)  # upright, this picture is 4 wide and 8 high
    tensor([[3., 0., 4., 2.]])
    """
    x1, y1, x2, y2 = boxes.unbind(1)
    if orientation in (2, 3, 7, 8):
        x1, x2 = width - x2, width - x1
    if orientation in (3, 4, 6, 7):
        y1, y2 = height - y2, height - y1
    if orientation >= 5:
        x1, y1, x2, y2 = y1, x1, y2, x2
    return torch.stack([x1, y1, x2, y2], dim=1)
