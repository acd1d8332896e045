"""Explanations of teacher and students side by side (Fig. 1, 2, A1 to A4)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.labels import title_of
from e2kd_lab.figures.lettering import text_width
from e2kd_lab.figures.map_pictures import Pictures, bar_room, colour_bar, pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import BOX_COLOUR, CORRECT_COLOUR, WRONG_COLOUR, new_figure, small, styled

_GAP, _BETWEEN = 0.05, 0.03  # between pictures of a row, in their widths; around the words between rows, in inches
_MARGIN = 0.01  # left and right of the pictures, in widths of the figure
_HAIRLINE = "#BBBBBB"


def explanation_comparison(
    comparison: Comparison | Sequence[Comparison], *, side_by_side: int = 2, contributions: bool = False
) -> Figure:
    """Rows of image, teacher's and students' explanations, each prediction marked as correct or incorrect.

    Each map is divided by its L2 norm, because the explanation loss compares directions only. All networks of a family
    share one colour scale.

    Parameters
    ----------
    comparison : Comparison, or sequence of Comparison
        N images and their maps; networks are named by method. Several comparisons of the same images, for instance one
        per family of networks, stand side by side.
    side_by_side : int
        Images per row of the figure, each with all its maps; fewer where the networks' names would touch, or as
        `e2kd_lab.figures.FigureOptions` says, which also sets colours and opacity.
    contributions : bool
        Show each pixel's contribution to the logit instead of W(x), for B-cos networks.

    Returns
    -------
    Figure
        A row of column titles, the pictures, and a colour bar for each family.

    Examples
    --------
    >>> import torch
    >>> maps = {"teacher": torch.rand(2, 1, 8, 8), "kd": torch.rand(2, 1, 8, 8)}
    >>> right = {name: torch.tensor([True, False]) for name in maps}
    >>> figure = explanation_comparison(Comparison(torch.rand(2, 3, 8, 8), maps, right))
    >>> len(figure.axes[0].images)
    6
    """
    parts = [comparison] if isinstance(comparison, Comparison) else list(comparison)
    families = [pictures_of(part, contributions) for part in parts]
    sheet = _Sheet.of(parts[0], families, side_by_side)
    with styled():
        figure = new_figure(sheet.height, placed=True)
        # One pair of axes in inches for all pictures: a pair for each would take most of the time.
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        for number in range(len(parts[0])):
            places = sheet.places(number)
            maps = places[0 if sheet.maps_only else 1 :]
            if not sheet.maps_only:
                _draw_image(axis, places[0], parts[0], number)
            if parts[0].titles:
                places[0].write(axis, 0, 1 + _BETWEEN / sheet.tall, parts[0].titles[number], va="bottom", ha="left")
            _draw_maps(axis, maps, families, number)
            _draw_objects(axis, places, parts[0], number)
            if number < sheet.side_by_side:
                sheet.name_columns(axis, places)
        axis.set(xlim=(0, sheet.width), ylim=(0, sheet.height), aspect="auto")
        if len(families) > 1:
            _name_families(figure, families, sheet)
        for family, (left, width) in zip(families, sheet.bars, strict=True):
            several = len(families) > 1
            colour_bar(figure, family, left, sheet.bottom - 0.1, width, several=several)
    return figure


@dataclass(frozen=True)
class _Sheet:
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
    def of(cls, comparison: Comparison, families: Sequence[Pictures], side_by_side: int) -> _Sheet:
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
        line = words + 2 * _BETWEEN
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

    def places(self, number: int) -> list[Place]:
        """Places of an image and its maps."""
        row, left = number // self.side_by_side, number % self.side_by_side * len(self.titles)
        bottom = self.height - self.top - self.tall - row * (self.tall + self.line)
        return [
            Place(self.left(left + column), bottom, self.cell, self.tall) for column in range(len(self.titles))
        ]  # fmt: skip

    def left(self, column: int) -> float:
        """Left edge of a column of pictures."""
        return _MARGIN * self.width + column * (1 + _GAP) * self.cell

    def name_columns(self, axis: Axes, places: Sequence[Place]) -> None:
        """Write the names of image and networks above the words of the first row."""
        style: dict[str, Any] = {"rotation": 90 if self.turned else 0, "va": "bottom", "ha": "center"}
        for place, title in zip(places, self.titles, strict=True):
            place.write(axis, 0.5, 1 + self.line / self.tall, title, **style)


def _draw_image(axis: Axes, place: Place, comparison: Comparison, number: int) -> None:
    place.show(axis, comparison.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy())


def _draw_maps(axis: Axes, places: Sequence[Place], families: Sequence[Pictures], number: int) -> None:
    shown = [(family, name) for family in families for name in family.pictures]
    for (family, name), place in zip(shown, places, strict=True):
        place.show(axis, family.pictures[name][number])
        place.frame(axis)
        _mark(axis, place, bool(family.comparison.correct[name][number]))


def _draw_objects(axis: Axes, places: Sequence[Place], comparison: Comparison, number: int) -> None:
    """Boxes and outlines of the objects, where they are known, on the image and on all its maps."""
    size = (comparison.images.shape[2], comparison.images.shape[3])
    contour = None
    for place in places:
        if comparison.boxes:
            place.outline(axis, comparison.boxes[number], size)
        if comparison.masks is not None and comparison.masks[number].any():
            # To find it takes most of the time, so it is found once.
            if contour is None:
                contour = place.contour(axis, comparison.masks[number].cpu().numpy())
            else:
                place.repeat(axis, contour, places[0], comparison.masks.shape[2])


@dataclass(frozen=True)
class Place:
    """Rectangle of a picture, in inches from the figure's lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    def show(self, axis: Axes, picture: np.ndarray) -> AxesImage:
        # Unlike imshow and add_patch, these leave the limits of the axes alone: that would take half of the time.
        extent = (self.left, self.left + self.width, self.bottom, self.bottom + self.height)
        image = AxesImage(axis, extent=extent)
        image.set_data(picture)
        axis.add_image(image)
        return image

    def write(self, axis: Axes, right: float, up: float, text: str, **style: Any) -> None:
        """Write text at a point in units of the rectangle's width and height."""
        axis.text(self.left + right * self.width, self.bottom + up * self.height, text, fontsize=small(), **style)

    def frame(self, axis: Axes) -> Rectangle:
        # A hairline gives the picture an edge on white paper.
        look: dict[str, Any] = {"fill": False, "edgecolor": _HAIRLINE, "linewidth": 0.3}
        frame = Rectangle((self.left, self.bottom), self.width, self.height, **look)
        axis.add_artist(frame)
        return frame

    def outline(self, axis: Axes, boxes: Tensor, size: tuple[int, int]) -> None:
        """Draw boxes (n, 4), in pixels of a picture of this height and width."""
        height, width = size
        for left, top, right, bottom in boxes.tolist():
            corner = self.left + self.width * left / width, self.bottom + self.height * (1 - bottom / height)
            extent = self.width * (right - left) / width, self.height * (bottom - top) / height
            axis.add_patch(Rectangle(corner, *extent, fill=False, color=BOX_COLOUR, linewidth=0.7))

    def columns(self, count: int) -> np.ndarray:
        """Middles of the columns of a picture that has so many."""
        return self.left + self.width * (np.arange(count) + 0.5) / count

    def contour(self, axis: Axes, mask: np.ndarray) -> QuadContourSet:
        height, width = mask.shape
        down = self.bottom + self.height * (1 - (np.arange(height) + 0.5) / height)
        return axis.contour(self.columns(width), down, mask, [0.5], colors=[BOX_COLOUR], linewidths=[0.5])

    def repeat(self, axis: Axes, contour: QuadContourSet, other: Place, count: int) -> None:
        """Draw a contour of another place in the same row here; its masks have so many columns."""
        before, here, again = other.columns(count), self.columns(count), copy.copy(contour)
        paths = []
        for path in contour.get_paths():
            # Its points stand in the middles of columns, or half-way between two.
            across, down = np.asarray(path.vertices).T
            halves = np.rint(2 * (across - before[0]) / (before[1] - before[0])).astype(int)
            right = 0.5 * here[halves // 2] + 0.5 * here[(halves + 1) // 2]
            paths.append(Path(np.column_stack([right, down]), path.codes))
        again.set_paths(paths)
        axis.add_collection(again, autolim=False)


def _name_families(figure: Figure, families: Sequence[Pictures], sheet: _Sheet) -> None:
    start = 0 if sheet.maps_only else 1
    for family in families:
        end = start + len(family.pictures)
        middle = (sheet.left(start) + sheet.left(end - 1) + sheet.cell) / 2
        figure.text(middle / sheet.width, 1 - 0.03 / sheet.height, family.family, ha="center", va="top")
        start = end


def frame(axis: Axes) -> None:
    """Draw a hairline around a picture, so that it has an edge on white paper."""
    axis.set_axis_on()
    axis.grid(visible=False)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.3)
        spine.set_color(_HAIRLINE)


def _mark(axis: Axes, place: Place, correct: bool) -> None:
    place.write(
        axis,
        0.96,
        0.04,
        "✓" if correct else "✗",
        ha="right",
        va="bottom",
        color="white",
        bbox={
            "boxstyle": "round,pad=0.12",
            "facecolor": CORRECT_COLOUR if correct else WRONG_COLOUR,
            "edgecolor": "white",
            "linewidth": 0.3,
        },
    )
