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

        Examples
        --------
        >>> from e2kd_lab.figures.dark_ground import on_ground
    from e2kd_lab.figures.export import screen_png
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

    def __init__(self, figure: Figure, moving: Sequence[Artist]) -> None:
        assert figure.dpi == SCREEN_DPI
        self.figure, self.moving = figure, sorted(moving, key=lambda artist: artist.get_zorder())
        self._backgrounds: dict[Hashable, Any] = {}

    def forget(self) -> None:
        """Draw what stays anew next time, since it has changed."""
        self._backgrounds.clear()

    def png(self, key: Hashable = None) -> bytes:
        """The figure as PNG; ``key`` tells states of what stays apart, if it returns to them."""
        with styled(getattr(self.figure, "options", None)):
            canvas = FigureCanvasAgg(self.figure)
            key = key, current_options().theme
            if key not in self._backgrounds:
                if len(self._backgrounds) == _KEPT:
                    self._backgrounds.clear()
                self._backgrounds[key] = self._background(canvas)
            canvas.restore_region(self._backgrounds[key])
            with on_ground(self.figure, self.moving):
                for artist in self.moving:
                    artist.draw(canvas.get_renderer())
        return canvas_png(canvas)

    def _background(self, canvas: FigureCanvasAgg) -> Any:
        shown = [artist for artist in self.moving if artist.get_visible()]
        try:
            for artist in shown:
                artist.set_visible(False)
            with on_ground(self.figure):
                canvas.draw()
        finally:
            for artist in shown:
                artist.set_visible(True)
        return canvas.copy_from_bbox(self.figure.bbox)
