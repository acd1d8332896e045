"""Drawn pictures of scenes. A scene shows in its layout and textures, hardly in its colours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from e2kd_lab.minidata.drawing.built_scenes import draw_city, draw_field, draw_street
from e2kd_lab.minidata.drawing.scene_canvas import Canvas
from e2kd_lab.minidata.drawing.wild_scenes import (
    draw_beach,
    draw_cave,
    draw_desert,
    draw_forest,
    draw_mountains,
    draw_night_sky,
    draw_waves,
)

Scene = Callable[[Canvas], None]
# The order is the order of the labels.
SCENES: dict[str, Scene] = {
    "beach": draw_beach,
    "cave": draw_cave,
    "city": draw_city,
    "desert": draw_desert,
    "field": draw_field,
    "forest": draw_forest,
    "mountains": draw_mountains,
    "night_sky": draw_night_sky,
    "street": draw_street,
    "waves": draw_waves,
}


def draw_scene(name: str, size: int, rng: np.random.Generator) -> Image.Image:
    """Draw one scene.

    Parameters
    ----------
    name
        One of `SCENES`.
    size
        Side of the square picture in pixels, at least 16.
    rng
        Source of layout, light and colours; the same state gives the same picture.

    Returns
    -------
    PIL.Image.Image
        The picture (RGB), size x size pixels.
    """
    canvas = Canvas(size, rng)
    SCENES[name](canvas)
    return canvas.finished()
