"""Training curves for the screen, redrawn in an instant: axes stay where they are, and only what changes is drawn."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from e2kd_lab.figures.blitting import Blitting
from e2kd_lab.figures.curves import FIXED, axes_for, draw_axis, draw_lines, rows_and_columns, write_names
from e2kd_lab.figures.export import screen_png
from e2kd_lab.figures.lettering import text_width
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.run_looks import run_looks
from e2kd_lab.figures.style import new_figure, small, styled

_KEPT = 4  # sheets of axes
# Points: a tick with the space up to its label, outer margins, and what a mark at the last epoch needs.
_TICK, _MARGIN, _MARK = 7.0, 3.0, 4.0
_DIGITS = 4  # of a number at the vertical axis, at least: axes stay where they are from run to run


class LiveCurves:
    """Pictures of training curves for the screen.

    They show what `e2kd_lab.figures.training_curves` does. Their axes are placed by rule, not laid out, so that they
    differ from it by a few pixels; they do not depend on what was drawn before.

    Examples
    --------
    >>> rows = pd.DataFrame({"epoch": [1, 2], "split": "val", "group": "all", "metric": "ece", "value": [0.2, 0.1]})
    >>> LiveCurves().png({"KD": ("kd", rows)}, total_epochs=2)[:4]
    b'\\x89PNG'
    """

    def __init__(self) -> None:
        self._sheets: dict[Hashable, _Sheet] = {}

    def png(self, curves: Mapping[str, tuple[str, pd.DataFrame]], *, total_epochs: int | None = None) -> bytes:
        """Picture of curves, see `e2kd_lab.figures.training_curves`."""
        return self._sheet(curves, total_epochs).png()

    def _sheet(self, curves: Mapping[str, tuple[str, pd.DataFrame]], total_epochs: int | None) -> _Sheet:
        """The sheet that shows these curves now."""
        key = tuple(axes_for(curves)), total_epochs, current_options()
        if key not in self._sheets:
            self._sheets = {**dict(list(self._sheets.items())[1 - _KEPT :]), key: _Sheet(*key[:2])}
        self._sheets[key].draw(curves)
        return self._sheets[key]


class _Sheet:
    """Axes of the same measures and epochs, on which any curves are drawn."""

    def __init__(self, shown: tuple[Any, ...], epochs: int | None) -> None:
        self.shown, (self.down, self.across) = shown, rows_and_columns(len(shown))
        with styled():
            self.figure = new_figure(0.45 + 1.3 * self.down, placed=True)
            grid = self.figure.subplots(self.down, self.across, squeeze=False).flatten()
            for axis in grid[len(shown) :]:
                axis.remove()
            self.axes: list[Axes] = list(grid[: len(shown)])
            for number, (axis, one) in enumerate(zip(self.axes, shown, strict=True)):
                draw_axis(axis, one, epochs, fixed=number in FIXED)
        self._blitting = Blitting(self.figure, [])
        self._places: tuple[Any, ...] = ()
        self._power = False  # whether there is a power of ten above an axis

    def draw(self, curves: Mapping[str, tuple[str, pd.DataFrame]]) -> None:
        """Draw curves in place of those before."""
        with styled(self.figure.options):
            self._clear()
            looks = run_looks({label: method for label, (method, _) in curves.items()})
            for number, (axis, one) in enumerate(zip(self.axes, self.shown, strict=True)):
                draw_lines(axis, curves, one, looks)
                if number not in FIXED:
                    axis.set_ylim(0, 1, auto=True)
                    axis.relim()
                    if axis.lines:
                        axis.autoscale_view(scalex=False)
            write_names(self.figure, self.axes[self.across - 1], looks)
            self._places = self._place()

    def png(self) -> bytes:
        """What is drawn, for the screen."""
        if self._power:  # titles make room for it when all is drawn
            return screen_png(self.figure)
        self._blitting.moving = self._moving()
        return self._blitting.png(self._places)

    def _clear(self) -> None:
        for axis in self.axes:
            for artist in [*axis.lines, *axis.texts]:
                artist.remove()
        for artist in [*self.figure.legends, *self.figure.texts]:
            artist.remove()
        self.figure._supxlabel = None  # type: ignore[attr-defined]

    def _moving(self) -> list[Artist]:
        moving: list[Artist] = [*self.figure.legends, *self.figure.texts]
        for number, axis in enumerate(self.axes):
            moving += [*axis.lines, *axis.texts, axis.spines["left"], axis.spines["bottom"]]
            moving += [] if number in FIXED else [axis.yaxis]
        return moving

    def _place(self) -> tuple[Any, ...]:
        """Place the axes beside their numbers, above the legend; all are of one size. What their places depend on."""
        width, height = 72 * self.figure.get_figwidth(), 72 * self.figure.get_figheight()
        above, below = 6 + 1.2 * small(), _TICK + 4 + 2.5 * small()
        legend = self._legend_height()
        inner = (height - legend - 2 * _MARGIN) / self.down - above - below
        self._set_places([0.1] * self.across, 0.1, width, height, inner, above, below, legend)
        lefts, right = self._number_widths(), self._names_width()
        if self._power:
            above, inner = above + 1.5 * small(), inner - 1.5 * small()
        across = (width - sum(lefts) - (self.across - 1) * (_MARK + _MARGIN) - right - 2 * _MARGIN) / self.across
        self._set_places(lefts, across, width, height, inner, above, below, legend)
        return tuple(lefts), right, legend

    def _set_places(
        self,
        lefts: list[float],
        across: float,
        width: float,
        height: float,
        inner: float,
        above: float,
        below: float,
        legend: float,
    ) -> None:
        for number, axis in enumerate(self.axes):
            row, column = divmod(number, self.across)
            left = _MARGIN + sum(lefts[: column + 1]) + column * (across + _MARK + _MARGIN)
            bottom = legend + _MARGIN + (self.down - 1 - row) * (inner + above + below) + below
            axis.set_position((left / width, bottom / height, across / width, inner / height))

    def _number_widths(self) -> list[float]:
        """Room for ticks and numbers left of each column of axes, in points."""
        digit, widths, self._power = text_width("0", small()), [0.0] * self.across, False
        for number, axis in enumerate(self.axes):
            low, high = sorted(axis.get_ylim())
            places = [place for place in axis.yaxis.get_majorticklocs() if low <= place <= high]
            formatter = axis.yaxis.get_major_formatter()
            texts = formatter.format_ticks(places)
            self._power |= bool(formatter.get_offset())
            digits = max([3 if number in FIXED else _DIGITS, *map(len, texts)])
            widths[number % self.across] = max(widths[number % self.across], _TICK + digits * digit)
        return widths

    def _names_width(self) -> float:
        """Room for the names at the ends of curves, in points."""
        names = [text.get_text() for text in self.axes[self.across - 1].texts]
        return max((text_width(name, small()) + 8 for name in names), default=_MARK)

    def _legend_height(self) -> float:
        artists = [*self.figure.legends, *self.figure.texts]
        renderer = FigureCanvasAgg(self.figure).get_renderer()
        return max((72 * one.get_window_extent(renderer).height / self.figure.dpi for one in artists), default=0.0)
