"""Figures on a dark page: the same figure, whose black, white and greys change places while it is rendered."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from e2kd_lab.figures.options import current_options

GROUND = "#111111"  # of the theme ``dark``: as JupyterLab's
_INK = 0.88  # the grey that black turns into
Colour = tuple[float, ...]
_NEUTRAL = 0.06  # largest difference between the channels of a grey
_CONTRAST = 4.5  # of text to its ground, at least (WCAG 2, level AA)


@contextmanager
def on_ground(figure: Figure, artists: Sequence[Artist] | None = None) -> Iterator[None]:
    """Render a figure on the ground that `e2kd_lab.figures.FigureOptions` asks for; afterwards it is as before.

    On a dark ground black, white and greys change places, and dark text gets lighter. All other colours stay, since
    they have a meaning; so do numbers on the cells of a heat map, and what is white on purpose.

    Parameters
    ----------
    figure : Figure
        The figure.
    artists : sequence of Artist, optional
        What will be drawn; by default the whole figure.

    Examples
    --------
    >>> from e2kd_lab.figures import figure_options
    >>> figure = Figure()
    >>> with figure_options(theme="dark"), on_ground(figure):
    ...     figure.get_facecolor()[:3] == to_rgba(GROUND)[:3]
    True
    >>> figure.get_facecolor()
    (1.0, 1.0, 1.0, 1.0)
    """
    theme = current_options().theme
    if theme in ("auto", "light"):
        yield
        return
    turn = _Turn(*to_rgb(GROUND if theme == "dark" else theme))
    before = [(artist, _colours(artist)) for artist in _all(figure if artists is None else artists)]
    try:
        for artist, _ in before:
            turn(artist)
        yield
    finally:
        for artist, colours in before:
            vars(artist).update(colours)


def _all(drawn: Figure | Sequence[Artist]) -> list[Artist]:
    """All artists that have a colour, but numbers on the cells of a heat map."""
    tops = [drawn] if isinstance(drawn, Figure) else drawn
    found: dict[int, Artist] = {}
    kept: set[int] = set()
    for artist in (one for top in tops for one in top.findobj()):
        if isinstance(artist, Axes) and any(isinstance(one, QuadMesh) for one in artist.collections):
            kept |= {id(text) for text in artist.texts}
        if isinstance(artist, Text) and artist.get_bbox_patch() is not None:
            found[id(artist.get_bbox_patch())] = artist.get_bbox_patch()  # type: ignore[assignment]
        found[id(artist)] = artist
    return [artist for key, artist in found.items() if key not in kept]


def _colours(artist: Artist) -> dict[str, Any]:
    return {name: value for name, value in vars(artist).items() if "color" in name}


class _Turn:
    """Gives artists their colours on a dark ground."""

    def __init__(self, *ground: float) -> None:
        self.ground = ground

    def __call__(self, artist: Artist) -> None:
        if isinstance(artist, Text):
            _set(artist, "color", self.readable)
        elif isinstance(artist, Line2D):
            for name in ("markerfacecolor", "markeredgecolor", "color"):  # markers may take the line's colour
                _set(artist, name, self.turned)
        elif isinstance(artist, Patch):
            for name in ("facecolor", "edgecolor"):
                _set(artist, name, self.turned)
        elif isinstance(artist, Collection) and artist.get_array() is None:
            for name in ("facecolor", "edgecolor"):
                colours = [tuple(colour) for colour in np.asarray(getattr(artist, f"get_{name}")())]
                turned = [self.turned(colour) for colour in colours]
                if turned != colours:
                    getattr(artist, f"set_{name}")(turned)

    def turned(self, colour: Colour) -> Colour:
        """A grey at the other end of the scale; other colours, and what cannot be seen, as they are."""
        *channels, alpha = colour
        if alpha == 0 or max(channels) - min(channels) > _NEUTRAL:
            return colour
        grey = sum(channels) / 3
        return (*((1 - grey) * _INK + grey * one for one in self.ground), alpha)

    def readable(self, colour: Colour) -> Colour:
        """A text's colour: turned, or of the same hue and light enough; white text stands on a colour, and stays."""
        *channels, alpha = colour
        if min(channels) > 1 - _NEUTRAL:
            return colour
        turned = self.turned(colour)
        if turned != colour:
            return turned
        hue, light, saturation = colorsys.rgb_to_hls(*channels)
        while light < 1 and _luminance(channels) + 0.05 < _CONTRAST * (_luminance(self.ground) + 0.05):
            light += 0.02
            channels = list(colorsys.hls_to_rgb(hue, light, saturation))
        return (*channels, alpha)


def _set(artist: Any, name: str, turn: Callable[[Colour], Colour]) -> None:
    colour = getattr(artist, f"get_{name}")()
    if isinstance(colour, str) and colour in ("none", "auto"):
        return
    before = to_rgba(colour)
    after = turn(before)
    if after != before:
        getattr(artist, f"set_{name}")(after)


def _luminance(channels: Iterable[float]) -> float:
    """Relative luminance of sRGB (WCAG 2)."""
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
