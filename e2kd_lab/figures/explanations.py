"""Pictures that stand side by side in one pair of axes, and what is drawn on them: edges, objects, marks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.style import BOX_COLOUR, CORRECT_COLOUR, WRONG_COLOUR, small

_HAIRLINE = "#BBBBBB"


def draw_objects(axis: Axes, places: Sequence[Place], comparison: Comparison, number: int) -> list[Artist]:
    """Boxes and outlines of the objects, where they are known, on the image and on all its maps."""
    size = (comparison.images.shape[2], comparison.images.shape[3])
    contour, drawn = None, list[Artist]()
    for place in places:
        if comparison.boxes:
            drawn += place.outline(axis, comparison.boxes[number], size)
        if comparison.masks is not None and comparison.masks[number].any():
            # To find it takes most of the time, so it is found once.
            if contour is None:
                contour = place.contour(axis, comparison.masks[number].cpu().numpy())
                drawn.append(contour)
            else:
                drawn.append(place.repeat(axis, contour, places[0], comparison.masks.shape[2]))
    return drawn


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

    def write(self, axis: Axes, right: float, up: float, text: str, **style: Any) -> Text:
        """Write text at a point in units of the rectangle's width and height."""
        where = self.left + right * self.width, self.bottom + up * self.height
        return axis.text(*where, text, fontsize=small(), **style)

    def frame(self, axis: Axes) -> Rectangle:
        # A hairline gives the picture an edge on white paper.
        edge = Rectangle(
            (self.left, self.bottom), self.width, self.height, fill=False, edgecolor=_HAIRLINE, linewidth=0.3
        )
        axis.add_artist(edge)
        return edge

    def outline(self, axis: Axes, boxes: Tensor, size: tuple[int, int]) -> list[Artist]:
        """Draw boxes (n, 4), in pixels of a picture of this height and width."""
        (height, width), drawn = size, list[Artist]()
        for left, top, right, bottom in boxes.tolist():
            corner = self.left + self.width * left / width, self.bottom + self.height * (1 - bottom / height)
            extent = self.width * (right - left) / width, self.height * (bottom - top) / height
            box = Rectangle(corner, *extent, fill=False, color=BOX_COLOUR, linewidth=0.7)
            drawn.append(axis.add_patch(box))
        return drawn

    def columns(self, count: int) -> np.ndarray:
        """Middles of the columns of a picture that has so many."""
        return self.left + self.width * (np.arange(count) + 0.5) / count

    def contour(self, axis: Axes, mask: np.ndarray) -> QuadContourSet:
        height, width = mask.shape
        down = self.bottom + self.height * (1 - (np.arange(height) + 0.5) / height)
        return axis.contour(self.columns(width), down, mask, [0.5], colors=[BOX_COLOUR], linewidths=[0.5])

    def repeat(self, axis: Axes, contour: QuadContourSet, other: Place, count: int) -> QuadContourSet:
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
        return again


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


def mark(axis: Axes, place: Place, correct: bool) -> Text:
    """Mark a prediction in the corner of a picture."""
    sign = place.write(
        axis,
        0.96,
        0.04,
        "",
        ha="right",
        va="bottom",
        color="white",
        bbox={"boxstyle": "round,pad=0.12", "edgecolor": "white", "linewidth": 0.3},
    )
    set_mark(sign, correct)
    return sign


def set_mark(sign: Text, correct: bool) -> None:
    """Change a mark."""
    sign.set_text("✓" if correct else "✗")
    ground = sign.get_bbox_patch()
    assert ground is not None
    ground.set_facecolor(CORRECT_COLOUR if correct else WRONG_COLOUR)
