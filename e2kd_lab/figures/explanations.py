"""Side-by-side explanations of teacher and students (Fig. 1, A1, A2)."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from e2kd_lab.explain.comparison import Comparison
from e2kd_lab.explain.rendering import HEAT, heat_overlay, unit_norm
from e2kd_lab.figures.style import CORRECT_COLOUR, METHOD_TITLES, TEXT_WIDTH, WRONG_COLOUR, new_figure, styled


def explanation_comparison(comparison: Comparison, *, side_by_side: int = 2) -> Figure:
    """Image, teacher and students in a row, each prediction marked as correct or incorrect.

    Every map is divided by its L2 norm, because the explanation loss compares directions only; then one colour scale
    serves the whole figure.

    Parameters
    ----------
    comparison : Comparison
        Images and maps (>= 0, one channel); names of networks are method names.
    side_by_side : int
        Images in one row of the figure, each with all its maps.

    Returns
    -------
    Figure
        As wide as the paper's text.
    """
    names = list(comparison.maps)
    maps = {name: unit_norm(comparison.maps[name]) for name in names}
    vmax = torch.quantile(torch.cat([m.flatten() for m in maps.values()]).double()[:: 1 + len(names)], 0.995).item()
    count = len(comparison)
    side_by_side = max(1, min(side_by_side, count))
    rows, columns = -(-count // side_by_side), side_by_side * (1 + len(names))
    cell = (TEXT_WIDTH - 0.1) / columns
    # Inches: a line above each row of images, method names on top, the colour bar below.
    height = rows * (cell + 0.13) + 0.65
    with styled():
        figure = new_figure(TEXT_WIDTH, height)
        figure.set_layout_engine("none")
        spaces = {"left": 0.01, "right": 0.99, "top": 1 - 0.27 / height, "bottom": 0.41 / height}
        axes = figure.subplots(
            rows, columns, squeeze=False, gridspec_kw={**spaces, "wspace": 0.05, "hspace": 0.13 / cell}
        )
        pictures = {name: heat_overlay(comparison.images, maps[name], vmax=vmax) for name in names}
        for axis in axes.flat:
            axis.set_axis_off()
        for number in range(count):
            row, left = number // side_by_side, number % side_by_side * (1 + len(names))
            cells: list[Axes] = list(axes[row, left : left + 1 + len(names)])
            cells[0].imshow(comparison.images[number].permute(1, 2, 0).clamp(0, 1).cpu().numpy())
            if comparison.titles:
                cells[0].text(
                    0,
                    1.03,
                    comparison.titles[number],
                    transform=cells[0].transAxes,
                    fontsize=4.5,
                    va="bottom",
                    ha="left",
                )
            for name, axis in zip(names, cells[1:], strict=True):
                axis.imshow(pictures[name][number])
                _mark(axis, bool(comparison.predictions[name][number] == comparison.labels[number]))
            if row == 0:
                for axis, title in zip(cells, ["Image", *names], strict=True):
                    axis.set_title(METHOD_TITLES.get(title, title), fontsize=5.5, pad=7.5)
        bar_axes = figure.add_axes((0.1, 0.3 / height, 0.8, 0.06 / height))
        bar = figure.colorbar(ScalarMappable(Normalize(0, vmax), HEAT), cax=bar_axes, orientation="horizontal")
        bar.set_label("explanation of the teacher's prediction, divided by its L2 norm", fontsize=6)
        bar.ax.tick_params(labelsize=5.5, length=2)
        bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    return figure


def _mark(axis: Axes, correct: bool) -> None:
    axis.text(
        0.96,
        0.04,
        "✓" if correct else "✗",
        transform=axis.transAxes,
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
