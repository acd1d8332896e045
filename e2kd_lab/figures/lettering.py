"""Text that fits: how wide it is, where it breaks, and legends and names below the axes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FONTS, NOTE_COLOUR, small

_LINE = 1.25  # height of a line in font sizes


@functools.lru_cache(4096)
def text_width(text: str, size: float) -> float:
    """Width of the longest line of a text in points.

    Examples
    --------
    >>> text_width("e²KD", 12) == 2 * text_width("e²KD", 6)
    True
    """
    font = FontProperties(family=FONTS[0], size=100)
    measure = TextToPath().get_text_width_height_descent
    return max(measure(line, font, ismath=False)[0] for line in text.split("\n")) * size / 100


def broken(text: str, room: float, size: float, *, at: str = " ") -> str:
    """A text in lines of at most ``room`` points, if what stands between the places to break ``at`` is short enough.

    Examples
    --------
    >>> broken("measured here (lab)", room=60, size=7)
    'measured here\\n(lab)'
    """
    lines: list[str] = []
    for word in text.split(at):
        joined = f"{lines[-1]}{at}{word}" if lines else word
        if lines and text_width(joined, size) <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return "\n".join(lines)


def evenly_broken(text: str, room: float, size: float) -> str:
    """As `broken`, in as many lines, but no line is much shorter than the others.

    Examples
    --------
    >>> evenly_broken("a label of several words", room=60, size=7)
    'a label of\\nseveral words'
    """
    lines = broken(text, room, size)
    narrower = [broken(text, room * percent / 100, size) for percent in range(99, 49, -1)]
    fitting = [one for one in narrower if one.count("\n") == lines.count("\n")]
    return min([lines, *fitting], key=lambda one: text_width(one, size))


def write_title(figure: Figure, title: str) -> None:
    """Write the title of a figure, if there is one and titles are asked for."""
    if title and current_options().title:
        size = 1.2 * current_options().font_size
        figure.suptitle(broken(title, 70 * figure.get_figwidth(), size, at=" — "), fontsize=size)


def write_note(figure: Figure, note: str, *, key: str = "") -> None:
    """Write below a figure where its numbers come from, if that is asked for, and what short names mean."""
    if text := _note_text(figure, note, key):
        figure.supxlabel(text, fontsize=small(), color=NOTE_COLOUR)


def _note_text(figure: Figure, note: str, key: str) -> str:
    text = ". ".join(filter(None, (note if current_options().scale_note else "", key)))
    return broken(text, 68 * figure.get_figwidth(), small())


def legend_below(figure: Figure, handles: Sequence[Any], *, note: str = "", key: str = "", **style: Any) -> None:
    """Legend below all axes, in as few rows as the figure's width allows, under a note (see `write_note`)."""
    if not handles:
        write_note(figure, note, key=key)
        return
    size, room = small(), 70 * figure.get_figwidth()
    look: dict[str, Any] = {"handlelength": 1.6, "handletextpad": 0.5, "columnspacing": 1.2, **style}
    labels, rows = [str(one.get_label()) for one in handles], 1
    while rows < len(labels) and _legend_width(labels, -(-len(labels) // rows), size, look) > room:
        rows += 1
    columns = -(-len(labels) // rows)
    title = _note_text(figure, note, key) or None
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, title=title, title_fontsize=size, **look
    )
    legend.get_title().set(color=NOTE_COLOUR, multialignment="center")


def _legend_width(labels: Sequence[str], columns: int, size: float, look: dict[str, Any]) -> float:
    widest = [max(text_width(label, size) for label in column) for column in np.array_split(labels, columns)]
    signs = look["handlelength"] + look["handletextpad"]
    return sum(widest) + size * (columns * signs + (columns - 1) * look["columnspacing"] + 1)


def name_places(axis: Axes, places: Sequence[float], names: Sequence[str], room: float) -> None:
    """Name places on the horizontal axis: in one line if ``room`` points suffice for each, else in two, else turned."""
    size = small()
    stacked = [name.replace(" ", "\n", 1) for name in names]
    if not _fit(names, room, size) and _fit(stacked, room, size):
        names = stacked
    style: dict[str, Any] = {}
    if not _fit(names, room, size):
        steep = room < 1.8 * size  # lines of text at 45 degrees would touch
        style = {"rotation": 90} if steep else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(list(places), list(names), fontsize=size, **style)
    axis.tick_params(axis="x", length=0)


def number_style(texts: Sequence[str], room: float) -> dict[str, Any]:
    """How to write numbers above bars that are ``room`` points apart: upright if they fit, else turned."""
    return {"fontsize": small(), "rotation": 0 if _fit(texts, room, small()) else 90}


def _fit(texts: Sequence[str], room: float, size: float) -> bool:
    return all(text_width(text, size) + size / 3 <= room for text in texts)
