"""Where the pictures of explanations side by side stand, and the words around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.labels import title_of
from e2kd_lab.figures.lettering import text_width
from e2kd_lab.figures.map_pictures import Pictures, bar_room
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import small

_GAP, BETWEEN = 0.05, 0.03  # between pictures of a row, in their widths; around the words between rows, in inches
_MARGIN = 0.01  # left and right of the pictures, in widths of the figure


@dataclass(frozen=True)
class Sheet:
    """Where the pictures are, in inches: ``cell`` wide and ``tall``.

    Attributes
    ----------
    titles : list of str
        Image and networks, from left to right.
    maps_only : bool
        There is no column of images.
    side_by_side, rows : int
        Images per row, and rows.
    width, bottom : float
        Width of the figure, and height of what stands below the pictures.
    line : float
        Height of the words between rows.
    families : int
        Families of networks.
    """

    titles: list[str]
    maps_only: bool
    side_by_side: int
    rows: int
    width: float
    cell: float
    tall: float
    bottom: float
    line: float
    families: int

    @classmethod
    def of(cls, comparison: Comparison, families: Sequence[Pictures], side_by_side: int) -> Sheet:
        options = current_options()
        titles = [] if options.maps_only else ["Image"]
        titles += [title_of("method", name) for family in families for name in family.pictures]
        side_by_side = options.images_per_row or cls._legible(titles, side_by_side)
        side_by_side = max(1, min(side_by_side, len(comparison)))
        cell, rows = cls._cell(titles, side_by_side), -(-len(comparison) // side_by_side)
        tall = cell * (comparison.images.shape[2] / comparison.images.shape[3])
        words = 1.3 * options.small / 72 if comparison.titles else 0.0
        several, bar = len(families) > 1, cls._bars(len(families))[0][1]
        bottom = max(bar_room(family, bar, several=several) for family in families) + 0.06
        line = words + 2 * BETWEEN
        return cls(
            titles, options.maps_only, side_by_side, rows, options.inches, cell, tall, bottom, line, len(families)
        )

    @staticmethod
    def _cell(titles: Sequence[str], side_by_side: int) -> float:
        columns = side_by_side * len(titles)
        return (1 - 2 * _MARGIN) * current_options().inches / (columns + _GAP * (columns - 1))

    @classmethod
    def _legible(cls, titles: Sequence[str], side_by_side: int) -> int:
        """Images per row, so many that the names of networks do not touch; one if that needs more than a row has."""
        widest = max(text_width(title, small()) for title in titles) + 2
        return next((n for n in range(side_by_side, 1, -1) if 72 * (1 + _GAP) * cls._cell(titles, n) >= widest), 1)

    @staticmethod
    def _bars(count: int) -> list[tuple[float, float]]:
        """Left end and width of the colour bars."""
        across = current_options().inches
        width = (0.8 if count == 1 else 0.86 / count) * across
        return [(0.1 * across, width)] if count == 1 else [
            (0.04 * across + number * (0.92 * across - width) / (count - 1), width) for number in range(count)
        ]  # fmt: skip

    @property
    def bars(self) -> list[tuple[float, float]]:
        """Left end and width of the colour bar of each family."""
        return self._bars(self.families)

    @property
    def turned(self) -> bool:
        """Whether the names of networks are turned, because they would touch."""
        return max(text_width(title, small()) for title in self.titles) + 2 > 72 * (1 + _GAP) * self.cell

    @property
    def top(self) -> float:
        """Height of what stands above the pictures: names of families and networks, and words of the first row."""
        longest = max(text_width(title, small()) for title in self.titles) / 72
        names = longest if self.turned else 1.3 * small() / 72
        return self.line + names + 0.04 + (1.5 * current_options().font_size / 72 if self.families > 1 else 0)

    @property
    def height(self) -> float:
        """Height of the figure."""
        return self.rows * self.tall + (self.rows - 1) * self.line + self.top + self.bottom

    def places(self, number: int) -> list[tuple[float, float, float, float]]:
        """Rectangles of an image and its maps: left, bottom, width and height."""
        row, left = number // self.side_by_side, number % self.side_by_side * len(self.titles)
        bottom = self.height - self.top - self.tall - row * (self.tall + self.line)
        return [(self.left(left + column), bottom, self.cell, self.tall) for column in range(len(self.titles))]

    def left(self, column: int) -> float:
        """Left edge of a column of pictures."""
        return _MARGIN * self.width + column * (1 + _GAP) * self.cell
