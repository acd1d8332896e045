"""Outline of a heat map's cell on its rendered picture: the figure stays as it is exported, and is not drawn again."""

from __future__ import annotations

import io

from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from e2kd_lab.figures.export import SCREEN_DPI, light_png


def outlined_cell(figure: Figure, png: bytes, column: int, row: int) -> bytes:
    """Outline a cell in black with a white rim, visible on any colour.

    Parameters
    ----------
    figure : Figure
        The figure, whose first axes hold the heat map.
    png : bytes
        Its rendering at screen resolution.
    column, row : int
        The cell, counted from 0 as in the data.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    corners = figure.axes[0].transData.transform([(column, row), (column + 1, row + 1)]) * SCREEN_DPI / figure.dpi
    (left, right), (low, high) = sorted(corners[:, 0]), sorted(picture.height - corners[:, 1])
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left - 3, low - 3, right + 3, high + 3), outline="white", width=7)
    draw.rectangle((left - 1, low - 1, right + 1, high + 1), outline="black", width=3)
    return light_png(picture)
