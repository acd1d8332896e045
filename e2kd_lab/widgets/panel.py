"""Base of all panels: a picture and its options, messages, errors shown in place, export and download."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import ipywidgets as widgets
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

from e2kd_lab.experiments import Experiment
from e2kd_lab.figures import FigureOptions, figure_options
from e2kd_lab.figures.export import SCREEN_DPI, export_files, figure_contents, screen_png
from e2kd_lab.figures.style import FAMILY_TITLES, TEXT_WIDTH, WRONG_COLOUR
from e2kd_lab.figures.web_page import data_url, page, sortable, themed_picture
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.system.errors import RunError
from e2kd_lab.widgets.controls import button, line, lines, switch
from e2kd_lab.widgets.download_menu import download_menu
from e2kd_lab.widgets.figure_controls import FigureControls
from e2kd_lab.widgets.front_end import FrontEnd, live_class, without_kernel

P = ParamSpec("P")
PanelType = TypeVar("PanelType", bound="Panel")
_COLUMN, _NARROWEST = 448, 600  # pixels of the controls beside a picture, and of the narrowest picture there
_ACTING: ContextVar[frozenset[int]] = ContextVar("panels that act", default=frozenset())


def shows_errors(callback: Callable[Concatenate[PanelType, P], None]) -> Callable[Concatenate[PanelType, P], None]:
    """Show a callback's error in the panel, and draw with the panel's figure options.

    Errors in widget callbacks never reach a cell. The panel keeps them in ``last_error``, which the last cell of a
    notebook asserts to be None. The next callback that succeeds clears them.
    """

    @functools.wraps(callback)
    def wrapper(panel: PanelType, *args: P.args, **kwargs: P.kwargs) -> None:
        with panel.acting():
            callback(panel, *args, **kwargs)

    return cast(Callable[Concatenate[PanelType, P], None], wrapper)


def shows_background_errors(
    callback: Callable[Concatenate[PanelType, P], None],
) -> Callable[Concatenate[PanelType, P], None]:
    """As `shows_errors`, for what happens while a user does something else: it clears no message of theirs."""

    @functools.wraps(callback)
    def wrapper(panel: PanelType, *args: P.args, **kwargs: P.kwargs) -> None:
        with panel.acting(clears=False):
            callback(panel, *args, **kwargs)

    return cast(Callable[Concatenate[PanelType, P], None], wrapper)


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


def picture_frame() -> widgets.Image:
    """Frame for a PNG of the text's width: it keeps the picture's shape in boxes of any size, and hides while empty."""
    # A box stretches its children across its direction, unless they say where they stand.
    width = f"{TEXT_WIDTH * 150:.0f}px"
    layout = widgets.Layout(width=width, height="auto", max_width="100%", align_self="flex-start", display="none")
    frame = widgets.Image(format="png", layout=layout)
    frame.observe(lambda change: setattr(layout, "display", None if change["new"] else "none"), "value")
    return frame


class Panel:
    """Base of all panels: controls above or beside a picture.

    Subclasses define `draw`, and name in ``figure_choices`` the options that their figure heeds.

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
    name : str
        The panel's name for screen readers.
    image : ipywidgets.Image
        The picture, PNG.
    message : ipywidgets.HTML
        What the numbers of the picture are; see `say`.
    notice : ipywidgets.HTML
        Outcome of the last action, an error or the download menu; the next action clears it.
    export_button : ipywidgets.Button
        Writes the picture as PDF, SVG, PNG and CSV into ``export_folder``.
    download_button : ipywidgets.Button
        Offers the same files to the browser, and the picture, its table and its caption to the clipboard.
    front_end : FrontEnd
        Knows the page's theme, and tells screen readers what pictures show.
    figure_button, figure_controls : ipywidgets.ToggleButton, FigureControls
        Shows the controls of the figure's options; those controls.
    figure : Figure or None
        The figure drawn last.
    data : DataFrame or None
        Its data.
    last_error : Exception or None
        Error of the last action.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> panel = Panel("empty")
    >>> panel.show(Figure())
    >>> bytes(panel.image.value)[:4]
    b'\x89PNG'
    """

    figure_choices: Sequence[str] = ("width", "font_size", "group_names", "title", "scale_note")

    def __init__(self, export_name: str, export_folder: Path | str = "exports") -> None:
        self.export_name, self.export_folder = export_name, Path(export_folder)
        self._figure: Figure | Callable[[], Figure] | None = None
        self.data: pd.DataFrame | None = None
        self.last_error: Exception | None = None
        self._told, self._said = False, ""
        self.image = picture_frame()
        self.message, self.notice = line(), line()
        self.export_button = button("Export", "save", "Write the files into the folder of exports, where Python runs")
        self.download_button = button("Download", "download", "Save the files where the browser runs, or copy")
        self.figure_button = widgets.ToggleButton(
            description="Figure",
            icon="sliders",
            tooltip="Width, text size, title and look of the figure, on screen and in its files",
            layout=widgets.Layout(width="100px"),
        )
        self.figure_controls = FigureControls(self.figure_choices)
        self.figure_controls.layout.display = "none"
        self.export_button.on_click(self._export)
        self.download_button.on_click(self._download)
        self.figure_button.observe(self._fold, "value")
        self.figure_controls.observe(self._restyle, "value")
        self.name = re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", type(self).__name__)  # Loss lab
        self.front_end = FrontEnd(self.name)
        self.front_end.observe(self._rethemed, "theme")
        self.widget = widgets.VBox().add_class("e2kd-panel")
        self.widget.add_class(live_class(self.widget.model_id))

    def arrange(self, *rows: list[Any], beside: bool = False, below: Sequence[widgets.Image] = ()) -> None:
        """Lay out rows of controls, the messages and the picture.

        Parameters
        ----------
        *rows : list of ipywidgets controls
            Download and Figure stand where the export button does.
        beside : bool
            The picture stands beside the controls where there is room for both.
        below : sequence of ipywidgets.Image
            Further pictures, below the first.
        """
        after = [self.download_button, self.figure_button] if self.figure_choices else [self.download_button]
        boxes = []
        for row in rows:
            spread = [
                one for control in row for one in ([control, *after] if control is self.export_button else [control])
            ]
            boxes.append(widgets.HBox(spread, layout=widgets.Layout(flex_flow="row wrap")))
        above = [*boxes, self.figure_controls, self.message, self.notice]
        if beside:
            column = widgets.VBox(above, layout=widgets.Layout(width=f"{_COLUMN}px", max_width="100%"))
            layout = widgets.Layout(flex_flow="row wrap", grid_gap="0 12px")
            # Pictures take the room that is left, up to their width; below the narrowest they take lines of their own.
            room = widgets.Layout(flex=f"1 1 {_NARROWEST}px", min_width="0")
            for picture in (self.image, *below):
                picture.layout.flex, picture.layout.width = "0 0 auto", "auto"
            self.widget.children = [
                self.front_end,
                widgets.HBox([column, widgets.VBox([self.image, *below], layout=room)], layout=layout),
            ]
        else:
            self.widget.children = [self.front_end, *above, self.image, *below]

    @property
    def figure(self) -> Figure | None:
        """See the attributes."""
        if callable(self._figure):
            with figure_options(self.figure_options):
                self._figure = self._figure()
        return self._figure

    @property
    def figure_options(self) -> FigureOptions:
        """Options that the picture is drawn and exported with; setting them redraws it.

        Their theme is the page's ground where that is dark, unless another is chosen.
        """
        options: FigureOptions = self.figure_controls.value
        follows = options.theme == "auto" and self.front_end.theme != "light"
        return replace(options, theme=self.front_end.theme) if follows else options

    @figure_options.setter
    def figure_options(self, options: FigureOptions) -> None:
        self.figure_controls.value = options

    def draw(self) -> None:
        """Draw what the controls describe; subclasses define it."""

    @shows_errors
    def redraw(self, _: Any = None) -> None:
        """Draw what the controls describe, with the figure's options; for controls to call."""
        self.draw()

    def exports(self) -> dict[str, dict[str, bytes]]:
        """What Export writes and Download offers: the bytes of each file by suffix, by name without suffix."""
        return {} if self.figure is None else {self.export_name: figure_contents(self.figure, self.data)}

    def caption(self) -> str:
        """Caption of the picture for LaTeX: what it shows, of which runs, seeds and scale; empty if there is none."""
        return ""

    def to_html(self, path: Path | str) -> Path:
        """Write what the panel shows as one web page, which needs neither network nor kernel.

        It has the picture, what is said of it, its caption, and its data as a table that can be sorted.

        Raises
        ------
        RunError
            If there is no picture.
        """
        if self.figure is None:
            raise RunError("The panel shows no picture; expected one to write.")
        light, dark = (data_url(self.picture_on(ground)) for ground in ("light", "dark"))
        name = self.export_name.replace("_", " ")
        parts = [f"<figure>{themed_picture(light, dark, self.description())}</figure>", self.message.value]
        parts += [f"<p class='faint'>{html.escape(self.caption())}</p>"]
        parts += [] if self.data is None else [sortable(self.data)]
        write_text(Path(path), page(name, "\n".join(parts)))
        return Path(path)

    def show(
        self, figure: Figure | Callable[[], Figure], data: pd.DataFrame | None = None, png: bytes | None = None
    ) -> None:
        """Show a figure; ``png`` is its rendering, if there is one already, and ``data`` its data, if it knows none.

        With a rendering, the figure may be what draws it when it is asked for.
        """
        own = getattr(figure, "data", None)
        self._figure, self.data = figure, data if own is None else own
        inches = self.figure_options.inches if callable(figure) else figure.get_figwidth()
        width = f"{inches * SCREEN_DPI:.0f}px"
        layout = self.image.layout
        layout.width, layout.max_width = (width, "100%") if layout.flex is None else ("auto", f"min(100%, {width})")
        if png is None:
            assert self.figure is not None
            png = screen_png(self.figure)
        self.image.value = png
        self.front_end.describe(self.image, self.description())

    def show_nothing(self, reason: str) -> None:
        """Show no picture, and say why."""
        self._figure, self.data, self.image.value = None, None, b""
        self.say(reason)

    def say(self, text: str) -> None:
        """Say what the picture's numbers are."""
        self.message.value, self._said = lines(text), text
        self.front_end.describe(self.image, self.description())

    def description(self) -> str:
        """What the picture shows, in words for who cannot see it."""
        return f"{self.name}. {self._said}"

    @contextmanager
    def computing(self, what: str) -> Iterator[None]:
        """Say what is computed for the first time, which takes a moment, until it is."""
        before = self._said
        self.say(f"Computing {what} ...")
        try:
            yield
        finally:
            self.say(before)

    def tell(self, text: str) -> None:
        """Tell the outcome of an action; what `say` wrote stays."""
        self._told = True
        self.notice.value = lines(text)

    def show_error(self, error: Exception) -> None:
        """Tell an error and keep it in ``last_error``."""
        self.last_error, self._told = error, True
        self.notice.value = lines(f"{type(error).__name__}: {error}", weight="bold", colour=WRONG_COLOUR)

    @contextmanager
    def acting(self, *, clears: bool = True) -> Iterator[None]:
        """Draw with the panel's figure options; show an error, or clear that of the action before.

        Callbacks call each other: only the outermost clears.
        """
        outermost = id(self) not in _ACTING.get()
        if outermost and clears:
            self._told, self.last_error = False, None
        token = _ACTING.set(_ACTING.get() | {id(self)})
        try:
            with figure_options(self.figure_options):
                yield
        except Exception as error:
            self.show_error(error)
        finally:
            _ACTING.reset(token)
        if outermost and clears and not self._told:
            self.notice.value = ""

    @shows_errors
    def _restyle(self, _: Any) -> None:
        self.redraw()

    @shows_background_errors
    def _rethemed(self, _: Any) -> None:
        if self.figure_controls.value.theme == "auto":
            self.redraw()

    def _fold(self, change: Any) -> None:
        self.figure_controls.layout.display = "flex" if change["new"] else "none"

    @shows_errors
    def _export(self, _: Any) -> None:
        exports = self.exports()
        if not exports:
            self.tell("There is no picture to export yet.")
            return
        written = [
            file.name
            for name, contents in exports.items()
            for file in export_files(contents, self.export_folder / name, overwrite=False)
        ]
        self.tell(f"Wrote {', '.join(written)} to {self.export_folder}.")

    @shows_errors
    def _download(self, _: Any) -> None:
        exports = self.exports()
        if not exports:
            self.tell("There is no picture to save yet.")
            return
        self._told, self.notice.value = True, download_menu(exports, caption=self.caption())

    def picture_on(self, theme: str) -> bytes:
        """The picture as PNG, as it is shown on a ``light`` or ``dark`` page; no bytes if there is none."""
        options = self.figure_options
        shown = "light" if options.theme == "auto" else options.theme
        if shown == theme or self.figure is None:
            return bytes(self.image.value)
        with figure_options(options, theme=theme):
            return screen_png(self.figure)

    def _ipython_display_(self) -> None:
        # Front ends show nothing in place of a widget that has lost its kernel: what stands before it says what to do.
        display({"text/html": without_kernel(self.widget.model_id, self.picture_on("light"))}, raw=True)
        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        # Where widgets cannot be shown, such as on a code host, the picture is.
        bundle = self.widget._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        picture = self.picture_on("light")
        data = {**data, "text/plain": f"{type(self).__name__}, a panel"}
        return ({**data, "image/png": picture} if picture else data), metadata
