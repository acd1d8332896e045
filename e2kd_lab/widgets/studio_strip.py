"""The way of one change of the studio's picture, in steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.data.scenes import Amount, Change
from e2kd_lab.figures import FigureOptions, figure_options
from e2kd_lab.figures.answers import Answers
from e2kd_lab.figures.live_answers import LiveAnswers
from e2kd_lab.figures.path_strip import path_strip
from e2kd_lab.widgets.controls import WIDE, muted
from e2kd_lab.widgets.panel import picture_frame

_STEPS = 9


class StudioStrip:
    """A strip: what networks make of the way of one change, in steps.

    Parameters
    ----------
    live : LiveAnswers
        Draws it.

    Attributes
    ----------
    button, along, steps : ipywidgets controls
        Whether it is shown; the change whose way it shows; its number of steps.
    image : ipywidgets.Image
        The strip as PNG; empty while it is not shown.
    data : DataFrame or None
        A row a step and network, while it is shown.

    Examples
    --------
    >>> strip = StudioStrip(LiveAnswers())
    >>> strip.button.value, strip.figure, strip.data
    (False, None, None)
    """

    def __init__(self, live: LiveAnswers) -> None:
        self.button = widgets.ToggleButton(
            description="Strip", icon="film", tooltip="Show the way of one change in steps",
            layout=widgets.Layout(width="110px"),
        )  # fmt: skip
        self.along = widgets.Dropdown(description="Strip of", layout=widgets.Layout(**WIDE))
        self.steps = widgets.IntSlider(
            description="Steps", value=_STEPS, min=3, max=13, continuous_update=False, layout=widgets.Layout(**WIDE)
        )
        self.image = picture_frame()
        self._live = live
        self._amounts: dict[str, Amount] = {}
        self._drawn: Any = None  # all that the strip depends on
        self._figure: Figure | Callable[[], Figure] | None = None
        self._options = FigureOptions()
        self.data: pd.DataFrame | None = None

    def offer(self, changes: Sequence[Change], first: str, redraw: Callable[..., None]) -> None:
        """Offer the changes of another picture, without a call of ``redraw``.

        Parameters
        ----------
        changes : sequence of Change
            The picture's; those by an amount can be gone along.
        first : str
            Name of the one that is chosen; if empty, it is a background that has come, or what was chosen before.
        redraw : callable
            What observes ``along``.
        """
        before, self._drawn = self._amounts, None
        self._amounts = {change.name: change for change in changes if isinstance(change, Amount)}
        if not first:
            first = "background" if "background" in self._amounts else next(iter(self._amounts))
            if first in before and self.along.value in self._amounts:
                first = self.along.value
        with muted(redraw, self.along):
            self.along.options = [(change.title, name) for name, change in self._amounts.items()]
            self.along.value = first

    def draw(
        self,
        values: dict[str, Any],
        state: tuple[Any, ...],
        answers: Callable[[str, list[float]], Answers],
        *,
        contributions: bool,
        options: FigureOptions,
        computing: Callable[[str], AbstractContextManager[Any]],
    ) -> str | None:
        """Draw the strip, unless only the change whose way it shows was made.

        Parameters
        ----------
        values : dict
            Values of all changes by name.
        state : tuple
            What else the strip depends on.
        answers : callable
            Gives the networks' answers to the picture at some steps of a change.
        contributions : bool
            See `e2kd_lab.figures.path_strip`.
        options : FigureOptions
            How it is drawn.
        computing : callable
            See `Panel.computing`.

        Returns
        -------
        str or None
            What it shows, in words, if it was drawn.
        """
        change = self._amounts[self.along.value]
        steps = np.linspace(change.low, change.high, self.steps.value).round(4).tolist()
        drawn = {**values, change.name: None}, change, steps, contributions, options, state
        if drawn == self._drawn:
            return None
        with computing("the strip"):
            given = answers(change.name, steps)
            look: dict[str, Any] = {"what": change.title, "contributions": contributions}
            self.image.value = self._live.path_strip(given, steps, **look)
        self._drawn, self._options = drawn, options
        self._figure = lambda: path_strip(given, steps, **look)
        self.data = given.table(**{change.name: steps})
        said = f"Way of the change {change.title}, in {len(steps)} steps: pictures, maps and probabilities."
        return f"{said} {_flips(self.data)}"

    def clear(self) -> None:
        """Show nothing."""
        self._figure, self._drawn, self.data, self.image.value = None, None, None, b""

    @property
    def figure(self) -> Figure | None:
        """The strip, while it is shown."""
        if callable(self._figure):
            with figure_options(self._options):
                self._figure = self._figure()
        return self._figure


def _flips(data: pd.DataFrame) -> str:
    """Where each network changes its mind, in words."""
    told = []
    for network, rows in data.groupby("network", sort=False):
        flipped = rows[rows["prediction"] != rows["prediction"].iloc[0]]
        where = "never changes" if flipped.empty else f"changes at {flipped.iloc[0, 0]:g}"
        told.append(f"{network}: {rows['prediction'].iloc[0].replace('_', ' ')}, {where}")
    return f"{'; '.join(told)}."
