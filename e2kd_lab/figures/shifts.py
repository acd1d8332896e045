"""Explanations of shifted images (Fig. 4 centre and right, Fig. A5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from torch import Tensor

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.figures.dark_ground import on_ground
from e2kd_lab.figures.explanation_comparison import explanation_comparison
from e2kd_lab.figures.explanations import frame
from e2kd_lab.figures.export import canvas_png
from e2kd_lab.figures.lettering import legend_below, write_title
from e2kd_lab.figures.map_pictures import bar_room, colour_bar, pictures_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import (
    FROZEN,
    METHOD_COLOURS,
    METHOD_ORDER,
    METHOD_TITLES,
    new_figure,
    small,
    styled,
)
from e2kd_lab.metrics.shift_similarity import estimate_period

_DASHES = (3, 1.5)


def shift_periodicity(curves: pd.DataFrame, *, patch: int, title: str = "") -> Figure:
    """Similarity of explanations against the shift of the image, a line per network (Fig. 4, centre).

    Parameters
    ----------
    curves : DataFrame
        ``method``, ``seed``, ``shift``, ``similarity``: a row per shift, or per shift and image, which are averaged.
        The shifts are 0, 1, ..., T_max in pixels.
    patch : int
        Patch size of the vision transformer in pixels; hairlines mark its multiples.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        Lines are means over seeds, bands span the seeds; the legend gives the period of each line (see
        `e2kd_lab.metrics.estimate_period`).

    Examples
    --------
    >>> rows = [{"method": "kd", "seed": 0, "shift": shift, "similarity": 1 - shift / 20} for shift in range(17)]
    >>> [label.get_text() for label in shift_periodicity(pd.DataFrame(rows), patch=8).axes[0].get_xticklabels()]
    ['0', '8', '16']
    """
    seeds = curves.groupby(["method", "seed", "shift"], dropna=False)["similarity"].mean().reset_index()
    present = set(seeds["method"])
    with styled():
        figure = new_figure(2.4)
        axis = figure.subplots()
        for method in [name for name in METHOD_ORDER if name in present]:
            by_shift = seeds[seeds["method"] == method].groupby("shift")["similarity"]
            shift_line(axis, method, by_shift.mean())
            low, high = by_shift.min(), by_shift.max()
            axis.fill_between(low.index, low, high, color=METHOD_COLOURS[method], alpha=0.2, linewidth=0)
        shift_axis(axis, int(seeds["shift"].max()) if len(seeds) else patch, patch)
        legend_below(figure, axis.get_legend_handles_labels()[0], handlelength=2.5)
        write_title(figure, title)
    return figure


def shifted_comparison(comparison: Comparison, *, side_by_side: int = 2, contributions: bool = False) -> Figure:
    """Images above their shifted copies, each with all explanations (Fig. 4, right, and Fig. A5).

    Parameters
    ----------
    comparison : Comparison
        N images, each followed by its shifted copy: `e2kd_lab.explanations.compare_shifted` with two shifts.
    side_by_side : int
        Images per row of the figure if it divides N, else one.
    contributions : bool
        See `explanation_comparison`.

    Returns
    -------
    Figure
        As wide as the paper's text, with one colour scale.

    Raises
    ------
    ValueError
        If the number of images is odd.

    Examples
    --------
    >>> maps = {"teacher": torch.rand(2, 1, 8, 8)}
    >>> pair = Comparison(torch.rand(2, 3, 8, 8), maps, {"teacher": torch.tensor([True, True])})
    >>> len(shifted_comparison(pair).axes[0].images)
    4
    """
    if len(comparison) % 2:
        raise ValueError(f"shifted_comparison needs each image and its shifted copy, got {len(comparison)} images.")
    side_by_side = side_by_side if len(comparison) // 2 % side_by_side == 0 else 1
    # Rows alternate between unshifted images and their copies.
    places = torch.arange(len(comparison)).unflatten(0, (-1, side_by_side, 2)).mT.flatten()
    return explanation_comparison(_chosen(comparison, places), side_by_side=side_by_side, contributions=contributions)


class ShiftPicture:
    """One image and its explanations at a variable shift: unshifted on top, shifted below, then the similarity curves.

    Parameters
    ----------
    comparison : Comparison
        One image at the shifts 0, 1, ..., T_max, see `e2kd_lab.explanations.compare_shifted`.
    curves : mapping
        Similarity at each shift, (T_max + 1,), by network.
    patch : int
        Patch size of the vision transformer in pixels.
    contributions : bool
        See `explanation_comparison`.

    Attributes
    ----------
    figure : Figure
        For the last shift given to `move`.

    Examples
    --------
    >>> maps = {"teacher": torch.rand(9, 1, 8, 8)}
    >>> shifted = Comparison(torch.rand(9, 3, 8, 8), maps, {"teacher": torch.ones(9).bool()})
    >>> picture = ShiftPicture(shifted, {"teacher": torch.linspace(1, 0, 9)}, patch=4)
    >>> picture.move(3)
    >>> picture.png()[:4]
    b'\x89PNG'
    """

    def __init__(
        self, comparison: Comparison, curves: Mapping[str, Tensor], *, patch: int, contributions: bool = False
    ) -> None:
        maps = pictures_of(comparison, contributions)
        self.pictures = {"image": comparison.images.permute(0, 2, 3, 1).clamp(0, 1).cpu().numpy(), **maps.pictures}
        self.curves = {name: curve.double().cpu().numpy() for name, curve in curves.items()}
        columns, largest = len(self.pictures), len(comparison) - 1
        across = current_options().inches
        # At the paper's width the figure is lower than wide, so that a panel shows all of it on a small screen.
        cell, bar = min((across - 0.1) / columns, max(0.95, 0.2 * across)), bar_room(maps, 0.8 * across) + 0.05
        height = 0.2 + 2 * (cell + 0.15) + 1.45 + bar  # inches: titles, pictures, curves, colour bar
        left = (1 - columns * cell / across) / 2
        grid = {"left": left, "right": 1 - left, "top": 1 - 0.2 / height, "bottom": 1 - (0.35 + 2 * cell) / height}
        with styled():
            self.figure = new_figure(height, placed=True)
            rows = self.figure.subplots(
                2, columns, squeeze=False, gridspec_kw={**grid, "wspace": 0.05, "hspace": 0.15 / cell}
            )
            self._shown: dict[str, tuple[AxesImage, Text]] = {}
            for name, above, below in zip(self.pictures, *rows, strict=True):
                colour = METHOD_COLOURS.get(name, "black")  # the titles are the legend of the curves
                above.set_title(METHOD_TITLES.get(name, name.capitalize()), fontsize=small(), pad=3, color=colour)
                above.imshow(self.pictures[name][0])
                title = below.set_title("", fontsize=small(), y=1, pad=2, color=colour)
                self._shown[name] = below.imshow(self.pictures[name][0]), title
                frame(above)
                frame(below)
            left = 0.55 / across
            plot = self.figure.add_axes((left, (bar + 0.42) / height, 0.98 - left, 0.95 / height))
            for name, curve in self.curves.items():
                shift_line(plot, name, pd.Series(curve))
            shift_axis(plot, largest, patch)
            plot.set_ylabel("cosine")
            self._marker = plot.axvline(0, color="black", linewidth=0.8)
            colour_bar(self.figure, maps, 0.1 * across, bar - 0.1, 0.8 * across)
        self._canvas = FigureCanvasAgg(self.figure)
        self._still: Any = None
        self.move(0)

    def move(self, shift: int) -> None:
        """Show the image at another shift."""
        for name, (picture, title) in self._shown.items():
            picture.set_data(self.pictures[name][shift])
            known = name in self.curves
            title.set_text(f"cosine {self.curves[name][shift]:.2f}".replace("-", "−") if known else f"↘ {shift} px")
        self._marker.set_xdata([shift, shift])

    def png(self) -> bytes:
        """Render the figure for the screen; only what depends on the shift is redrawn, in a third of the time."""
        pictures, titles = zip(*self._shown.values(), strict=True)
        moving: list[Artist] = [*pictures, *titles, self._marker]
        with styled():
            if self._still is None:
                for artist in moving:
                    artist.set_visible(False)
                with on_ground(self.figure):
                    self._canvas.draw()
                self._still = self._canvas.copy_from_bbox(self.figure.bbox)
                for artist in moving:
                    artist.set_visible(True)
            self._canvas.restore_region(self._still)
            frames = [spine for picture in pictures for spine in picture.axes.spines.values()]
            with on_ground(self.figure, [*moving, *frames]):
                for artist in [*moving, *frames]:
                    artist.draw(self._canvas.get_renderer())
        return canvas_png(self._canvas)


def shift_line(axis: Axes, method: str, curve: pd.Series) -> None:
    """Draw the similarity of one network against the shift, with its period in the label."""
    period = estimate_period(torch.tensor(curve.to_numpy())).period
    axis.plot(
        curve.index,
        curve,
        dashes=_DASHES if method.endswith(FROZEN) else (None, None),
        color=METHOD_COLOURS.get(method, "black"),
        label=f"{METHOD_TITLES.get(method, method)}\n" + ("no period" if period is None else f"period {period} px"),
    )


def shift_axis(axis: Axes, largest: int, patch: int) -> None:
    """Draw ticks and hairlines at multiples of the patch size, and name both axes."""
    ticks = range(0, largest + 1, patch)
    axis.set_xlim(0, largest)
    axis.set_xticks(ticks)
    axis.vlines(ticks, 0, 1, transform=axis.get_xaxis_transform(), color="#999999", linewidth=0.4, zorder=0.5)
    axis.set_xlabel("shift T along the diagonal (pixels)")
    axis.set_ylabel("cosine of explanations")


def _chosen(comparison: Comparison, places: Tensor) -> Comparison:
    """Some images of a comparison, in this order."""
    return replace(
        comparison,
        images=comparison.images[places],
        maps={name: maps[places] for name, maps in comparison.maps.items()},
        correct={name: correct[places] for name, correct in comparison.correct.items()},
        titles=tuple(comparison.titles[place] for place in places.tolist()) if comparison.titles else (),
        labels=None if comparison.labels is None else comparison.labels[places],
        predictions={name: predicted[places] for name, predicted in comparison.predictions.items()},
    )
