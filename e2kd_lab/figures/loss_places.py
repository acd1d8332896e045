"""Where the parts of a picture of the e2KD loss stand, in inches from the lower left corner at the paper's width."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import TEXT_WIDTH, small

# Left and right column, upper and lower row; a map, and the gap beside it.
_HEIGHT, LEFT, RIGHT, UPPER_TITLE, LOWER_TITLE = 3.2, 0.08, 3.28, 3.06, 1.5
CELL, GAP = 0.93, 0.05
_BELOW = 1.62  # height of the right column's contents where they stand below the left one


@dataclass(frozen=True)
class LossPlaces:
    """Where things are in a figure of a width: as in the paper's width and larger, or the right column below the left.

    Attributes
    ----------
    width, height : float
        Of the figure, in inches.
    scale : float
        Inches of the figure for an inch at the paper's width.
    stacked : bool
        Whether the right column stands below the left one.
    """

    width: float
    height: float
    scale: float
    stacked: bool

    @classmethod
    def of(cls, width: float) -> LossPlaces:
        """Places in a figure of a width in inches."""
        if width >= 0.98 * TEXT_WIDTH:
            return cls(width, _HEIGHT * width / TEXT_WIDTH, width / TEXT_WIDTH, False)
        scale = width / (LEFT + 3 * (CELL + GAP) + 0.1)
        return cls(width, scale * (_HEIGHT + _BELOW), scale, True)

    def _at(self, left: float, bottom: float) -> tuple[float, float]:
        if self.stacked and left > RIGHT - 0.2:
            loss = bottom > LOWER_TITLE + 0.2
            # The number below the left end of the axis needs room on its left.
            return (left - RIGHT + 2 * LEFT, bottom - 1.56) if loss else (left - RIGHT + 1.65, bottom + 0.03)
        return left, bottom + (_BELOW if self.stacked else 0.0)

    def write(self, figure: Figure, left: float, bottom: float, text: str, *, heading: bool = False) -> Text:
        """Write text at a place in inches of the paper's width."""
        left, bottom = self._at(left, bottom)
        size = current_options().font_size if heading else small()
        return figure.text(left * self.scale / self.width, bottom * self.scale / self.height, text, fontsize=size)

    def add_axes(self, figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
        """Add axes at a place in inches of the paper's width."""
        left, bottom = self._at(left, bottom)
        across, down = self.scale / self.width, self.scale / self.height
        return figure.add_axes((left * across, bottom * down, width * across, height * down))
