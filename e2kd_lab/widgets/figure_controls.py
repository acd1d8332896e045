"""Controls of the options of a figure: width, font size, title, names of groups, look of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
from traitlets import Instance

from e2kd_lab.figures import FigureOptions
from e2kd_lab.figures.options import PAGES, THEMES, VENUES
from e2kd_lab.widgets.controls import muted

_NONE = "as drawn"  # stands for None, which ipywidgets take as no choice
_FONTS = (6.0, 6.5, 7.0, 7.5, 8.0, 9.0, 10.0)
_OPACITIES = (0.25, 0.5, 0.75, 1.0)
_COLOUR_MAPS = ("viridis", "magma", "inferno", "hot", "RdBu_r", "coolwarm", "PiYG_r")


class FigureControls(widgets.HBox):
    """Controls of `e2kd_lab.figures.FigureOptions`; those that a figure does not heed are left out.

    Parameters
    ----------
    names : sequence of str
        The options to offer; ``width`` includes the columns of a venue's page, and brings along ``page`` and
        ``theme``.

    Attributes
    ----------
    value : FigureOptions
        The chosen options; to observe and to set.
    controls : dict
        ipywidgets controls by option.

    Examples
    --------
    >>> row = FigureControls(["title", "width"])
    >>> row.controls["title"].value = False
    >>> row.value = FigureOptions(width="cvpr", columns=2)
    >>> row.value.title, row.controls["title"].value, row.controls["width"].label
    (True, True, 'CVPR, both columns: 6.875 in')
    """

    value = Instance(FigureOptions)

    def __init__(self, names: Sequence[str]) -> None:
        names = [*names, "page", "theme"] if "width" in names else names
        self.controls: dict[str, Any] = {name: _control(name) for name in names}
        super().__init__(list(self.controls.values()), value=FigureOptions())
        self.layout = widgets.Layout(flex_flow="row wrap")
        for control in self.controls.values():
            control.observe(self._chosen, "value")
        self.observe(self._set, "value")

    def _chosen(self, _: Any) -> None:
        chosen: dict[str, Any] = {name: control.value for name, control in self.controls.items()}
        chosen = {name: None if value == _NONE else value for name, value in chosen.items()}
        if "width" in chosen:
            chosen["width"], chosen["columns"] = chosen["width"]
        self.value = replace(self.value, **chosen)

    def _set(self, change: Any) -> None:
        options = change["new"]
        with muted(self._chosen, *self.controls.values()):
            for name, control in self.controls.items():
                value = _of(name, options)
                if isinstance(control, widgets.Dropdown) and value not in [one for _, one in control.options]:
                    control.options = [*control.options, (_text(name, value), value)]
                control.value = value


def _control(name: str) -> widgets.Widget:
    title, values, tooltip, width = _CHOICES[name]
    if not values:
        layout = widgets.Layout(width=f"{width}px")
        value = getattr(FigureOptions(), name)
        return widgets.Checkbox(description=title, value=value, indent=False, tooltip=tooltip, layout=layout)
    return widgets.Dropdown(
        description=title,
        options=[(_text(name, value), value) for value in values],
        value=_of(name, FigureOptions()),
        tooltip=tooltip,
        layout=widgets.Layout(width=f"{width}px"),
    )


def _of(name: str, options: FigureOptions) -> Any:
    """Value of an option's control."""
    if name == "width":
        return options.width, options.columns
    return _NONE if getattr(options, name) is None else getattr(options, name)


def _text(name: str, value: Any) -> str:
    """An option's value in words."""
    if value == _NONE:
        return _NONE
    if name == "width":
        width, columns = value
        inches = FigureOptions(width=width, columns=columns).inches
        if not isinstance(width, str):
            return f"{inches:.4g} in"
        part = ("", ", one column", ", both columns")[columns if len(VENUES[width]) > 1 else 0]
        return f"{_VENUE_TITLES.get(width, width.upper())}{part}: {inches:.4g} in"
    if name == "page":
        return {"tight": "as the figure", "a4": "A4", "letter": "Letter"}[value]
    if name == "theme":
        return {"auto": "as the page", "light": "light", "dark": "dark"}.get(value, value)
    if name == "font_size":
        return f"{value:g} pt"
    if name == "opacity":
        return f"{100 * value:g} %"
    return f"{value.removesuffix('_r')}, reversed" if str(value).endswith("_r") else str(value)


_VENUE_TITLES = {"neurips": "NeurIPS"}
# Title, values (none: on or off), tooltip and width in pixels of each option's control.
_CHOICES: dict[str, tuple[str, Sequence[Any], str, int]] = {
    "width": (
        "Width",
        [(venue, 1 + number) for venue, widths in VENUES.items() for number in range(len(widths)) if venue != "lncs"],
        "the venue whose column the figure fills",
        424,
    ),
    "font_size": ("Text", _FONTS, "size of running text in points; no text is smaller than 6 points", 212),
    "group_names": ("Groups", ("full", "short"), "names of groups, such as landbird on water or LW", 212),
    "title": ("Title", (), "write the title into the figure, rather than into its caption", 90),
    "scale_note": ("Source", (), "say in the figure where its numbers come from", 90),
    "maps_only": ("Maps only", (), "leave out the column of images", 110),
    "images_per_row": ("Across", (_NONE, 1, 2, 3, 4), "images in a row, each with all its maps; fewer are larger", 212),
    "opacity": ("Opacity", (_NONE, *_OPACITIES), "opacity of the maps over the image", 212),
    "colour_map": (
        "Colours",
        (_NONE, *_COLOUR_MAPS),
        "colour map; a diverging one colours signed maps, any other positive maps",
        212,
    ),
    "page": ("Page", tuple(PAGES), "page of the PDF: as large as the figure, or with the figure in its middle", 212),
    "theme": ("Ground", THEMES, "ground of the picture on the screen; files are always on white", 212),
}
