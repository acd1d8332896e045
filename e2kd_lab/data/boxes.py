"""Boxes as masks, which batch plainly and which measures of localisation need."""

from __future__ import annotations

import torch
from torch import Tensor


def box_masks(boxes: Tensor, labels: Tensor, classes: int, height: int, width: int) -> Tensor:
    """The union of each class's boxes as a mask.

    A pixel is inside a box if its centre is.

    Parameters
    ----------
    boxes : Tensor
        (N, 4), x1, y1, x2, y2 in pixels, counted from zero, the right and lower edge outside.
    labels : Tensor
        (N,) integers, class number of each box.
    classes : int
        Number C of classes.
    height, width : int
        Size of the masks in pixels.

    Returns
    -------
    Tensor
        bool, (C, height, width).

    Raises
    ------
    ValueError
        If a label is not 0 to C - 1.
    """
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"The labels of boxes are {labels.tolist()}; expected 0 to {classes - 1}.")
    x1, y1, x2, y2 = boxes.as_subclass(Tensor)[:, :, None].unbind(1)  # each (N, 1)
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    columns = ((x >= x1) & (x < x2)).float()  # (N, width)
    rows = ((y >= y1) & (y < y2)).float()  # (N, height)
    belongs = (labels[:, None] == torch.arange(classes, device=labels.device)).float()  # (N, C)
    # The number of a class's boxes that hold a pixel: sums over N without an (N, C, height, width) in between.
    return torch.einsum("nc,nh,nw->chw", belongs, rows, columns) > 0
