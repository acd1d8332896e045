"""A field for a whole number."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
from traitlets import Int

from e2kd_lab.widgets.controls import refusal


class WholeNumber(widgets.HBox):
    """A field for a whole number within bounds.

    What is typed and valid is taken. What is not is said beside the field, and changes nothing.

    Parameters
    ----------
    name : str
        Name beside the field.
    value : int
        Initial value.
    least, most : int
        Bounds, both included.

    Attributes
    ----------
    value : int
        The number; to observe and to set.
    field, problem : ipywidgets controls
        The parts.

    Examples
    --------
    >>> epochs = WholeNumber("Epochs", 12, least=1, most=10_000)
    >>> epochs.field.value = "20"
    >>> epochs.field.value = "1e9"
    >>> epochs.value, epochs.problem.value
    (20, "<span style='color:#C63F00'>1e9: expected a whole number, 1 to 10000</span>")
    """

    value = Int()

    def __init__(self, name: str, value: int, *, least: int, most: int) -> None:
        self._least, self._most = least, most
        self.field = widgets.Text(
            description=name, value=str(value), continuous_update=False, layout=widgets.Layout(width="150px")
        )
        self.problem = widgets.HTML()
        super().__init__([self.field, self.problem], value=value)
        self.field.observe(self._typed, "value")
        self.observe(self._set, "value")

    def _typed(self, change: Any) -> None:
        text = change["new"].strip()
        if text == str(self.value):
            return
        # Text that is too long for a number of the bounds is not read at all.
        plain = text.isascii() and text.isdecimal() and len(text) <= len(str(self._most))
        if plain and self._least <= int(text) <= self._most:
            self.value = int(text)
            self.field.value, self.problem.value = str(self.value), ""
            return
        self.field.value = str(self.value)
        self.problem.value = refusal(change["new"], f"a whole number, {self._least} to {self._most}")

    def _set(self, change: Any) -> None:
        self.field.value, self.problem.value = str(change["new"]), ""
