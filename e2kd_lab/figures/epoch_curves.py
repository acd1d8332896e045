"""A measure of networks after some epochs of training, one curve for each way to train them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from e2kd_lab.figures.lettering import legend_below, write_title
from e2kd_lab.figures.style import NOTE_COLOUR, new_figure, styled

# Colour, marker and dashes of each kind; the colours are those of no method.
_LOOKS = (("black", "o", (1, 0)), (NOTE_COLOUR, "s", (4, 1.5)), ("#9A9A9A", "^", (5, 1.5, 1, 1.5)))


def epoch_curves(
    rows: pd.DataFrame, *, label: str = "accuracy (%)", line: float | None = None, line_name: str = "", title: str = ""
) -> Figure:
    """A point for each length of training; lines are means over seeds, bands span the seeds.

    Parameters
    ----------
    rows : DataFrame
        A row a network: ``kind``, how it was trained; ``epochs``; ``value``. At most three kinds.
    label : str
        Name of the measure.
    line : float, optional
        A value to reach, drawn as a dotted line.
    line_name : str
        What reached it.
    title : str
        Title of the figure.

    Raises
    ------
    ValueError
        If there are more kinds.

    Examples
    --------
    >>> rows = pd.DataFrame({"kind": ["B-cosified"] * 2, "epochs": [0, 1], "value": [50.0, 80.0]})
    >>> epoch_curves(rows, line=99.0, line_name="ordinary").axes[0].get_xlabel()
    'epochs'
    """
    import seaborn  # takes a second, so only where it draws

    kinds = list(rows["kind"].unique())
    if len(kinds) > len(_LOOKS):
        raise ValueError(f"epoch_curves draws at most {len(_LOOKS)} kinds, got {', '.join(kinds)}.")
    colours, markers, dashes = (dict(zip(kinds, looks, strict=False)) for looks in zip(*_LOOKS, strict=True))
    with styled():
        figure = new_figure(2.4)
        axis = figure.subplots()
        seaborn.lineplot(
            rows, x="epochs", y="value", hue="kind", style="kind", palette=colours, markers=markers, dashes=dashes,
            legend=False, errorbar=("pi", 100), err_kws={"linewidth": 0}, markersize=4, markeredgewidth=0, linewidth=1,
            ax=axis,
        )  # fmt: skip
        look: dict[str, Any] = {"markersize": 4, "linewidth": 1}
        handles = [
            Line2D([], [], color=colours[k], marker=markers[k], dashes=dashes[k], label=k, **look) for k in kinds
        ]
        if line is not None:
            handles.append(axis.axhline(line, linestyle=":", linewidth=1, color="black", label=line_name))
        axis.set(xlabel="epochs", ylabel=label, xticks=sorted(rows["epochs"].unique()))
        legend_below(figure, handles, handlelength=2.2)
        write_title(figure, title)
    figure.data = rows
    return figure
