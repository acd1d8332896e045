"""Side-by-side explanations of teacher and students (Fig. 1, A1, A2)."""

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

_GAP, _LINE = 0.05, 0.13  # between pictures in a row, in their widths, and between rows, in inches
_HAIRLINE = "#BBBBBB"


def explanation_comparison(
    comparison: Comparison | Sequence[Comparison], *, side_by_side: int = 2, contributions: bool = False
) -> Figure:
    """Image, teacher and students in a row, each prediction marked as correct or incorrect.

    Every map is divided by its L2 norm, because the explanation loss compares directions only; then one colour scale
    serves all networks of a family.

    Parameters
    ----------
    comparison : Comparison, or sequence of Comparison
        Images and maps; names of networks are method names. Several comparisons of the same images, for instance one a
        family of networks, stand next to each other.
    side_by_side : int
        Images in one row of the figure, each with all its maps.
    contributions : bool
        Show what each pixel contributes to the logit in place of W(x), for B-cos networks.

    Returns
    -------
    Figure
        As wide as the paper's text.
    """
    blocks = [pictures_of(part, contributions) for part in _listed(comparison)]
    first = _listed(comparison)[0]
    names = ["Image", *(METHOD_TITLES.get(name, name) for block in blocks for name in block.pictures)]
    count, per_image = len(first), len(names)
    side_by_side = max(1, min(side_by_side, count))
    rows, columns = -(-count // side_by_side), side_by_side * per_image
    # Inches: a gap between pictures, a line above each row of them, method names on top, the colour bars below.
    cell = 0.98 * TEXT_WIDTH / (columns + _GAP * (columns - 1))
    top = 0.27 if len(blocks) == 1 else 0.4
    tall = cell * (first.images.shape[2] / first.images.shape[3])
    height = rows * tall + (rows - 1) * _LINE + top + 0.41
    with styled():
        figure = new_figure(TEXT_WIDTH, height, placed=True)
        # One pair of axes in inches for all pictures: a pair for each would take most of the time.
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        for number in range(count):
            row, left = number // side_by_side, number % side_by_side * per_image
            bottom = height - top - tall - row * (tall + _LINE)
            places = [
                _Place((0.01 * TEXT_WIDTH) + (left + column) * (1 + _GAP) * cell, bottom, cell, tall)
                for column in range(per_image)
            ]
            places[0].show(axis, first.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy())
            if first.titles:
                places[0].write(axis, 0, 1.03, first.titles[number], fontsize=4.5, va="bottom", ha="left")
            shown = [(block, name) for block in blocks for name in block.pictures]
            for (block, name), place in zip(shown, places[1:], strict=True):
                place.show(axis, block.pictures[name][number])
                place.frame(axis)
                _mark(axis, place, bool(block.comparison.correct[name][number]))
            size = (first.images.shape[2], first.images.shape[3])
            for place in places:
                if first.boxes:
                    place.outline(axis, first.boxes[number], size)
                if first.masks is not None and first.masks[number].any():
                    place.contour(axis, first.masks[number].cpu().numpy())
            if row == 0:
                for place, title in zip(places, names, strict=True):
                    place.write(axis, 0.5, 1 + 0.105 / tall, title, fontsize=5.5, va="bottom", ha="center")
        axis.set(xlim=(0, TEXT_WIDTH), ylim=(0, height), aspect="auto")
        if len(blocks) > 1:
            _name_families(figure, blocks, cell, height)
        for number, block in enumerate(blocks):
            colour_bar(figure, block, height, number, len(blocks))
    return figure


@dataclass(frozen=True)
class _Place:
    """A rectangle for a picture, in inches from the figure's lower left corner."""

    left: float
    bottom: float
    width: float
    height: float

    def show(self, axis: Axes, picture: np.ndarray) -> None:
        axis.imshow(picture, extent=(self.left, self.left + self.width, self.bottom, self.bottom + self.height))

    def write(self, axis: Axes, right: float, up: float, text: str, **style: Any) -> None:
        """Write at a point given in widths and heights of the rectangle."""
        axis.text(self.left + right * self.width, self.bottom + up * self.height, text, **style)

    def frame(self, axis: Axes) -> None:
        # A hairline, so that a picture on white paper has an edge.
        corner = self.left, self.bottom
        axis.add_patch(Rectangle(corner, self.width, self.height, fill=False, edgecolor=_HAIRLINE, linewidth=0.3))

    def outline(self, axis: Axes, boxes: Tensor, size: tuple[int, int]) -> None:
        """Boxes (n, 4) in pixels of a picture of this height and width."""
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
class Block:
    """The pictures of one family of networks, and their colour scale."""

    comparison: Comparison
    family: str
    pictures: dict[str, np.ndarray]
    scale: ScalarMappable
    label: str


def _listed(comparison: Comparison | Sequence[Comparison]) -> list[Comparison]:
    return [comparison] if isinstance(comparison, Comparison) else list(comparison)


def pictures_of(comparison: Comparison, contributions: bool) -> Block:
    """All maps of a comparison as RGB pictures (N, H, W, 3), on one colour scale."""
    drawing = comparison.method.draw(comparison.images, comparison.maps, contributions=contributions)
    scale = ScalarMappable(Normalize(drawing.low, drawing.high), drawing.colours)
    label = drawing.label.format(of=f"of {comparison.explained}")
    family = FAMILY_TITLES.get(comparison.family, comparison.family)
    return Block(comparison, family, drawing.pictures, scale, label)


def colour_bar(figure: Figure, block: Block, height: float, number: int = 0, count: int = 1) -> None:
    """Draw the colour scale of one of ``count`` blocks along the bottom of a figure of a height in inches."""
    width = 0.8 / count if count == 1 else 0.86 / count
    left = 0.1 if count == 1 else 0.04 + number * (0.92 - width)
    axes = figure.add_axes((left, 0.3 / height, width, 0.06 / height))
    bar = figure.colorbar(block.scale, cax=axes, orientation="horizontal")
    bar.ax.locator_params(nbins=6)
    short = block.label.replace(f" of {block.comparison.explained},", "")
    bar.set_label(block.label if count == 1 else short, fontsize=5.5)
    bar.ax.tick_params(labelsize=5.5, length=2)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]


def _name_families(figure: Figure, blocks: Sequence[Block], cell: float, height: float) -> None:
    start, step = 1, (1 + _GAP) * cell
    for block in blocks:
        end = start + len(block.pictures)
        middle = 0.01 * TEXT_WIDTH + (start * step + (end - 1) * step + cell) / 2
        figure.text(middle / TEXT_WIDTH, 1 - 0.03 / height, block.family, fontsize=6.5, ha="center", va="top")
        start = end


def frame(axis: Axes) -> None:
    """Give a picture a hairline, so that on white paper it has an edge."""
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
