"""Grid pointing game (GridPG; Böhle et al., CVPR 2021): the evidence for one image in a grid of images."""

from __future__ import annotations

import torch
from torch import Tensor

from e2kd_lab.metrics.epg_iou import energy_pointing_game


def grid_pointing_game(maps: Tensor, cells: Tensor, side: int) -> Tensor:
    r"""Share of the positive evidence for a class that lies in the cell that shows it.

    Parameters
    ----------
    maps : Tensor
        Evidence for the class of one cell of each grid, (N, H, W) or (N, 1, H, W); H and W divisible by ``side``.
    cells : Tensor
        That cell, integers (N,) in [0, side^2), row by row.
    side : int
        Cells m in a row, >= 1.

    Returns
    -------
    Tensor
        (N,), in [0, 1]; a uniform map has 1 / m^2, a map without positive evidence 0.

    Raises
    ------
    ValueError
        If the maps cannot be divided into cells.

    Examples
    --------
    >>> maps = torch.tensor([[[3.0, 1.0], [-2.0, 0.0]]])
    >>> grid_pointing_game(maps, torch.tensor([0]), side=2)
    tensor([0.7500])
    """
    height, width = maps.shape[-2:]
    if side < 1 or height % side or width % side or cells.shape != maps.shape[:1]:
        raise ValueError(
            f"grid_pointing_game needs maps (N, H, W) that {side} x {side} cells divide evenly, and a cell for each, "
            f"got {tuple(maps.shape)} and {tuple(cells.shape)}."
        )
    rows = torch.arange(height, device=maps.device)[:, None] // (height // side)
    columns = torch.arange(width, device=maps.device) // (width // side)
    return energy_pointing_game(maps, (rows * side + columns) == cells.to(maps.device).view(-1, 1, 1))


def grid_members(logits: Tensor, labels: Tensor, side: int, *, count: int = 64, least: float = 0.5) -> Tensor:
    """Images for grids: each of another class, classified correctly and confidently.

    Parameters
    ----------
    logits : Tensor
        Of the network under test, (N, K).
    labels : Tensor
        Classes of the images, (N,).
    side : int
        Cells m in a row, >= 1.
    count : int
        Maximum number of grids; the same images give the same grids.
    least : float
        Minimum probability of the class.

    Returns
    -------
    Tensor
        Places of the images, integers (G, m^2); no image is in two grids. G is 0 with too few classes or images.

    Examples
    --------
    >>> logits = 9 * torch.eye(4).repeat(3, 1)
    >>> grid_members(logits, torch.arange(4).repeat(3), side=2).shape
    torch.Size([3, 4])
    """
    probabilities, predictions = logits.softmax(1).max(1)
    good = ((predictions == labels) & (probabilities >= least)).cpu()
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(len(labels), generator=generator)
    of_class: dict[int, list[int]] = {}
    for place in shuffled[good[shuffled]].tolist():
        of_class.setdefault(int(labels[place]), []).append(place)
    grids: list[list[int]] = []
    while len(grids) < count:
        left = sorted((label for label in of_class if of_class[label]), key=lambda label: -len(of_class[label]))
        if len(left) < side**2:
            break
        members = [of_class[label].pop() for label in left[: side**2]]
        grids.append([members[place] for place in torch.randperm(side**2, generator=generator).tolist()])
    return torch.tensor(grids, dtype=torch.long).view(-1, side**2)


def image_grids(images: Tensor) -> Tensor:
    """Images side by side.

    Parameters
    ----------
    images : Tensor
        (G, m^2, C, H, W), row by row.

    Returns
    -------
    Tensor
        (G, C, m H, m W).

    Examples
    --------
    >>> image_grids(torch.arange(4.0).view(1, 4, 1, 1, 1))
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """
    side = round(images.shape[1] ** 0.5)
    cells = images.unflatten(1, (side, side))  # (G, m, m, C, H, W)
    return cells.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
