"""A slider over given values beside a field that takes any other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import ipywidgets as widgets
from traitlets import Any as AnyValue

from e2kd_lab.figures.glossary import GLOSSARY
from e2kd_lab.widgets.controls import LABEL_WIDTH, muted, refusal

_WIDTH = LABEL_WIDTH + 280  # pixels: twenty values can be told apart by hand


class ValueSlider(widgets.HBox):
    """A slider over given values, evenly spaced or not, and a field for typing one.

    What is typed and valid is added to the slider. What is not is said beside the field, and changes nothing.

    Parameters
    ----------
    name : str
        Name beside the slider.
    values : sequence of float
        Values of the slider, in any order.
    value : float
        Initial value; added to the values if it is not among them.
    zero : str
        Text for an exact 0.
    positive : bool
        Refuse 0.
    closed : bool
        Refuse values that are not on the slider.

    Attributes
    ----------
    value : float
        The chosen value; to observe and to set.
    options : tuple of (str, float)
        Texts and values of the slider; `offer` replaces them.
    slider, field, problem : ipywidgets controls
        The parts.

    Examples
    --------
    >>> tau = ValueSlider("τ", [1.0, 5.0], 1.0, positive=True)
    >>> tau.field.value = "2.5"
    >>> tau.value, len(tau.options)
    (2.5, 3)
    >>> tau.field.value = "-3"
    >>> tau.value, tau.problem.value
    (2.5, "<span style='color:#C63F00'>-3: expected a number &gt; 0</span>")
    """

    value = AnyValue()  # a number, whole where the hyper-parameter is

    def __init__(
        self,
        name: str,
        values: Sequence[float],
        value: float,
        *,
        zero: str = "0",
        positive: bool = False,
        closed: bool = False,
    ) -> None:
        self._zero, self._positive, self._closed = zero, positive, closed
        # The slider's own readout can be typed into, to no effect.
        self.slider = widgets.SelectionSlider(
            description=name,
            options=self._texts({*values, value}),
            value=value,
            # Pictures follow a drag: a front end sends the newest value once the one before is drawn, so none wait.
            continuous_update=True,
            readout=False,
            tooltip=GLOSSARY.get(name, ""),
            layout=widgets.Layout(width=f"{_WIDTH}px"),
        )
        self.field = widgets.Text(
            value=f"{value:g}", tooltip=f"{name}, number", continuous_update=False, layout=widgets.Layout(width="60px")
        )
        self.problem = widgets.HTML()
        super().__init__([self.slider, self.field, self.problem], value=value)
        self.slider.observe(self._slid, "value")
        self.field.observe(self._typed, "value")
        self.observe(self._set, "value")

    @property
    def options(self) -> tuple[tuple[str, float], ...]:
        """Texts and values of the slider."""
        return self.slider.options

    def offer(self, values: Iterable[float], value: float) -> None:
        """Put other values on the slider, and choose one."""
        with muted(self._slid, self.slider):
            self.slider.options = self._texts({*values, value})
            self.slider.value = value
        self.value = value

    @property
    def disabled(self) -> bool:
        """Whether nothing can be chosen."""
        return self.slider.disabled

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self.slider.disabled = self.field.disabled = disabled

    def _offered(self) -> list[float]:
        return [value for _, value in self.options]

    def _texts(self, values: Iterable[float]) -> list[tuple[str, float]]:
        return [(f"{value:g}" if value else self._zero, value) for value in sorted(values)]

    def _slid(self, change: Any) -> None:
        self.value = change["new"]

    def _typed(self, change: Any) -> None:
        if change["new"] == f"{self.value:g}":
            return
        value, offered = _number(change["new"]), self._offered()
        if self._closed and value not in offered:
            expected = f"one of {', '.join(f'{one:g}' for one in offered)}"
        elif value is None or value < 0 or (self._positive and value == 0):
            expected = "a number > 0" if self._positive else "a number >= 0"
        else:
            self.value = next((one for one in offered if one == value), value)
            self.field.value = f"{self.value:g}"
            return
        self.field.value = f"{self.value:g}"
        self.problem.value = refusal(change["new"], expected)

    def _set(self, change: Any) -> None:
        value = change["new"]
        if self.slider.value != value:
            self.offer(self._offered(), value)
        self.field.value, self.problem.value = f"{value:g}", ""


def _number(text: str) -> float | None:
    """A finite number, with a decimal point or comma; None for others, and for commas between thousands."""
    if re.search(r"[1-9]\d{0,2}(,\d{3})+\b", text):
        return None
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
