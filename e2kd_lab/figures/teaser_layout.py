"""Layout of the opening figure: where its parts are, in inches of the paper's width."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import small

# Inches. From the left: names of the vertical axes, bars, a gap, and pictures two by two.
MARGIN, LABELS, BARS, GAP, PICTURE, BETWEEN = 0.05, 0.38, 1.245, 0.18, 0.71, 0.05
WIDTHS = {"data": BARS, "shift": BARS, "explanations": 2 * PICTURE + BETWEEN}
# From the top: titles of the parts, two rows of bars with their ticks, or of pictures with their names.
TITLE, NAME, PANEL, BETWEEN_PANELS, TICKS = 0.2, 0.12, 0.69, 0.11, 0.27
CAPTION = TITLE + 2 * PANEL + BETWEEN_PANELS + TICKS  # top of the legend below the bars
LINE = 0.105  # height of a line of text
ALL = 4.8  # width of all parts side by side; in a narrower figure the pictures stand below the bars
METHODS = ("kd", "e2kd")


def layout_scale() -> float:
    """Inches of the figure for an inch of the layout."""
    across = current_options().inches
    return across / ALL if across > 0.97 * ALL else max(1.0, across / (LABELS + 2 * BARS + GAP + 2 * MARGIN))


def area(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches from the upper left corner."""
    across, down = figure.get_size_inches() / layout_scale()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Write text centred below a place in inches from the upper left corner."""
    across, down = figure.get_size_inches() / layout_scale()
    figure.text(left / across, 1 - top / down, text, **{"ha": "center", "va": "top", "fontsize": small(), **style})
