"""Maps as pictures on one colour scale, in the colours and with the opacity that are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from e2kd_lab.explanations.comparison import Comparison
from e2kd_lab.explanations.explanation_method import Drawing
from e2kd_lab.explanations.rendering import HEAT, SIGNED, heat_overlay, signed_colours, unit_norm
from e2kd_lab.figures.lettering import evenly_broken
from e2kd_lab.figures.options import current_options
from e2kd_lab.figures.style import FAMILY_TITLES, small
from e2kd_lab.system.errors import note


@dataclass(frozen=True)
class Pictures:
    """Maps of one family of networks as RGB pictures (N, H, W, 3) by network, and their colour scale."""

    comparison: Comparison
    family: str
    pictures: dict[str, np.ndarray]
    scale: ScalarMappable
    label: str

    def label_for(self, *, several: bool) -> str:
        """Label of the scale; beside others, it does not say what is explained."""
        return self.label.replace(f" of {self.comparison.explained},", "") if several else self.label


def pictures_of(comparison: Comparison, contributions: bool) -> Pictures:
    """Render all maps of a comparison on one colour scale, see `e2kd_lab.figures.FigureOptions`.

    Pictures that an explanation draws in colours of its own, such as W(x), stay as they are.
    """
    drawing = comparison.method.draw(comparison.images, comparison.maps, contributions=contributions)
    options, signed = current_options(), drawing.colours is SIGNED
    if options.opacity is not None or options.colours_maps(signed=signed):
        if drawing.colours in (SIGNED, HEAT):
            drawing = _recoloured(drawing, comparison, contributions=contributions)
        else:
            note(f"Colour map and opacity do not apply to maps of {comparison.method.title}, which have own colours.")
    scale = ScalarMappable(Normalize(drawing.low, drawing.high), drawing.colours)
    label = drawing.label.format(of=f"of {comparison.explained}")
    family = FAMILY_TITLES.get(comparison.family, comparison.family)
    return Pictures(comparison, family, drawing.pictures, scale, label)


def _recoloured(drawing: Drawing, comparison: Comparison, *, contributions: bool) -> Drawing:
    """The same maps on the same scale, in other colours or over the image."""
    options, signed, images = current_options(), drawing.colours is SIGNED, comparison.images
    colours = drawing.colours
    if options.colour_map is not None and options.colours_maps(signed=signed):
        colours = colormaps[options.colour_map]
    evidence = contributions and comparison.method.has_contributions
    pictures = {}
    for name, maps in comparison.maps.items():
        values = unit_norm(comparison.method.evidence(maps, images) if evidence else maps)
        if not signed:
            opacity = options.opacity
            pictures[name] = heat_overlay(images, values, vmax=drawing.high, colours=colours, opacity=opacity)
            continue
        alone = signed_colours(values, vmax=drawing.high, colours=colours)
        beneath = heat_overlay(images, values, vmax=drawing.high, opacity=0.0)
        share = 1.0 if options.opacity is None else options.opacity
        pictures[name] = share * alone + (1 - share) * beneath
    return Drawing(pictures, drawing.low, drawing.high, colours, drawing.label)


def colour_bar(
    figure: Figure, pictures: Pictures, left: float, bottom: float, width: float, *, several: bool = False
) -> Colorbar:
    """Draw a horizontal colour bar at a place in inches from the lower left corner; its label stands below."""
    across, down = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / down, width / across, 0.06 / down))
    bar = figure.colorbar(pictures.scale, cax=axes, orientation="horizontal")
    bar.ax.locator_params(nbins=max(2, int(width / 0.5)))
    bar.ax.tick_params(length=2, pad=1.5)
    bar.ax.set_axisbelow(False)  # above the colours
    # Text of its own, below the numbers: a label of the axis would be drawn anew with every other scale.
    below = 4.5 + 1.2 * small()
    style: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": small()}
    text = bar_label(pictures, width, several=several)
    bar.ax.annotate(text, (0.5, 0), (0, -below), ha="center", va="top", **style)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
    return bar


def show_scale(bar: Colorbar, pictures: Pictures) -> None:
    """Show the scale of other pictures with the same label on a colour bar."""
    bar.mappable.set_clim(pictures.scale.get_clim())


def changing_parts(bar: Colorbar) -> list[Artist]:
    """What `show_scale` changes of a colour bar: ticks, numbers and, by rounding, colours; and what lies above them."""
    return [bar.solids, bar.outline, bar.ax.xaxis]  # type: ignore[list-item]


def bar_label(pictures: Pictures, width: float, *, several: bool = False) -> str:
    """Label of a colour bar, in lines that are a little wider than the bar, at most."""
    return evenly_broken(pictures.label_for(several=several), 76 * width, small())


def bar_room(pictures: Pictures, width: float, *, several: bool = False) -> float:
    """Inches that a colour bar with its ticks and label takes."""
    lines = bar_label(pictures, width, several=several).count("\n") + 1
    return 0.1 + (1 + lines) * 1.3 * small() / 72
