"""Base of all panels: a picture, a message line, errors shown in place, export."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import ipywidgets as widgets
import pandas as pd
from matplotlib.figure import Figure

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import export_figure, figure_bytes
from e2kd_lab.figures.style import FAMILY_TITLES, TEXT_WIDTH

# Of the two ways to look at maps, see `switch`.
MAPS_TOOLTIPS = ["the weights that are distilled", "what each pixel adds to the logit"]

P = ParamSpec("P")
PanelType = TypeVar("PanelType", bound="Panel")


def shows_errors(callback: Callable[Concatenate[PanelType, P], None]) -> Callable[Concatenate[PanelType, P], None]:
    """Show a callback's error in the panel.

    Errors in widget callbacks never reach a cell. The panel keeps them in ``last_error``, which the last cell of a
    notebook asserts to be None.
    """

    @functools.wraps(callback)
    def wrapper(panel: PanelType, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(panel, *args, **kwargs)
        except Exception as error:
            panel.show_error(error)

    return cast(Callable[Concatenate[PanelType, P], None], wrapper)


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


def by_family(experiments: Experiment | Sequence[Experiment]) -> tuple[Experiment, dict[str, Experiment]]:
    """The first experiment, and all of them by family of networks."""
    listed = [experiments] if isinstance(experiments, Experiment) else list(experiments)
    return listed[0], {experiment.family: experiment for experiment in listed}


def family_switch(families: Sequence[str]) -> widgets.ToggleButtons:
    """Buttons for standard and B-cos networks; hidden if there is no choice."""
    return switch(
        "Networks",
        [(FAMILY_TITLES[family].removesuffix(" networks"), family) for family in families],
        width=90,
        shown=len(families) > 1,
        tooltips=[FAMILY_TITLES[family] for family in families],
    )


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
    style = {"button_width": f"{width}px", "description_width": "80px"}
    return widgets.ToggleButtons(description=name, options=options, style=style, layout=layout, **others)


def picture_frame() -> widgets.Image:
    """Frame for a PNG of the text's width: it keeps the picture's shape in boxes of any size, and hides while empty."""
    # A box stretches its children across its direction, unless they say where they stand.
    width = f"{TEXT_WIDTH * 150:.0f}px"
    layout = widgets.Layout(width=width, height="auto", max_width="100%", align_self="flex-start", display="none")
    frame = widgets.Image(format="png", layout=layout)
    frame.observe(lambda change: setattr(layout, "display", None if change["new"] else "none"), "value")
    return frame


class Panel:
    """Base of all panels: controls above, a picture below.

    Parameters
    ----------
    export_name : str
        File name of exports without suffix.
    export_folder : Path or str
        Folder that the export button writes to.

    Attributes
    ----------
    widget : ipywidgets.Widget
        The widget that a notebook displays.
    image : ipywidgets.Image
        The picture, PNG.
    message : ipywidgets.HTML
        Line below the controls.
    export_button : ipywidgets.Button
        Writes the picture as PDF, SVG, PNG and CSV into ``export_folder``.
    figure : Figure or None
        The figure drawn last.
    data : DataFrame or None
        Its data.
    last_error : Exception or None
        Last error of a callback.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> panel = Panel("empty")
    >>> panel.show(Figure())
    >>> bytes(panel.image.value)[:4]
    b'\x89PNG'
    """

    def __init__(self, export_name: str, export_folder: Path | str = "exports") -> None:
        self.export_name, self.export_folder = export_name, Path(export_folder)
        self.figure: Figure | None = None
        self.data: pd.DataFrame | None = None
        self.last_error: Exception | None = None
        self.image = picture_frame()
        self.message = widgets.HTML()
        self.export_button = widgets.Button(
            description="Export", icon="download", tooltip="Write PDF, SVG, PNG and CSV"
        )
        self.export_button.on_click(self._export)
        self.widget = widgets.VBox()

    def arrange(self, *rows: list[Any]) -> None:
        """Lay out rows of controls, the message and the picture."""
        boxes = [widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")) for row in rows]
        self.widget.children = [*boxes, self.message, self.image]

    def show(self, figure: Figure, data: pd.DataFrame | None = None, png: bytes | None = None) -> None:
        """Show a figure; ``png`` is its rendering, if there is one already."""
        self.figure, self.data = figure, data
        self.image.value = figure_bytes(figure) if png is None else png

    def say(self, text: str) -> None:
        """Write a line below the controls."""
        self.message.value = html.escape(text)

    def show_error(self, error: Exception) -> None:
        """Write an error below the controls and keep it in ``last_error``."""
        self.last_error = error
        self.message.value = f"<b style='color:#C63F00'>{html.escape(f'{type(error).__name__}: {error}')}</b>"

    @shows_errors
    def _export(self, _: Any) -> None:
        if self.figure is None:
            self.say("There is no picture to export yet.")
            return
        files = export_figure(self.figure, self.export_folder / self.export_name, self.data, overwrite=False)
        self.say(f"Wrote {', '.join(file.name for file in files)} to {self.export_folder}.")

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        # Where widgets cannot be shown, such as on a code host, the picture is.
        bundle = self.widget._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        picture = bytes(self.image.value)
        return ({**data, "image/png": picture} if picture else data), metadata
