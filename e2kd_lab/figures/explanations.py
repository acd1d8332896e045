"""Explanations of teacher and students side by side (Fig. 1, 2, A1 to A4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.style import (
    BOX_COLOUR,
    CORRECT_COLOUR,
    FAMILY_TITLES,
    METHOD_TITLES,
    TEXT_WIDTH,
    WRONG_COLOUR,
    new_figure,
    styled,
)

_GAP, _LINE = 0.05, 0.13  # between pictures of a row, in their widths; between rows, in inches
_MARGIN, _BOTTOM = 0.01 * TEXT_WIDTH, 0.41  # left of the pictures, and below them for the colour bars, in inches
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
        Images per row of the figure, each with all its maps.
    contributions : bool
        Show each pixel's contribution to the logit instead of W(x), for B-cos networks.

    Returns
    -------
    Figure
        As wide as the paper's text.

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
            _draw_image(axis, places[0], parts[0], number)
            _draw_maps(axis, places[1:], families, number)
            _draw_objects(axis, places, parts[0], number)
            if number < sheet.side_by_side:
                for place, title in zip(places, sheet.titles, strict=True):
                    place.write(axis, 0.5, 1 + 0.105 / sheet.tall, title, fontsize=5.5, va="bottom", ha="center")
        axis.set(xlim=(0, TEXT_WIDTH), ylim=(0, sheet.height), aspect="auto")
        if len(families) > 1:
            _name_families(figure, families, sheet)
        for number, family in enumerate(families):
            colour_bar(figure, family, sheet.height, number, len(families))
    return figure


@dataclass(frozen=True)
class _Sheet:
    """Where the pictures are, in inches: ``cell`` wide and ``tall``, ``top`` is what stands above them.

    Attributes
    ----------
    titles : list of str
        Image and networks, from left to right.
    side_by_side, rows : int
        Images per row, and rows.
    """

    titles: list[str]
    side_by_side: int
    rows: int
    cell: float
    tall: float
    top: float

    @classmethod
    def of(cls, comparison: Comparison, families: Sequence[Pictures], side_by_side: int) -> _Sheet:
        titles = ["Image", *(METHOD_TITLES.get(name, name) for family in families for name in family.pictures)]
        side_by_side = max(1, min(side_by_side, len(comparison)))
        columns = side_by_side * len(titles)
        cell = 0.98 * TEXT_WIDTH / (columns + _GAP * (columns - 1))
        tall = cell * (comparison.images.shape[2] / comparison.images.shape[3])
        rows = -(-len(comparison) // side_by_side)
        return cls(titles, side_by_side, rows, cell, tall, 0.27 if len(families) == 1 else 0.4)

    @property
    def height(self) -> float:
        """Height of the figure."""
        return self.rows * self.tall + (self.rows - 1) * _LINE + self.top + _BOTTOM

    def places(self, number: int) -> list[_Place]:
        """Places of an image and its maps."""
        row, left = number // self.side_by_side, number % self.side_by_side * len(self.titles)
        bottom = self.height - self.top - self.tall - row * (self.tall + _LINE)
        return [
            _Place(_MARGIN + (left + column) * (1 + _GAP) * self.cell, bottom, self.cell, self.tall)
            for column in range(len(self.titles))
        ]


def _draw_image(axis: Axes, place: _Place, comparison: Comparison, number: int) -> None:
    place.show(axis, comparison.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy())
    if comparison.titles:
        place.write(axis, 0, 1.03, comparison.titles[number], fontsize=4.5, va="bottom", ha="left")


def _draw_maps(axis: Axes, places: Sequence[_Place], families: Sequence[Pictures], number: int) -> None:
    shown = [(family, name) for family in families for name in family.pictures]
    for (family, name), place in zip(shown, places, strict=True):
        place.show(axis, family.pictures[name][number])
        place.frame(axis)
        _mark(axis, place, bool(family.comparison.correct[name][number]))


def _draw_objects(axis: Axes, places: Sequence[_Place], comparison: Comparison, number: int) -> None:
    """Boxes and outlines of the objects, where they are known, on the image and on all its maps."""
    size = (comparison.images.shape[2], comparison.images.shape[3])
    for place in places:
        if comparison.boxes:
            place.outline(axis, comparison.boxes[number], size)
        if comparison.masks is not None and comparison.masks[number].any():
            place.contour(axis, comparison.masks[number].cpu().numpy())


@dataclass(frozen=True)
class _Place:
    """Rectangle of a picture, in inches from the figure's lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    def show(self, axis: Axes, picture: np.ndarray) -> None:
        axis.imshow(picture, extent=(self.left, self.left + self.width, self.bottom, self.bottom + self.height))

    def write(self, axis: Axes, right: float, up: float, text: str, **style: Any) -> None:
        """Write text at a point in units of the rectangle's width and height."""
        axis.text(self.left + right * self.width, self.bottom + up * self.height, text, **style)

    def frame(self, axis: Axes) -> None:
        # A hairline gives the picture an edge on white paper.
        corner = self.left, self.bottom
        axis.add_patch(Rectangle(corner, self.width, self.height, fill=False, edgecolor=_HAIRLINE, linewidth=0.3))

    def outline(self, axis: Axes, boxes: Tensor, size: tuple[int, int]) -> None:
        """Draw boxes (n, 4), in pixels of a picture of this height and width."""
        height, width = size
        for left, top, right, bottom in boxes.tolist():
            corner = self.left + self.width * left / width, self.bottom + self.height * (1 - bottom / height)
            extent = self.width * (right - left) / width, self.height * (bottom - top) / height
            axis.add_patch(Rectangle(corner, *extent, fill=False, color=BOX_COLOUR, linewidth=0.7))

    def contour(self, axis: Axes, mask: np.ndarray) -> None:
        height, width = mask.shape
        across = self.left + self.width * (np.arange(width) + 0.5) / width
        down = self.bottom + self.height * (1 - (np.arange(height) + 0.5) / height)
        axis.contour(across, down, mask, [0.5], colors=[BOX_COLOUR], linewidths=[0.5])


@dataclass(frozen=True)
class Pictures:
    """Maps of one family of networks as RGB pictures (N, H, W, 3) by network, and their colour scale."""

    comparison: Comparison
    family: str
    pictures: dict[str, np.ndarray]
    scale: ScalarMappable
    label: str


def pictures_of(comparison: Comparison, contributions: bool) -> Pictures:
    """Render all maps of a comparison on one colour scale."""
    drawing = comparison.method.draw(comparison.images, comparison.maps, contributions=contributions)
    scale = ScalarMappable(Normalize(drawing.low, drawing.high), drawing.colours)
    label = drawing.label.format(of=f"of {comparison.explained}")
    family = FAMILY_TITLES.get(comparison.family, comparison.family)
    return Pictures(comparison, family, drawing.pictures, scale, label)


def colour_bar(figure: Figure, pictures: Pictures, height: float, number: int = 0, count: int = 1) -> None:
    """Draw the colour bar of one of ``count`` families along the bottom of a figure of a height in inches."""
    width = 0.8 / count if count == 1 else 0.86 / count
    left = 0.1 if count == 1 else 0.04 + number * (0.92 - width)
    axes = figure.add_axes((left, 0.3 / height, width, 0.06 / height))
    bar = figure.colorbar(pictures.scale, cax=axes, orientation="horizontal")
    bar.ax.locator_params(nbins=6)
    short = pictures.label.replace(f" of {pictures.comparison.explained},", "")
    bar.set_label(pictures.label if count == 1 else short, fontsize=5.5)
    bar.ax.tick_params(labelsize=5.5, length=2)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]


def _name_families(figure: Figure, families: Sequence[Pictures], sheet: _Sheet) -> None:
    start, step = 1, (1 + _GAP) * sheet.cell
    for family in families:
        end = start + len(family.pictures)
        middle = _MARGIN + (start * step + (end - 1) * step + sheet.cell) / 2
        figure.text(middle / TEXT_WIDTH, 1 - 0.03 / sheet.height, family.family, fontsize=6.5, ha="center", va="top")
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


def _mark(axis: Axes, place: _Place, correct: bool) -> None:
    place.write(
        axis,
        0.96,
        0.04,
        "✓" if correct else "✗",
        ha="right",
        va="bottom",
        fontsize=4.5,
        color="white",
        bbox={
            "boxstyle": "round,pad=0.12",
            "facecolor": CORRECT_COLOUR if correct else WRONG_COLOUR,
            "edgecolor": "white",
            "linewidth": 0.3,
        },
    )
