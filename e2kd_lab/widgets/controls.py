"""What panels' controls share: a switch of buttons, a line of text, a button, quiet changes, what a field refuses."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from e2kd_lab.explanations import ExplanationMethod
from e2kd_lab.figures.glossary import GLOSSARY
from e2kd_lab.figures.style import WRONG_COLOUR

LABEL_WIDTH = 80  # pixels, the default of ipywidgets
WIDE = {"width": "400px", "max_width": "100%"}  # layout of the studio's controls


@contextmanager
def muted(callback: Callable[[Any], None], *controls: widgets.Widget) -> Iterator[None]:
    """Change controls without calling the ``callback`` that observes them, so that one choice draws once."""
    for control in controls:
        control.unobserve(callback, "value")
    try:
        yield
    finally:
        for control in controls:
            control.observe(callback, "value")


def switch(
    name: str, options: Sequence[Any], *, width: int, shown: bool = True, **others: Any
) -> widgets.ToggleButtons:
    """Radio buttons in one line with their name.

    Parameters
    ----------
    name : str
        Name beside the buttons.
    options : sequence
        Options, see ipywidgets.
    width : int
        Width of a button in pixels.
    shown : bool
        Show the buttons; hide them if there is no choice.
    **others
        ``value`` and ``tooltips``, see ipywidgets.
    """
    layout = {"width": "max-content", "height": "auto", "max_width": "100%", "display": "flex" if shown else "none"}
    style = {"button_width": f"{width}px", "description_width": f"{LABEL_WIDTH}px"}
    buttons = widgets.ToggleButtons(description=name, options=options, style=style, layout=layout, **others)
    return buttons.add_class("widget-inline-hbox")  # its name stands as that of other controls does


def maps_switch(explanation: ExplanationMethod, **others: Any) -> widgets.ToggleButtons:
    """Buttons for the two ways to look at maps: as they are distilled, and as contributions, if there are any."""
    return switch(
        "Maps",
        maps_options(explanation),
        width=110,
        tooltips=maps_tooltips(explanation),
        **others,
    )


def maps_options(explanation: ExplanationMethod) -> list[tuple[str, bool]]:
    """Options of `maps_switch`: whether to show contributions, by title."""
    own = [(explanation.title, False)]
    return [*own, ("Contributions", True)] if explanation.has_contributions else own


def maps_tooltips(explanation: ExplanationMethod) -> list[str]:
    """Tooltips of `maps_switch`."""
    return [GLOSSARY.get(explanation.title, ""), GLOSSARY["contributions"]]


def lines(text: str, *, weight: str = "normal", colour: str = "inherit") -> str:
    """HTML of a text, with less room between its lines than that of controls."""
    return f"<div style='line-height: 1.4; font-weight: {weight}; color: {colour}'>{html.escape(text)}</div>"


def line() -> widgets.HTML:
    """A line of text that takes no room while it is empty."""
    text = widgets.HTML(layout=widgets.Layout(display="none"))
    text.observe(lambda change: setattr(text.layout, "display", None if change["new"] else "none"), "value")
    return text


def button(title: str, icon: str, tooltip: str) -> widgets.Button:
    """A button of the width that all panels' buttons have."""
    return widgets.Button(description=title, icon=icon, tooltip=tooltip, layout=widgets.Layout(width="110px"))


def refusal(text: str, expected: str) -> str:
    """HTML that says beside a field what was typed, and what was expected."""
    said = html.escape(f"{text}: expected {expected}")
    return f"<span style='color:{WRONG_COLOUR}'>{said}</span>"
