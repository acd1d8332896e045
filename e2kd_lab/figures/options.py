"""How figures are drawn for a paper: width, font size, titles, names of groups, and the look of explanations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal

from matplotlib import colormaps

from e2kd_lab.system.errors import shown

# Inches of one column and, where pages have two, of the whole text block, as the venues' style files set them.
VENUES: Mapping[str, tuple[float, ...]] = {
    "eccv": (4.8,),  # eccv.sty of 2024, on llncs.cls: width=122mm
    "lncs": (4.8,),  # llncs.cls: \textwidth 12.2cm
    "cvpr": (3.28125, 6.875),  # cvpr.sty of 2026: \textwidth 6.875in, \columnsep 0.3125in
    "neurips": (5.5,),  # neurips_2026.sty: textwidth=5.5in
    "icml": (3.25, 6.75),  # icml2025.sty: \textwidth 6.75in, \columnsep 0.25in
}
# Width and height in inches of the pages that a PDF may have; ``tight`` is as large as the figure.
PAGES: Mapping[str, tuple[float, float] | None] = {"tight": None, "a4": (210 / 25.4, 297 / 25.4), "letter": (8.5, 11.0)}
THEMES = ("auto", "light", "dark")
SMALLEST_FONT = 6.0  # points; nothing in a figure is smaller
_WIDTHS, _FONTS = (3.0, 12.0), (SMALLEST_FONT, 12.0)
_DIVERGING = (
    *("PiYG", "PRGn", "BrBG", "PuOr", "RdGy", "RdBu", "RdYlBu", "RdYlGn", "Spectral", "coolwarm", "bwr", "seismic"),
    *("berlin", "managua", "vanimo", "vlag", "icefire"),
)


@dataclass(frozen=True)
class FigureOptions:
    """Options of all figures; `figure_options` sets them for the figures drawn within it.

    Parameters
    ----------
    width : float or str
        Width in inches, 3 to 12, or a venue: ``eccv`` or ``lncs`` (4.8 in), ``cvpr`` (3.28 in, two columns 6.875 in),
        ``neurips`` (5.5 in), ``icml`` (3.25 in, two columns 6.75 in).
    columns : int
        1, or 2 for a figure across both columns of a venue's page.
    font_size : float
        Size of running text in points, 6 to 12; small text is smaller, but never below 6 points.
    title : bool
        Write the title of the figure. Without it, its room goes to the caption.
    scale_note : bool
        Say where the numbers come from, for instance *measured here (lab)*. A caption should, if the figure does not.
    group_names : str
        ``full``, such as *landbird on water*, or ``short``, such as *LW* with a key below.
    images_per_row : int, optional
        Images in a row of an explanation grid, each with all its maps; fewer are larger. By default what is asked for
        where the grid is drawn.
    maps_only : bool
        Leave out the column of images from explanation grids.
    opacity : float, optional
        Opacity of maps over the image, 0 to 1; 1 shows the maps alone. By default a heatmap is the more opaque the
        larger its value, and a signed map stands alone.
    colour_map : str, optional
        Name of a matplotlib colour map. A diverging one colours signed maps, with 0 in its middle; any other colours
        positive maps.
    page : str
        Page of exported PDFs: ``tight``, as large as the figure, or ``a4`` or ``letter``, with the figure in the middle
        and turned to landscape if the figure is too wide.
    theme : str
        Ground on the screen: ``light``, ``dark``, a dark colour such as ``#212121``, or ``auto``: in a panel that of
        the page around it, elsewhere light. Files are always on white, and colours other than black, white and greys
        are the same on both.

    Raises
    ------
    ValueError
        If an option has another value.

    Examples
    --------
    >>> FigureOptions(width="cvpr", columns=2).inches
    6.875
    """

    width: float | str = "eccv"
    columns: int = 1
    font_size: float = 7.0
    title: bool = True
    scale_note: bool = True
    group_names: Literal["full", "short"] = "full"
    images_per_row: int | None = None
    maps_only: bool = False
    opacity: float | None = None
    colour_map: str | None = None
    page: Literal["tight", "a4", "letter"] = "tight"
    theme: str = "auto"

    def __post_init__(self) -> None:
        self._check_width()
        for name in ("title", "scale_note", "maps_only"):
            _expect(getattr(self, name) in (True, False), name, getattr(self, name), "True or False")
        _expect(_within(self.font_size, *_FONTS), "font_size", self.font_size, "6 to 12 points")
        _expect(self.group_names in ("full", "short"), "group_names", self.group_names, "'full' or 'short'")
        count = self.images_per_row
        _expect(count is None or (isinstance(count, int) and count >= 1), "images_per_row", count, "1 or more")
        _expect(self.opacity is None or _within(self.opacity, 0, 1), "opacity", self.opacity, "0 to 1")
        known = self.colour_map is None or (self.colour_map in colormaps and colormaps[self.colour_map].N > 64)
        _expect(self.page in PAGES, "page", self.page, f"one of {', '.join(PAGES)}")
        known_theme = self.theme in THEMES or bool(re.fullmatch("#[0-9a-f]{6}", str(self.theme)))
        _expect(known_theme, "theme", self.theme, f"one of {', '.join(THEMES)}, or a colour such as '#212121'")
        _expect(known, "colour_map", self.colour_map, "a continuous colour map of matplotlib, such as 'viridis'")

    def _check_width(self) -> None:
        if isinstance(self.width, str):
            _expect(self.width in VENUES, "width", self.width, f"inches, or one of {', '.join(VENUES)}")
            most, page = len(VENUES[self.width]), self.width
        else:
            _expect(
                _within(self.width, *_WIDTHS), "width", self.width, f"3 to 12 inches, or one of {', '.join(VENUES)}"
            )
            most, page = 1, "a width in inches"
        expected = " or ".join(map(str, range(1, most + 1)))
        _expect(self.columns in range(1, most + 1), "columns", self.columns, f"{expected} for {page}")

    @property
    def inches(self) -> float:
        """Width of figures in inches."""
        return VENUES[self.width][self.columns - 1] if isinstance(self.width, str) else float(self.width)

    @property
    def small(self) -> float:
        """Size of small text in points: tick labels, legends, notes."""
        return max(SMALLEST_FONT, self.font_size * 6 / 7)

    def colours_maps(self, *, signed: bool) -> bool:
        """Whether ``colour_map`` is for signed maps, or for positive ones."""
        return self.colour_map is not None and (self.colour_map.removesuffix("_r") in _DIVERGING) == signed


def _within(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _expect(right: bool, name: str, value: object, expected: str) -> None:
    if not right:
        raise ValueError(f"The figure option {name} is {shown(value)!r}; expected {expected}.")


_OPTIONS: ContextVar[FigureOptions] = ContextVar("figure options", default=FigureOptions())  # noqa: B039 - it is frozen


def current_options() -> FigureOptions:
    """Options of figures that are drawn here and now."""
    return _OPTIONS.get()


@contextmanager
def figure_options(options: FigureOptions | None = None, **changes: Any) -> Iterator[FigureOptions]:
    """Draw the figures within by other options; afterwards, and in other threads, nothing is changed.

    Parameters
    ----------
    options : FigureOptions, optional
        All options; by default those that hold here.
    **changes
        Options to change, see `FigureOptions`.

    Raises
    ------
    ValueError
        If an option has a value that `FigureOptions` refuses.

    Examples
    --------
    >>> from e2kd_lab.figures import training_curves
    >>> with figure_options(width="neurips", title=False):
    ...     figure = training_curves({})
    >>> float(figure.get_figwidth())
    5.5
    """
    token = _OPTIONS.set(replace(current_options() if options is None else options, **changes))
    try:
        yield _OPTIONS.get()
    finally:
        _OPTIONS.reset(token)
