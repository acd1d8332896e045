"""The grid pointing game as pictures: grids of images, and where networks see the class of one cell."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.explanations.faithfulness import Mosaics
from e2kd_lab.figures.labels import title_of
from e2kd_lab.figures.picture_grid import outline_cell, picture_grid, rendered_maps


def grid_mosaics(mosaics: Mapping[str, tuple[Mosaics, bool]], *, title: str = "") -> Figure:
    """Rows of a grid of images and the networks' evidence for the class of its outlined cell, with GridPG below.

    Parameters
    ----------
    mosaics : mapping
        Grids (see `e2kd_lab.explanations.grid_mosaics`) by the name of their rows, and whether evidence is signed. All
        have networks of the same methods.
    title : str
        Title of the figure.

    Examples
    --------
    >>> import torch
    >>> maps = {"teacher": torch.rand(1, 8, 8), "kd": torch.rand(1, 8, 8)}
    >>> values = {name: torch.tensor([0.25]) for name in maps}
    >>> grids = Mosaics(torch.rand(1, 3, 8, 8), torch.tensor([0]), 2, maps, values)
    >>> len(grid_mosaics({"GradCAM": (grids, False)}).axes)
    3
    """
    rows, names, below, data = [], [], [], []
    networks = list(next(iter(mosaics.values()))[0].maps)
    for name, (grids, signed) in mosaics.items():
        for number, image in enumerate(grids.images):
            maps = rendered_maps([grids.maps[network][number] for network in networks], signed=signed)
            rows.append([image.permute(1, 2, 0).cpu().numpy(), *maps])
            names.append(name)
            values = [float(grids.values[network][number]) for network in networks]
            below.append([f"chance {1 / grids.side**2:.2f}", *(f"{value:.2f}" for value in values)])
            data += [
                {"row": name, "grid": number, "method": network, "gridpg": value}
                for network, value in zip(networks, values, strict=True)
            ]
    columns = ["Grid", *(title_of("method", network) for network in networks)]
    figure = picture_grid(rows, columns=columns, names=names, below=below, title=title)
    cells = [(int(cell), grids.side) for grids, _ in mosaics.values() for cell in grids.cells]
    for place, axis in enumerate(figure.axes):
        outline_cell(axis, *cells[place // len(columns)])
    figure.data = pd.DataFrame(data)
    return figure
