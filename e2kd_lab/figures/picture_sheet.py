"""A sheet of pictures, placed in inches, above the colour bars of their maps."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure

from e2kd_lab.figures.map_pictures import Pictures, bar_room, colour_bar


def canvas(figure: Figure) -> Axes:
    """Axes over a whole figure, in inches from its lower left corner, for all pictures: a pair for each takes time."""
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.set(xlim=(0, figure.get_figwidth()), ylim=(0, figure.get_figheight()), aspect="auto")
    return axis


def bars_room(families: Sequence[Pictures], width: float) -> float:
    """Inches that the colour bars take below the pictures."""
    several = len(families) > 1
    return max(bar_room(family, _bar_width(families, width), several=several) for family in families) + 0.1


def colour_bars(figure: Figure, families: Sequence[Pictures], bottom: float) -> list[Colorbar]:
    """A colour bar for each kind of maps, side by side below ``bottom`` inches."""
    width = figure.get_figwidth()
    own = _bar_width(families, width)
    return [
        colour_bar(
            figure,
            family,
            (number + 0.5) * width / len(families) - own / 2,
            bottom - 0.1,
            own,
            several=len(families) > 1,
        )
        for number, family in enumerate(families)
    ]


def _bar_width(families: Sequence[Pictures], width: float) -> float:
    return 0.8 * width if len(families) == 1 else 0.9 * width / len(families) - 0.15
