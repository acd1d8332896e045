"""MiniScenes: ten classes of scenes in the ImageNet layout, drawn by the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from e2kd_lab.minidata.drawing.scenes import SCENES, draw_scene
from e2kd_lab.minidata.imagenet_layout import ImageNetLayout, imagenet_recipe
from e2kd_lab.minidata.making import make

# Raised whenever the same spec would give other pictures than before, so that old folders are not reused.
VERSION = 1
CLASSES = tuple(SCENES)


@dataclass(frozen=True, kw_only=True)
class MiniScenes(ImageNetLayout):
    """What a MiniScenes set of 10 classes holds: `MiniScenes(size=64, train=250, val=50, seed=0)`.

    See `e2kd_lab.minidata.imagenet_layout.ImageNetLayout` for the fields.
    """


def make_miniscenes(
    folder: Path | str,
    spec: MiniScenes = MiniScenes(),
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a MiniScenes set into a folder, or return at once if the same set is there already.

    The set holds `train/<class>/<number>.JPEG`, `val/<class>/<number>.JPEG` and `miniscenes.json`, its spec. The
    class of a picture is told by layout and textures, hardly by colours. A larger set of the same seed holds the
    pictures of a smaller one.

    Parameters
    ----------
    folder, workers, overwrite
        See `e2kd_lab.minidata.making.make`, which also tells what is returned and what is raised.
    spec
        Image size, counts and seed.
    """
    return make(folder, imagenet_recipe(spec, VERSION, CLASSES, draw_scene), workers=workers, overwrite=overwrite)
