"""The randomisation test as pictures: what is left of a map while a network forgets."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from e2kd_lab.figures.labels import title_of
from e2kd_lab.figures.picture_grid import picture_grid, rendered_maps
from e2kd_lab.metrics import explanation_cosine


def randomisation_strip(
    image: Tensor, maps: Mapping[str, Mapping[str, Tensor]], *, signed: bool, title: str = ""
) -> Figure:
    """A row a network: the image, the map of the trained network, and those after layers are re-initialised.

    Below each map is its cosine with the trained network's.

    Parameters
    ----------
    image : Tensor
        RGB image in [0, 1], (3, H, W).
    maps : mapping
        Evidence (1, H, W) by layer, the trained network's first (see `e2kd_lab.explanations.randomised_maps`), by
        method.
    signed : bool
        Whether evidence is signed.
    title : str
        Title of the figure.

    Examples
    --------
    >>> import torch
    >>> steps = {"trained": torch.rand(1, 8, 8), "fc": torch.rand(1, 8, 8)}
    >>> len(randomisation_strip(torch.rand(3, 8, 8), {"kd": steps}, signed=False).axes)
    3
    """
    rows, below, data = [], [], []
    for method, steps in maps.items():
        trained = next(iter(steps.values()))
        cosines = {layer: float(explanation_cosine(one, trained)[0]) for layer, one in steps.items()}
        pictures = rendered_maps([one[0] for one in steps.values()], signed=signed)
        rows.append([image.permute(1, 2, 0).cpu().numpy(), *pictures])
        below.append(["", *(f"{cosine:.2f}" for cosine in cosines.values())])
        data += [{"method": method, "layer": layer, "cosine": cosine} for layer, cosine in cosines.items()]
    first, *layers = next(iter(maps.values()))
    columns = ["Image", first.capitalize(), *(f"down to {layer.removesuffix('.linear')}" for layer in layers)]
    figure = picture_grid(
        rows, columns=columns, names=[title_of("method", method) for method in maps], below=below, title=title
    )
    figure.data = pd.DataFrame(data)
    return figure
