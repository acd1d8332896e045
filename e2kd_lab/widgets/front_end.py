"""What a panel and the page around it tell each other: the page's theme, and names for screen readers."""

from __future__ import annotations

import html
import re
from importlib.resources import files

import ipywidgets as widgets
from traitlets import Unicode

from e2kd_lab.figures.web_page import data_url

# Out of sight, but read by screen readers where the script cannot run.
_UNSEEN = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


class FrontEnd(widgets.VBox):
    """An invisible part of a panel, whose script runs in the page that shows it.

    The script tells the ground that the panel stands on, now and whenever the theme changes; it names the panel,
    its sliders and switches, and gives pictures their text. Where a page runs no scripts, the theme stays light and the
    texts are read in place.

    Parameters
    ----------
    name : str
        Name of the panel.

    Attributes
    ----------
    theme : str
        ``light``, or the colour of a dark page; to observe.

    Examples
    --------
    >>> end = FrontEnd("Studio")
    >>> picture = widgets.Image()
    >>> end.describe(picture, "A bird on water")
    >>> "A bird on water" in end.texts.value, end.theme
    (True, 'light')
    """

    theme = Unicode("light")

    def __init__(self, name: str) -> None:
        script = files("e2kd_lab.widgets").joinpath("front_end.js").read_text(encoding="utf-8")
        hidden = {"display": "none"}
        start = f'<img src="data:," alt="" data-name="{html.escape(name)}" onerror="{html.escape(script)}">'
        self.field = widgets.Text("light", continuous_update=False, layout=hidden).add_class("e2kd-theme")
        self.texts = widgets.HTML().add_class("e2kd-alt")
        self._described: dict[str, tuple[widgets.Image, str]] = {}
        super().__init__([widgets.HTML(start, layout=hidden), self.field, self.texts])
        self.layout = widgets.Layout(height="0", margin="0", overflow="hidden")
        self.field.observe(self._told, "value")

    def describe(self, picture: widgets.Image, text: str) -> None:
        """Say what a picture shows."""
        key = next((key for key, (known, _) in self._described.items() if known is picture), None)
        if key is None:
            key = f"e2kd-picture-{len(self._described)}"
            picture.add_class(key)
        self._described[key] = picture, text
        said = (f'<p data-picture="{one}">{html.escape(own)}</p>' for one, (_, own) in self._described.items())
        self.texts.value = f'<div style="{_UNSEEN}">{"".join(said)}</div>'

    def _told(self, change: dict[str, str]) -> None:
        if re.fullmatch("light|#[0-9a-f]{6}", change["new"]):
            self.theme = change["new"]


def live_class(model: str) -> str:
    """Class of a panel whose kernel is there, from the name of its widget."""
    return f"e2kd-live-{model}"


def without_kernel(model: str, png: bytes) -> str:
    """HTML that a page shows in place of a panel without its kernel: what to do, and the picture as it was.

    Parameters
    ----------
    model : str
        Name of the panel's widget.
    png : bytes
        Its picture, or none.

    Examples
    --------
    >>> "Run this cell again" in without_kernel("a1b2", b"")
    True
    """
    own = f"e2kd-saved-{model}"
    # Elsewhere than in a notebook's window, such as on a code host, the picture stands beside this text already.
    rules = f"body:has(.{live_class(model)}) .{own} {{display: none}} .lm-Widget .{own} img {{display: block}}"
    picture = f'<img hidden style="max-width: 100%" src="{data_url(png)}" alt="The panel\'s picture">' if png else ""
    return (
        f'<div class="{own}"><style>{rules}</style><em>This panel needs a kernel. Run this cell again, and the cells '
        f"above if the kernel is new.</em>{picture}</div>"
    )
