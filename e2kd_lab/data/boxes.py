"""Boxes as masks, which can be batched and which localisation measures take."""

from __future__ import annotations

import torch
from torch import Tensor


def box_masks(boxes: Tensor, labels: Tensor, classes: int, height: int, width: int) -> Tensor:
    """Union of each class's boxes as a mask. A pixel is inside a box if its centre is.

    Parameters
    ----------
    boxes : Tensor
        (N, 4): x1, y1, x2, y2 in pixels from zero, right and lower edge exclusive.
    labels : Tensor
        Class of each box, integers (N,).
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

    Examples
    --------
    >>> box_masks(torch.tensor([[0.0, 0.0, 2.0, 1.0]]), torch.tensor([0]), 1, 2, 3).int()
    tensor([[[1, 1, 0],
             [0, 0, 0]]], dtype=torch.int32)
    """
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"The labels of boxes are {labels.tolist()}; expected 0 to {classes - 1}.")
    x1, y1, x2, y2 = boxes.as_subclass(Tensor)[:, :, None].unbind(1)  # each (N, 1)
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    columns = ((x >= x1) & (x < x2)).float()  # (N, width)
    rows = ((y >= y1) & (y < y2)).float()  # (N, height)
    belongs = (labels[:, None] == torch.arange(classes, device=labels.device)).float()  # (N, C)
    # Boxes per class and pixel, summed over N without an (N, C, height, width) intermediate.
    return torch.einsum("nc,nh,nw->chw", belongs, rows, columns) > 0
