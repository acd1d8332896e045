"""What all panels share: a picture, a message line, errors shown in place, export."""

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
from e2kd_lab.widgets.collector import spare_what_is_loaded

P = ParamSpec("P")
PanelType = TypeVar("PanelType", bound="Panel")


def shows_errors(callback: Callable[Concatenate[PanelType, P], None]) -> Callable[Concatenate[PanelType, P], None]:
    """Let a panel's callback write an error into the panel instead of losing it.

    Errors inside widget callbacks reach no cell; the panel keeps them in ``last_error``, which a notebook's last cell
    asserts to be None.
    """

    @functools.wraps(callback)
    def wrapper(panel: PanelType, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(panel, *args, **kwargs)
        except Exception as error:
            panel.show_error(error)

    return cast(Callable[Concatenate[PanelType, P], None], wrapper)


@contextmanager
def unheard(callback: Callable[[Any], None], *controls: widgets.Widget) -> Iterator[None]:
    """Change values of controls that ``callback`` observes without calling it, so that one choice is one drawing."""
    for control in controls:
        control.unobserve(callback, "value")
    try:
        yield
    finally:
        for control in controls:
            control.observe(callback, "value")


def by_family(experiments: Experiment | Sequence[Experiment]) -> tuple[Experiment, dict[str, Experiment]]:
    """The first of the experiments, and all of them by their family of networks."""
    listed = [experiments] if isinstance(experiments, Experiment) else list(experiments)
    return listed[0], {experiment.family: experiment for experiment in listed}


def family_switch(families: Sequence[str]) -> widgets.ToggleButtons:
    """Buttons that choose between standard and B-cos networks; not shown where there is no choice."""
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
    """Buttons of which one is pressed, in one line with their name.

    Parameters
    ----------
    name : str
        Beside the buttons.
    options : sequence
        What the buttons stand for, see ipywidgets.
    width : int
        Of a button, in pixels.
    shown : bool
        Whether there is a choice.
    **others
        ``value`` and ``tooltips``, see ipywidgets.
    """
    # Without flex the name takes a line of its own; its width is that of other controls' names.
    layout = {"width": "max-content", "display": "flex" if shown else "none", "grid_gap": "8px"}
    style = {"button_width": f"{width}px", "description_width": "80px"}
    return widgets.ToggleButtons(description=name, options=options, style=style, layout=layout, **others)


class Panel:
    """Base of all panels: controls above, a picture below.

    Attributes
    ----------
    widget : ipywidgets.Widget
        What a notebook displays.
    image : ipywidgets.Image
        The picture, PNG.
    message : ipywidgets.HTML
        A line below the controls.
    export_button : ipywidgets.Button
        Writes the picture as PDF, SVG, PNG and CSV into ``export_folder``.
    figure : Figure or None
        The picture as it was drawn last.
    data : DataFrame or None
        The numbers behind it.
    last_error : Exception or None
        The last error of a callback.
    """

    def __init__(self, export_name: str, export_folder: Path | str = "exports") -> None:
        spare_what_is_loaded()
        self.export_name, self.export_folder = export_name, Path(export_folder)
        self.figure: Figure | None = None
        self.data: pd.DataFrame | None = None
        self.last_error: Exception | None = None
        self.image = widgets.Image(
            format="png", layout=widgets.Layout(width=f"{TEXT_WIDTH * 150:.0f}px", max_width="100%")
        )
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
        """Make a figure the panel's picture; ``png`` is the figure drawn before."""
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
        files = export_figure(self.figure, self.export_folder / self.export_name, self.data)
        self.say(f"Wrote {', '.join(file.name for file in files)} to {self.export_folder}.")

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        # The picture stands in where widgets cannot be shown, such as on a code host.
        bundle = self.widget._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        picture = bytes(self.image.value)
        return ({**data, "image/png": picture} if picture else data), metadata


def value_slider(name: str, values: Sequence[float], value: float, *, zero: str = "0") -> widgets.SelectionSlider:
    """A slider over given values, which need not be evenly spaced and may hold an exact 0.

    Parameters
    ----------
    name : str
        Beside the slider.
    values : sequence of float
        The values, in any order.
    value : float
        Where it starts; one of the values, or one more.
    zero : str
        What is written for an exact 0.
    """
    return widgets.SelectionSlider(
        description=name,
        options=[(f"{option:g}" if option else zero, option) for option in sorted({*values, value})],
        value=value,
        continuous_update=False,
    )
