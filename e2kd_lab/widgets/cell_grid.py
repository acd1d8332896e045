"""The cells of a sweep map as buttons, for mouse, keyboard and screen readers."""

from __future__ import annotations

from collections.abc import Iterable

import ipywidgets as widgets
import pandas as pd
from traitlets import Tuple

from e2kd_lab.figures import Measure
from e2kd_lab.figures.labels import counted
from e2kd_lab.figures.sweep_colours import sweep_colours
from e2kd_lab.figures.sweep_map import EMPTY

Cell = tuple[float, float]
# Black on a light page, white on a dark one; where the page has no theme, black.
_PICKED, _OTHER = "2px solid var(--jp-ui-font-color0, black)", "2px solid #C8C8C8"


class CellGrid(widgets.GridBox):
    """A button for each lambda (columns) and tau (rows) in the colours of the map; a click picks the cell.

    Parameters
    ----------
    value : (lam, tau)
        The cell that is picked first.

    Attributes
    ----------
    value : (lam, tau)
        The picked cell; to observe and to set.
    buttons : dict
        Buttons by (lam, tau).

    Examples
    --------
    >>> row = {"lam": 5.0, "tau": 1.0, "in_grid": True, "n": 0, "mean": None}
    >>> grid = CellGrid((5.0, 1.0))
    >>> grid.show(pd.DataFrame([row]), Measure("accuracy"))
    >>> grid.buttons[5.0, 1.0].tooltip
    'λ = 5, τ = 1: no finished run yet, picked'
    """

    value = Tuple()

    def __init__(self, value: Cell) -> None:
        self.buttons: dict[Cell, widgets.Button] = {}
        self._said: dict[Cell, tuple[str, str]] = {}
        self._training: Cell | None = None
        self._queued: set[Cell] = set()
        super().__init__(value=value, layout=widgets.Layout(grid_gap="2px", width="max-content"))
        self.add_class("e2kd-cells")  # its buttons are named by their tooltips
        self.observe(self._outline, "value")

    def show(self, cells: pd.DataFrame, measure: Measure) -> None:
        """Write and colour the cells (see `e2kd_lab.figures.sweep_cells`)."""
        colours = sweep_colours(cells, measure)
        places = [(float(lam), float(tau)) for lam, tau in zip(cells["lam"], cells["tau"], strict=True)]
        if list(self.buttons) != places:
            self._make(places)
        for place, mean, count, planned in zip(places, cells["mean"], cells["n"], cells["in_grid"], strict=True):
            said = "no finished run yet" if planned else "not in the paper's grid"
            if count:
                said = f"{measure.title} {measure.text(mean)} {measure.unit}".rstrip()
                said += f", {counted(count, 'seed')}"
            self._said[place] = measure.text(mean) if count else "–", said
            fill, text = colours.get(place, ("white" if planned else EMPTY, "#555555"))
            self.buttons[place].style.button_color, self.buttons[place].style.text_color = fill, text
        self._write()

    def mark(self, training: Cell | None, queued: Iterable[Cell]) -> None:
        """Say which cell is in training, and which are in the queue."""
        self._training, self._queued = training, set(queued)
        self._write()

    def _write(self) -> None:
        for place, button in self.buttons.items():
            text, said = self._said[place]
            state = "in training" if place == self._training else "in the queue" if place in self._queued else ""
            button.description = {"in training": "▶", "in the queue": "…"}.get(state, text)
            parts = [said, "picked" if place == self.value else "", state]
            button.tooltip = f"λ = {place[0]:g}, τ = {place[1]:g}: {', '.join(filter(None, parts))}"

    def _make(self, places: list[Cell]) -> None:
        lams, taus = (sorted({place[axis] for place in places}) for axis in (0, 1))
        # A line of text in a button is 28 pixels high: with both borders its number stands in the middle.
        size = {"width": "56px", "height": "32px", "padding": "0", "margin": "0"}
        self.buttons = {place: widgets.Button(layout=widgets.Layout(**size, border=_OTHER)) for place in places}
        for place, button in self.buttons.items():
            button.on_click(lambda _, place=place: setattr(self, "value", place))
        names = [widgets.Label(f"λ = {lam:g}" if lam else "KD") for lam in lams]
        children = [widgets.Label(""), *names]
        for tau in taus:
            children += [widgets.Label(f"τ = {tau:g}"), *(self.buttons[lam, tau] for lam in lams)]
        self.layout.grid_template_columns = f"max-content repeat({len(lams)}, 56px)"
        self.children = tuple(children)
        self._outline(None)

    def _outline(self, _: object) -> None:
        for place, button in self.buttons.items():
            button.layout.border = _PICKED if place == self.value else _OTHER
