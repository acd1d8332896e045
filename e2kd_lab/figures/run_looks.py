"""How runs are told apart in curves: lightness, dash and marker within the method's hue, and names at the ends."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

from e2kd_lab.figures.labels import method_colours
from e2kd_lab.figures.lettering import text_width
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import small

_MARKERS, _DASHES = ("o", "s", "^", "D", "v", "P", "X", "<", ">"), ("-", "--", "-.", ":")
_DARK, _LIGHT = 0.2, 0.68  # lightness of the last and of the first run of a method
_LOWEST, _HIGHEST = -0.06, 1.02  # of an axis, for names at the ends of curves
_WIDEST = 0.26  # of the figure's width, for names at the ends of curves


def run_looks(methods: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Colour, dash and marker of each run, as matplotlib's line properties.

    Parameters
    ----------
    methods : mapping
        Method of each run by its label. A single run of a method has the method's colour; several go from light to
        dark, in the order of the numbers in their labels.

    Examples
    --------
    >>> looks = run_looks({"KD": "kd", "e²KD, λ = 10": "e2kd", "e²KD, λ = 5": "e2kd"})
    >>> {label: look["marker"] for label, look in looks.items()}
    {'KD': 'o', 'e²KD, λ = 10': 's', 'e²KD, λ = 5': 'o'}
    """
    colours = method_colours(list(methods.values()))
    looks: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(methods.values()):
        own = sorted((label for label, name in methods.items() if name == method), key=_natural)
        for place, label in enumerate(own):
            looks[label] = {
                "color": _shade(colours[method], place, len(own)),
                "linestyle": _DASHES[place % len(_DASHES)],
                "marker": _MARKERS[place % len(_MARKERS)],
                "markersize": 2.6,
                "linewidth": 1.0,
            }
    return {label: looks[label] for label in methods}


def distinguished(labels: Sequence[str]) -> tuple[dict[str, str], str]:
    """Shortest names of runs that tell them apart, by label, and what all of them share.

    Examples
    --------
    >>> distinguished(["KD, τ = 1, seed 0", "e²KD, λ = 5, τ = 1, seed 0"])
    ({'KD, τ = 1, seed 0': 'KD', 'e²KD, λ = 5, τ = 1, seed 0': 'e²KD, λ = 5'}, 'τ = 1, seed 0')
    """
    parts = {label: label.split(", ") for label in labels}
    if len(parts) < 2:
        return {label: label for label in labels}, ""
    first = next(iter(parts.values()))
    shared = [part for part in first if all(part in other for other in parts.values())]
    names = {label: ", ".join(part for part in own if part not in shared) or label for label, own in parts.items()}
    return names, ", ".join(shared)


def name_ends(axis: Axes, names: Mapping[str, str]) -> set[str]:
    """Write names to the right of an axis, at the ends of its curves, if there is room for them without overlap.

    Parameters
    ----------
    axis : Axes
        Its lines are labelled by run.
    names : mapping
        What to write, by label.

    Returns
    -------
    set of str
        Labels of the runs that are named now.
    """
    lines = [line for line in axis.get_lines() if line.get_label() in names]
    size, figure = small(), axis.get_figure()
    assert figure is not None
    line_height = 1.3 * size / (72 * 0.72)  # of the axis, which is about as many inches high
    widest = max((text_width(names[str(line.get_label())], size) for line in lines), default=0.0)
    crowded = (len(lines) - 1) * line_height > _HIGHEST - _LOWEST or widest > _WIDEST * 72 * current_options().inches
    if len(names) < 2 or len(lines) < len(names) or crowded:
        return set()
    bottom, top = axis.get_ylim()
    tips = [np.asarray(line.get_xydata(), dtype=float)[-1] for line in lines]
    ends = [(float(tip[1]) - bottom) / (top - bottom) for tip in tips]
    for line, tip, end, place in zip(lines, tips, ends, _apart(ends, line_height), strict=True):
        label, colour = str(line.get_label()), str(line.get_color())
        axis.annotate(
            names[label],
            (float(tip[0]), end),
            (1.08, place),
            xycoords=("data", "axes fraction"),
            textcoords="axes fraction",
            va="center",
            fontsize=size,
            color=_dark_enough(colour),
            # To the middle of the name's left end: no line crosses another name.
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.4,
                "color": colour,
                "shrinkA": 0,
                "shrinkB": 1.5,
                "relpos": (0, 0.5),
            },
        )
    return {str(line.get_label()) for line in lines}


def _apart(ends: Sequence[float], least: float) -> list[float]:
    """Heights as close to the ends as possible, but at least so far apart."""
    order = np.argsort(ends, kind="stable")
    blocks: list[list[float]] = []  # sum of (end - its offset in the block), count
    for end in np.asarray(ends, dtype=float)[order]:
        blocks.append([end, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] + least * blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total - least * blocks[-1][1] * count
            blocks[-1][1] += count
    placed = [total / count + least * number for total, count in blocks for number in range(int(count))]
    last = len(placed) - 1
    placed = [min(height, _HIGHEST - least * (last - number)) for number, height in enumerate(placed)]
    placed = [max(height, _LOWEST + least * number) for number, height in enumerate(placed)]
    heights = [0.0] * len(placed)
    for place, height in zip(order, placed, strict=True):
        heights[place] = height
    return heights


def _natural(label: str) -> list[tuple[int, float, str]]:
    """Sort key in which 5 comes before 10."""
    return [
        (0, float(part), "") if re.fullmatch(r"\d+(\.\d+)?", part) else (1, 0.0, part)
        for part in re.split(r"(\d+(?:\.\d+)?)", label)
        if part and not part.startswith(".")
    ]


def _shade(colour: str, place: int, count: int) -> str:
    if count == 1:
        return colour
    hue, _, saturation = colorsys.rgb_to_hls(*to_rgb(colour))
    return to_hex(colorsys.hls_to_rgb(hue, _LIGHT + (_DARK - _LIGHT) * place / (count - 1), saturation))


def _dark_enough(colour: str) -> str:
    """A colour that can be read as text on white: the same hue, darker if need be."""
    hue, light, saturation = colorsys.rgb_to_hls(*to_rgb(colour))
    return to_hex(colorsys.hls_to_rgb(hue, min(light, 0.36), saturation))
