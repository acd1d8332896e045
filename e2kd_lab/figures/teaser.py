"""The opening figure of the paper: few data, distribution shift and explanations side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.map_pictures import pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import new_figure, styled
from e2kd_lab.figures.teaser_bars import Caption, draw_panels
from e2kd_lab.figures.teaser_layout import (
    ALL,
    BETWEEN,
    CAPTION,
    GAP,
    LABELS,
    MARGIN,
    PICTURE,
    WIDTHS,
    layout_scale,
    write,
)
from e2kd_lab.figures.teaser_pictures import draw_colours, draw_pictures, height_of

PARTS = ("data", "shift", "explanations")
_TITLES = {
    "data": "With fewer data",
    "shift": "Under distribution shift",
    "explanations": "With similar explanations",
}


def teaser(
    numbers: pd.DataFrame,
    comparison: Comparison | None = None,
    *,
    number: int = 0,
    parts: Sequence[str] = PARTS,
    contributions: bool = False,
) -> Figure:
    """KD and e2KD with few data (left), under distribution shift (centre), and explanations of one image (right).

    Parameters
    ----------
    numbers : DataFrame
        See `e2kd_lab.paper.teaser_numbers`.
    comparison : Comparison, optional
        Images explained by ``teacher``, ``kd`` and ``e2kd``, for the part ``explanations``.
    number : int
        The image to show, counted from 0.
    parts : sequence of str
        Parts to draw: ``data``, ``shift``, ``explanations``.
    contributions : bool
        See `explanation_comparison`.

    Returns
    -------
    Figure
        As wide as the paper's text with all parts, narrower with fewer. Bars are means over seeds in percent, dots the
        seeds, diamonds the paper's numbers, dotted lines the teacher.

    Raises
    ------
    ValueError
        If a part is unknown, or there is no comparison to show.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> teaser(lab.paper.teaser_numbers(table_2, waterbirds), parts=("data", "shift"))  # doctest: +SKIP
    """
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"teaser has the parts {', '.join(PARTS)}, got {', '.join(parts) or 'none'}.")
    if "explanations" in parts and comparison is None:
        raise ValueError("teaser needs a comparison for its part 'explanations', got None.")
    chosen = [part for part in PARTS if part in parts]
    stacked = _stacked(chosen)
    caption = Caption.of(numbers, [part for part in chosen if part != "explanations"])
    maps = pictures_of(comparison, contributions) if comparison is not None and "explanations" in parts else None
    labels = LABELS if caption.parts else 0.0
    row = [part for part in chosen if part != "explanations"] if stacked else chosen
    width = sum(WIDTHS[part] for part in row) + labels + GAP * (len(row) - 1) + 2 * MARGIN
    bars, pictures = CAPTION + caption.height if caption.parts else 0.0, height_of(maps, stacked=stacked)
    scale = layout_scale()
    with styled():
        height = bars + GAP + pictures if stacked else max(bars, pictures)
        figure = new_figure(scale * height, width=scale * width, placed=True)
        left = MARGIN + labels
        for part in chosen:
            below = stacked and part == "explanations"
            left, top = (width / 2 - (2 * PICTURE + 1.5 * BETWEEN), bars + GAP) if below else (left, 0.0)
            middle = width / 2 if below else left + WIDTHS[part] / 2
            write(figure, middle, top + 0.03, _TITLES[part], fontsize=current_options().font_size)
            if part != "explanations":
                draw_panels(figure, left, numbers[numbers["part"] == part], named=part == caption.parts[0])
            elif maps is not None:
                draw_pictures(figure, left, top, maps, number, across=4 if stacked else 2)
                draw_colours(figure, left, top, maps, across=4 if stacked else 2)
            left += WIDTHS[part] + GAP
        caption.draw(figure)
    return figure


def _stacked(parts: Sequence[str]) -> bool:
    """Whether the pictures stand below the bars."""
    return current_options().inches <= 0.97 * ALL and "explanations" in parts and len(parts) > 1
