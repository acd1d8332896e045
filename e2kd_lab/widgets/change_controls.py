"""A control for each thing that can be changed in a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from e2kd_lab.data.scenes import Amount, Change, Span
from e2kd_lab.widgets.controls import WIDE


class ChangeControls(widgets.VBox):
    """A slider for each amount, a slider with two ends for each span, a list for each choice.

    Parameters
    ----------
    changes : sequence of Amount, Span or Choice
        What can be changed.
    redraw : callable
        Called when a value has changed.

    Attributes
    ----------
    controls : dict
        The controls by the names of the changes.
    values : dict
        The values of all changes by name.

    Examples
    --------
    >>> scale = Amount(name="scale", title="Scale", low=50.0, high=200.0, step=5.0, value=100.0)
    >>> controls = ChangeControls([scale], redraw=print)
    >>> controls.values
    {'scale': 100.0}
    """

    def __init__(self, changes: Sequence[Change], redraw: Callable[[Any], None]) -> None:
        self.changes = {change.name: change for change in changes}
        self.controls = {change.name: _control(change) for change in changes}
        self._redraw = redraw
        super().__init__(list(self.controls.values()))
        for control in self.controls.values():
            control.observe(redraw, "value")

    @property
    def values(self) -> dict[str, Any]:
        """The values of all changes by name."""
        return {name: control.value for name, control in self.controls.items()}

    def reset(self) -> None:
        """Set all values to those of the unchanged picture; the caller redraws."""
        for name, control in self.controls.items():
            control.unobserve(self._redraw, "value")
            control.value = self.changes[name].value
            control.observe(self._redraw, "value")

    def close(self) -> None:
        """Close all controls with their layouts and styles, which kernel and page forget then."""
        for control in self.controls.values():
            for part in (control.style, control.layout, control):
                part.close()
        self.layout.close()
        super().close()


def _control(change: Change) -> widgets.Widget:
    shared: dict[str, Any] = {
        "description": getattr(change, "short", "") or change.title,
        "value": change.value,
        "tooltip": change.about,
        "layout": widgets.Layout(**WIDE),
    }
    if isinstance(change, Amount):
        number = ".3g" if change.step < 1 else ".0f"
        return widgets.FloatSlider(
            min=change.low,
            max=change.high,
            step=change.step,
            readout_format=number,
            continuous_update=False,
            **shared,
        )
    if isinstance(change, Span):
        return widgets.FloatRangeSlider(min=0, max=100, step=1, readout_format=".0f", continuous_update=False, **shared)
    return widgets.Dropdown(options=change.options, **shared)
