"""Small pictures in rows and columns, each with a number below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from e2kd_lab.explanations.rendering import HEAT, largest, signed_colours, unit_norm
from e2kd_lab.figures.lettering import broken, text_width, write_title
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import BOX_COLOUR, StyledFigure, new_figure, small, styled

_BETWEEN = 0.05  # pictures of a row, in inches


def picture_grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    *,
    columns: Sequence[str],
    names: Sequence[str],
    below: Sequence[Sequence[str]],
    title: str = "",
) -> StyledFigure:
    """Square pictures in rows and columns.

    Parameters
    ----------
    rows : sequence
        RGB pictures (H, W, 3) in [0, 1] of each row; None leaves a place empty.
    columns, names : sequence of str
        Titles of the columns, and names of the rows, which stand to their left.
    below : sequence
        A text below each picture.
    title : str
        Title of the figure.

    Examples
    --------
    >>> figure = picture_grid([[np.zeros((4, 4, 3))]], columns=["trained"], names=["KD"], below=[["1.00"]])
    >>> len(figure.axes)
    1
    """
    inches, line = current_options().inches, 1.35 * small() / 72
    left = 1.4 * line if any(names) else 0.02
    cell = (inches - left - 0.02) / len(columns) - _BETWEEN
    heads = [broken(column, 72 * cell, small()) for column in columns]
    turned = max(text_width(text, small()) for text in heads) + 2 > 72 * (cell + _BETWEEN)
    if turned:
        heads = list(columns)
    longest = max(text_width(text, small()) for text in heads) / 72
    head = longest + 0.06 if turned else (1 + max(text.count("\n") for text in heads)) * line
    top = head + (2 * line if title and current_options().title else 0) + 0.04
    height = top + len(rows) * (cell + line + 0.04)
    with styled():
        figure = new_figure(height, placed=True)
        for number, pictures in enumerate(rows):
            for place, picture in enumerate(pictures):
                x, y = left + place * (cell + _BETWEEN), height - top - cell - number * (cell + line + 0.04)
                axis = figure.add_axes((x / inches, y / height, cell / inches, cell / height))
                _show(axis, picture, below[number][place])
                if number == 0:
                    axis.set_title(heads[place], fontsize=small(), pad=2, rotation=90 if turned else 0)
                if place == 0 and names[number]:
                    axis.set_ylabel(broken(names[number], 72 * cell, small()), fontsize=small(), labelpad=2)
        write_title(figure, title)
    return figure


def rendered_maps(maps: Sequence[Tensor], *, signed: bool) -> list[np.ndarray]:
    """Maps (H, W), each divided by its L2 norm, as RGB pictures (H, W, 3) on one colour scale.

    Signed ones are blue, white and red, others a heatmap.

    Examples
    --------
    >>> import torch
    >>> rendered_maps([torch.ones(4, 4)], signed=True)[0].shape
    (4, 4, 3)
    """
    shown = [unit_norm(one[None, None]) for one in maps]
    end = largest(one.abs() for one in shown)
    if signed:
        return [signed_colours(one, vmax=end)[0] for one in shown]
    return [HEAT((one[0, 0] / max(end, 1e-12)).clamp(0, 1).double().cpu().numpy())[..., :3] for one in shown]


def outline_cell(axis: Axes, cell: int, side: int) -> None:
    """Outline a cell of a grid of images, row by row."""
    (low, high), (bottom, upper) = sorted(axis.get_xlim()), sorted(axis.get_ylim())
    width, tall = (high - low) / side, (upper - bottom) / side
    corner = (low + cell % side * width, bottom + cell // side * tall)
    axis.add_patch(Rectangle(corner, width, tall, fill=False, edgecolor=BOX_COLOUR, linewidth=1.2))


def _show(axis: Axes, picture: np.ndarray | None, text: str) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.grid(visible=False)
    if picture is not None:
        axis.imshow(np.clip(picture, 0, 1), interpolation="nearest")
    axis.set_xlabel(text, fontsize=small(), labelpad=1.5)
