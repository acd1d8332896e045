"""Controls that panels share: a switch of buttons, a line of text, a button; all with names of one width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from e2kd_lab.explanations import ExplanationMethod
from e2kd_lab.figures.glossary import GLOSSARY

LABEL_WIDTH = 80  # pixels, the default of ipywidgets


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
    # Without flex the name takes a line of its own; its width matches other controls.
    layout = {"width": "max-content", "display": "flex" if shown else "none", "grid_gap": "8px"}
    style = {"button_width": f"{width}px", "description_width": f"{LABEL_WIDTH}px"}
    return widgets.ToggleButtons(description=name, options=options, style=style, layout=layout, **others)


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


def line() -> widgets.HTML:
    """A line of text that takes no room while it is empty."""
    text = widgets.HTML(layout=widgets.Layout(display="none"))
    text.observe(lambda change: setattr(text.layout, "display", None if change["new"] else "none"), "value")
    return text


def button(title: str, icon: str, tooltip: str) -> widgets.Button:
    """A button of the width that all panels' buttons have."""
    return widgets.Button(description=title, icon=icon, tooltip=tooltip, layout=widgets.Layout(width="110px"))
