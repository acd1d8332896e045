"""Style of all figures: colours, titles, sizes and fonts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from e2kd_lab.figures.options import VENUES, FigureOptions, current_options
from e2kd_lab.methods import METHODS, Distiller, method_names

# Width of the paper's text block in inches.
(TEXT_WIDTH,) = VENUES["eccv"]

SELECTION = "selection"  # id of artists that a panel shows and an export leaves out

_DRAWING = threading.RLock()

FROZEN = "_frozen"


class _ByMethod(Mapping[str, str]):
    """An attribute of all registered methods, in display order, and of their variants with a frozen teacher."""

    def __init__(self, attribute: str, frozen: Callable[[type[Distiller]], str]) -> None:
        self._attribute, self._frozen = attribute, frozen

    def __getitem__(self, name: str) -> str:
        base = name.removesuffix(FROZEN)
        if base not in METHODS:
            raise KeyError(name)
        return getattr(METHODS[base], self._attribute) if base == name else self._frozen(METHODS[base])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.removesuffix(FROZEN) in METHODS

    def __iter__(self) -> Iterator[str]:
        names = method_names()
        own = [name for name in names if METHODS.identity(name) is None]
        yield from own
        yield from (name + FROZEN for name in own if METHODS[name].frozen_colour)
        yield from (name for name in names if name not in own)

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Order(Sequence[str]):
    """Methods in display order."""

    def __getitem__(self, place: Any) -> Any:
        return list(METHOD_TITLES)[place]

    def __len__(self) -> int:
        return len(METHOD_TITLES)


METHOD_TITLES: Mapping[str, str] = _ByMethod("title", lambda kind: f"{kind.title}, frozen")
METHOD_ORDER: Sequence[str] = _Order()
# As in Fig. 4: KD yellow, e2KD blue, frozen e2KD red, the teacher purple; colour-blind readers can tell them apart.
METHOD_COLOURS: Mapping[str, str] = _ByMethod("colour", lambda kind: kind.frozen_colour or kind.colour)
BOX_COLOUR = "#00C8D7"
NOTE_COLOUR = "#555555"
CORRECT_COLOUR, WRONG_COLOUR = "#007A5A", "#C63F00"

FAMILY_TITLES: Mapping[str, str] = {"standard": "Standard networks", "bcos": "B-cos networks"}
SCALE_TITLES: Mapping[str, str] = {
    "paper": "measured here (paper scale)",
    "lab": "measured here (lab)",
    "smoke": "measured here (smoke test, meaningless)",
    "own": "measured here (own data)",
}

# DejaVu Sans has all signs and comes with matplotlib; where a reader has neither, SVGs ask for any sans-serif.
FONTS = ("DejaVu Sans", "Arial")

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": list(FONTS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    # Text stays text: PDFs embed their fonts as TrueType, SVGs name them.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "e2kd-lab",
    "figure.dpi": 150,
}


class StyledFigure(Figure):
    """A figure that is saved in the lab's style, by the options it was drawn with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = current_options()
        self.data: pd.DataFrame | None = None  # what it shows, if it knows it

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """See matplotlib."""
        with styled(self.options):
            super().savefig(*args, **kwargs)


def data_of(figure: Figure) -> pd.DataFrame | None:
    """What a figure shows, if it knows it."""
    return figure.data if isinstance(figure, StyledFigure) else None


def new_figure(height: float = 2.4, *, width: float | None = None, placed: bool = False) -> StyledFigure:
    """An empty figure of a height in inches; pyplot is not thread-safe, and widget callbacks run on another thread.

    Its width is that of `e2kd_lab.figures.figure_options`, unless another is given. Draw on it within `styled`, which
    sets fonts and lines. With ``placed``, axes are placed by hand; otherwise they are laid out, which draws the figure
    once more each time it is saved.
    """
    size = (current_options().inches if width is None else width, height)
    return StyledFigure(figsize=size, layout="none" if placed else "constrained")


def small() -> float:
    """Size of small text in points: tick labels, legends, notes."""
    return current_options().small


@contextmanager
def styled(options: FigureOptions | None = None) -> Iterator[None]:
    """Draw and save figures in the lab's style, one thread at a time.

    Matplotlib's parameters are global, and panels draw while others train in the background.
    """
    options = current_options() if options is None else options
    sizes: dict[Any, Any] = {
        "font.size": options.font_size,
        "xtick.labelsize": options.small,
        "ytick.labelsize": options.small,
    }
    sizes |= {"legend.fontsize": options.small}
    sizes |= dict.fromkeys(("axes.labelsize", "axes.titlesize"), options.font_size)
    with _DRAWING, rc_context({**STYLE, **sizes}):
        yield
