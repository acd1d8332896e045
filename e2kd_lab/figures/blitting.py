"""Drawing a figure for the screen again and again, of which only a part changes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from e2kd_lab.figures.dark_ground import on_ground
from e2kd_lab.figures.export import SCREEN_DPI, canvas_png
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import styled

_KEPT = 8  # backgrounds of a figure


class Blitting:
    """Screen pictures of a figure whose axes are placed by hand: what stays is drawn once, what moves each time.

    Parameters
    ----------
    figure : Figure
        The figure, at the resolution of the screen.
    moving : sequence of Artist
        What changes between two pictures, and what lies above it.
    changing : sequence of Artist
        What stays until `forget` is called, and changes then; the rest stays as long as the key is the same.

    Examples
    --------
    >>> from e2kd_lab.figures.export import screen_png
    >>> from e2kd_lab.figures.style import new_figure
    >>> with styled():
    ...     figure = new_figure(placed=True)
    ...     text = figure.text(0.1, 0.5, "before")
    >>> pictures = Blitting(figure, [text])
    >>> first = pictures.png()
    >>> text.set_text("after")
    >>> pictures.png() == screen_png(figure) != first
    True
    """

    def __init__(self, figure: Figure, moving: Sequence[Artist], *, changing: Sequence[Artist] = ()) -> None:
        assert figure.dpi == SCREEN_DPI
        self.figure, self.moving, self.changing = figure, moving, changing
        # One canvas for all pictures: matplotlib keeps the layout of texts for each.
        self._canvas = FigureCanvasAgg(figure)
        # Pictures by key: without what moves, and without what changes, too.
        self._backgrounds: dict[Hashable, Any] = {}
        self._grounds: dict[Hashable, Any] = {}

    def forget(self) -> None:
        """Draw what stays anew next time, since it has changed; only ``changing``, if there is any."""
        self._backgrounds.clear()

    def png(self, key: Hashable = None) -> bytes:
        """The figure as PNG; ``key`` tells states of what stays apart, if it returns to them."""
        with styled(getattr(self.figure, "options", None)):
            key = key, current_options().theme
            if key not in self._backgrounds:
                _keep(self._backgrounds, key, self._background(key))
            self._draw(self._backgrounds[key], self.moving)
        return canvas_png(self._canvas)

    def _background(self, key: Hashable) -> Any:
        if not self.changing:
            return self._without(self.moving)
        if key not in self._grounds:
            _keep(self._grounds, key, self._without([*self.moving, *self.changing]))
        self._draw(self._grounds[key], self.changing)
        return self._canvas.copy_from_bbox(self.figure.bbox)

    def _draw(self, ground: Any, artists: Sequence[Artist]) -> None:
        """Draw artists on a picture."""
        self._canvas.restore_region(ground)
        with on_ground(self.figure, artists):
            for artist in sorted(artists, key=lambda artist: artist.get_zorder()):
                artist.draw(self._canvas.get_renderer())

    def _without(self, artists: Sequence[Artist]) -> Any:
        """A picture of the figure without some artists."""
        shown = [artist for artist in artists if artist.get_visible()]
        try:
            for artist in shown:
                artist.set_visible(False)
            with on_ground(self.figure):
                self._canvas.draw()
        finally:
            for artist in shown:
                artist.set_visible(True)
        return self._canvas.copy_from_bbox(self.figure.bbox)


def _keep(pictures: dict[Hashable, Any], key: Hashable, picture: Any) -> None:
    if len(pictures) == _KEPT:
        pictures.clear()
    pictures[key] = picture
