"""Pixels of one image inserted and deleted in the order of its explanations, beside the curves of all shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from torch import Tensor

from e2kd_lab.explanations.pixel_ranking import PixelRanking
from e2kd_lab.figures.labels import method_colours, title_of
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.picture_grid import rendered_maps
from e2kd_lab.figures.style import NOTE_COLOUR, new_figure, small, styled
from e2kd_lab.metrics import delete_pixels, insert_pixels

_ROWS = ("Map", "Inserted", "Deleted")
_LEFT, _GAP, _CURVES = 0.62, 0.05, 1.0  # inches: names of rows, between pictures, height of the curves
_CELL = 0.86  # inches at most: at the paper's width, all of the figure is on a screen of 1280 x 720


class PixelShares:
    """A figure of one image: maps, inserted and deleted pixels, and curves; `move` shows another share.

    Parameters
    ----------
    image : Tensor
        RGB image in [0, 1], (3, H, W).
    rankings : mapping
        How each network ranks its pixels (see `e2kd_lab.explanations.pixel_rankings`), by method.
    share : float
        Share of pixels that are inserted or deleted, in [0, 1].

    Attributes
    ----------
    figure : Figure
        The figure; its ``data`` are the curves.

    Examples
    --------
    >>> import torch
    >>> curve = torch.tensor([0.5, 1.0])
    >>> ranking = PixelRanking(torch.rand(8, 8), False, 0, curve, curve.flip(0))
    >>> picture = PixelShares(torch.rand(3, 8, 8), {"kd": ranking}, share=0.5)
    >>> picture.move(1.0)
    >>> len(picture.figure.axes)
    3
    """

    def __init__(self, image: Tensor, rankings: Mapping[str, PixelRanking], *, share: float = 0.25) -> None:
        self.image, self.rankings = image, dict(rankings)
        self._maps = [
            picture
            for ranking in self.rankings.values()
            for picture in rendered_maps([ranking.evidence], signed=ranking.signed)
        ]
        with styled():
            self._lay_out()
        self.figure.data = self._data()
        self.move(share)

    def move(self, share: float) -> None:
        """Show the images with another share of their pixels."""
        planes = {name: ranking.evidence[None] for name, ranking in self.rankings.items()}
        inserted = [insert_pixels(self.image[None], plane, share)[0] for plane in planes.values()]
        deleted = [delete_pixels(self.image[None], plane, share)[0] for plane in planes.values()]
        rows = [self._maps, *([one.permute(1, 2, 0).cpu().numpy() for one in row] for row in (inserted, deleted))]
        for artists, pictures in zip(self._pictures, rows, strict=True):
            for artist, picture in zip(artists, pictures, strict=True):
                artist.set_data(np.clip(picture, 0, 1))
        for line in self._lines:
            line.set_xdata([100 * share] * 2)

    def _lay_out(self) -> None:
        inches, count = current_options().inches, len(self.rankings)
        cell = min((inches - _LEFT) / count - _GAP, _CELL)
        line = 1.3 * small() / 72
        tall = cell * self.image.shape[1] / self.image.shape[2]
        head = 1.25 * line
        pictures = head + len(_ROWS) * (tall + _GAP)
        below = _CURVES + 5.5 * line
        self.figure = new_figure(pictures + below, placed=True)
        axis = self.figure.add_axes((0, below / (pictures + below), 1, pictures / (pictures + below)))
        axis.set(xlim=(0, inches), ylim=(0, pictures))
        axis.set_axis_off()
        self._pictures: list[list[AxesImage]] = [[], [], []]
        for row, name in enumerate(_ROWS):
            bottom = pictures - head - (row + 1) * (tall + _GAP) + _GAP
            axis.text(_LEFT - 0.06, bottom + tall / 2, name, ha="right", va="center", fontsize=small())
            for column in range(count):
                left = _LEFT + column * (cell + _GAP)
                extent = (left, left + cell, bottom, bottom + tall)
                blank = np.zeros((2, 2, 3))
                self._pictures[row].append(axis.imshow(blank, extent=extent, aspect="auto", interpolation="nearest"))
        for column, (method, colour) in enumerate(method_colours(list(self.rankings)).items()):
            left = _LEFT + column * (cell + _GAP)
            axis.text(
                left + cell / 2, pictures - head + 0.05, title_of("method", method), ha="center", fontsize=small()
            )
            axis.plot([left, left + cell], [pictures - head + 0.03] * 2, color=colour, linewidth=1.5)
        axis.set(xlim=(0, inches), ylim=(0, pictures))
        self._draw_curves(inches, pictures + below, line)

    def _draw_curves(self, inches: float, height: float, line: float) -> None:
        middle, right = 0.2, 0.12
        across = (inches - _LEFT - middle - right) / 2
        self._lines: list[Line2D] = []
        for number, name in enumerate(("insertion", "deletion")):
            left = _LEFT + number * (across + middle)
            place = (left / inches, 3.2 * line / height, across / inches, _CURVES / height)
            axis = self.figure.add_axes(place)
            self._draw_curve(axis, name)
            if number:
                axis.set_yticklabels([])
            else:
                axis.set_ylabel("probability")

    def _draw_curve(self, axis: Axes, name: str) -> None:
        colours = method_colours(list(self.rankings))
        for method, ranking in self.rankings.items():
            curve = getattr(ranking, name).double().cpu().numpy()
            axis.plot(np.linspace(0, 100, len(curve)), curve, color=colours[method])
        self._lines.append(axis.axvline(0, color=NOTE_COLOUR, linewidth=0.8, linestyle=":"))
        axis.set(xlim=(0, 100), ylim=(-0.03, 1.03), title=name.capitalize())
        axis.set_xlabel(f"{'inserted' if name == 'insertion' else 'deleted'} pixels (%)")

    def _data(self) -> pd.DataFrame:
        rows = []
        for method, ranking in self.rankings.items():
            for name in ("insertion", "deletion"):
                curve = getattr(ranking, name).tolist()
                shares = np.linspace(0, 1, len(curve))
                rows += [
                    {"method": method, "curve": name, "share": share, "probability": value}
                    for share, value in zip(shares, curve, strict=True)
                ]
        return pd.DataFrame(rows)
