"""How every figure looks: method colours, names, sizes and fonts are fixed here and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

# Width of the paper's text block in inches.
TEXT_WIDTH = 4.8

_DRAWING = threading.RLock()

METHOD_TITLES: Mapping[str, str] = {
    "teacher": "Teacher",
    "at": "AT",
    "reviewkd": "ReviewKD",
    "catkd": "CAT-KD",
    "baseline": "Baseline",
    "kd_labels": "KD + labels",
    "kd": "KD",
    "e2kd": "e²KD",
    "kd_frozen": "KD, frozen",
    "e2kd_frozen": "e²KD, frozen",
}
METHOD_ORDER = tuple(METHOD_TITLES)

# Colours that colour-blind readers tell apart; KD yellow, e2KD blue, frozen e2KD red, the teacher purple as in Fig. 4.
METHOD_COLOURS: Mapping[str, str] = {
    "teacher": "#AA4499",
    "at": "#009E73",
    "reviewkd": "#56B4E9",
    "catkd": "#D55E00",
    "baseline": "#7F7F7F",
    "kd_labels": "#8C6D1F",
    "kd": "#E69F00",
    "e2kd": "#0072B2",
    "kd_frozen": "#F5CF7A",
    "e2kd_frozen": "#A50F15",
}
BOX_COLOUR = "#00C8D7"
CORRECT_COLOUR, WRONG_COLOUR = "#007A5A", "#C63F00"

FAMILY_TITLES: Mapping[str, str] = {"standard": "Standard networks", "bcos": "B-cos networks"}
SETTING_TITLES: Mapping[str, str] = {"base": "{epochs} epochs", "mixup": "+ mixup", "long": "+ 5× longer"}
SCALE_TITLES: Mapping[str, str] = {
    "paper": "measured here (paper scale)",
    "lab": "measured here (lab)",
    "smoke": "measured here (smoke test, meaningless)",
    "own": "measured here (own data)",
}

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
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
    "legend.fontsize": 7,
    # Fonts are embedded as TrueType, so that text in PDFs stays text.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "e2kd-lab",
    "figure.dpi": 150,
}


def new_figure(width: float = TEXT_WIDTH, height: float = 2.4, *, placed: bool = False) -> Figure:
    """An empty figure of a size in inches; never pyplot, because widget callbacks run on another thread.

    Draw on it within `styled`, which fixes fonts and lines. Axes are laid out unless they are all ``placed`` by hand;
    laying out takes one more drawing each time the figure is saved.
    """
    layout = "none" if placed else "constrained"
    return Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]  # its annotation lacks "none"


@contextmanager
def styled() -> Iterator[None]:
    """Context in which figures are drawn and saved with the lab's style, by one thread at a time.

    Matplotlib's parameters belong to the whole program, and panels draw while others train in the background.
    """
    with _DRAWING, rc_context(STYLE):
        yield
