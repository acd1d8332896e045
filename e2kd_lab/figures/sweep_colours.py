"""Colours of a sweep map's cells, for whatever shows the same cells."""

from __future__ import annotations

import pandas as pd
from matplotlib.colors import to_hex, to_rgb

from e2kd_lab.figures.group_measure import Measure
from e2kd_lab.figures.sweep_map import _colour_scale, _legible


def sweep_colours(cells: pd.DataFrame, measure: Measure) -> dict[tuple[float, float], tuple[str, str]]:
    """Colour of each cell with runs, as in `sweep_map`, and of text on it: black or white.

    Parameters
    ----------
    cells : DataFrame
        See `sweep_cells`.
    measure : Measure
        Measure of the map.

    Returns
    -------
    dict
        Two colours, ``#rrggbb``, by (lam, tau).

    Examples
    --------
    >>> cells = pd.DataFrame({"lam": [0.0, 5.0], "tau": [1.0, 1.0], "n": [1, 0], "mean": [70.0, None]})
    >>> list(sweep_colours(cells, Measure("accuracy")))
    [(0.0, 1.0)]
    """
    scale = _colour_scale(cells["mean"].dropna().astype(float), measure)
    known = cells[cells["n"] > 0]
    places = zip(known["lam"], known["tau"], strict=True)
    fills = [to_hex(tuple(scale.to_rgba(mean))) for mean in known["mean"]]
    return {place: (fill, to_hex(_legible(to_rgb(fill)))) for place, fill in zip(places, fills, strict=True)}
