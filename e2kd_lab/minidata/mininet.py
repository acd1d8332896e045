"""MiniNet: a drawn set of twenty classes of objects, in the ImageNet layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from e2kd_lab.minidata.drawing.objects import SHAPES, draw_object
from e2kd_lab.minidata.imagenet_layout import ImageNetLayout, imagenet_set
from e2kd_lab.minidata.making import make

# See `EmbeddedSet.version`.
VERSION = 1
CLASSES = tuple(SHAPES)


@dataclass(frozen=True, kw_only=True)
class MiniNet(ImageNetLayout):
    """What a MiniNet set of 20 classes holds: `MiniNet(size=64, train=250, val=50, seed=0)`.

    See `e2kd_lab.minidata.imagenet_layout.ImageNetLayout` for the fields.
    """


def make_mininet(
    folder: Path | str,
    spec: MiniNet = MiniNet(),
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a MiniNet set into a folder, or return at once if the same set is already there.

    The set holds `train/<class>/<number>.JPEG`, `val/<class>/<number>.JPEG` and `mininet.json`, its spec. The class
    of a picture shows in the shape of its object, not in colours. A larger set holds the pictures of a
    smaller one of the same seed.

    Parameters
    ----------
    folder, workers, overwrite
        See `e2kd_lab.minidata.making.make`, also for what is returned and raised.
    spec
        Image size, counts and seed.
    """
    return make(folder, imagenet_set(spec, VERSION, CLASSES, draw_object), workers=workers, overwrite=overwrite)
