"""Pictures of the opening figure: an image with the maps of teacher, KD and e2KD, and their colours."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from e2kd_lab.figures.explanations import frame
from e2kd_lab.figures.lettering import evenly_broken
from e2kd_lab.figures.map_pictures import Pictures
from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_TITLES, small
from e2kd_lab.figures.teaser_layout import BETWEEN, LINE, METHODS, NAME, PICTURE, TITLE, area, layout_scale, write


def draw_pictures(figure: Figure, left: float, top: float, maps: Pictures, number: int, *, across: int) -> None:
    """Image, teacher, KD and e2KD: two by two, or all in a row."""
    comparison = maps.comparison
    title = comparison.titles[number] if comparison.titles else "Image"
    image = comparison.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    cells: list[tuple[str, Any, Any]] = [(title, "black", image)]
    for method in ("teacher", *METHODS):
        sign = "✓" if comparison.correct[method][number] else "✗"
        name = f"{METHOD_TITLES[method]} {sign}"
        cells.append((name, METHOD_COLOURS[method], maps.pictures[method][number]))
    for place, (name, colour, picture) in enumerate(cells):
        row, column = divmod(place, across)
        right, down = left + column * (PICTURE + BETWEEN), top + TITLE - 0.02 + row * (NAME + PICTURE)
        axis = area(figure, right, down + NAME, PICTURE, PICTURE)
        axis.imshow(picture)
        frame(axis)
        write(figure, right + PICTURE / 2, down + 0.02, name, color=colour)


def draw_colours(figure: Figure, left: float, top: float, maps: Pictures, *, across: int) -> None:
    """The colour bar that the three maps share."""
    width = across * PICTURE + (across - 1) * BETWEEN
    top += _above_colours(across)
    axis = area(figure, left + 0.1, top, width - 0.2, 0.05)
    bar = figure.colorbar(maps.scale, cax=axis, orientation="horizontal")
    bar.ax.locator_params(nbins=2 * across)
    bar.ax.tick_params(length=1.5, pad=1)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    for line, text in enumerate(_label_lines(maps, width)):
        write(figure, left + width / 2, top + 0.18 + LINE * line, text)


def _above_colours(across: int) -> float:
    """Height of the title and the pictures above the colour bar."""
    return TITLE + 4 // across * (NAME + PICTURE) + 0.04


def _label_lines(maps: Pictures, width: float) -> list[str]:
    """Name of the colour bar, in lines as wide as the pictures."""
    return evenly_broken(maps.label, 72 * width * layout_scale(), small()).split("\n")


def height_of(maps: Pictures | None, *, stacked: bool) -> float:
    """Height of the title, the pictures and their colour bar."""
    across = 4 if stacked else 2
    width = across * PICTURE + (across - 1) * BETWEEN
    return 0.0 if maps is None else _above_colours(across) + 0.22 + LINE * len(_label_lines(maps, width))
