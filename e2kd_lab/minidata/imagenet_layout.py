"""Embedded data sets in the ImageNet layout: one folder per split, and in it one per class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image

from e2kd_lab.minidata.making import EmbeddedSet, SetSpec, save_jpeg


@dataclass(frozen=True, kw_only=True)
class ImageNetLayout(SetSpec):
    """What a set in the ImageNet layout holds: `train/<class>/0001.JPEG` and `val/<class>/0001.JPEG`.

    Parameters
    ----------
    size
        Side of the square images in pixels, 16 to 1024.
    train, val
        Number of images of each class in the two splits, at least 1.
    seed
        Seed of all pictures, 0 or more.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    size: int = 64
    train: int = 250
    val: int = 50
    seed: int = 0

    RANGES: ClassVar = {"size": (16, 1024), "train": (1, 10**6), "val": (1, 10**6), "seed": (0, 2**32 - 1)}


class _Drawing(NamedTuple):
    """An image to draw, and the key of its random stream."""

    filename: str
    shown: str
    key: tuple[int, ...]


# Draws one picture from the name of a class, a size in pixels and a random stream.
Painter = Callable[[str, int, np.random.Generator], Image.Image]


def imagenet_set(
    spec: ImageNetLayout, version: int, classes: Iterable[str], painter: Painter
) -> EmbeddedSet[ImageNetLayout, _Drawing]:
    """A set in the ImageNet layout.

    A picture depends on the seed, its split, class and number alone: a larger set holds the pictures of a smaller one
    of the same seed.

    Parameters
    ----------
    spec
        Image size, counts and seed.
    version
        See `EmbeddedSet`.
    classes
        Names of the classes and their folders, in an order that never changes.
    painter
        Draws one picture of a class.
    """
    names = tuple(classes)
    return EmbeddedSet(
        spec=spec,
        spec_file=f"{type(spec).__name__.lower()}.json",
        version=version,
        plan=partial(_plan_folders, names),
        paths=_path_in_folders,
        draw=partial(_draw_in_folders, painter),
        required=tuple(f"{split}/{name}" for split in ("train", "val") for name in names),
    )


def _plan_folders(classes: tuple[str, ...], spec: ImageNetLayout) -> Iterator[_Drawing]:
    for part, (split, count) in enumerate((("train", spec.train), ("val", spec.val))):
        for label, name in enumerate(classes):
            for number in range(1, count + 1):
                key = (spec.seed, part, label, number)
                yield _Drawing(f"{split}/{name}/{number:04d}.JPEG", name, key)


def _path_in_folders(root: Path, drawing: _Drawing) -> tuple[Path]:
    return (root / drawing.filename,)


def _draw_in_folders(painter: Painter, root: Path, spec: ImageNetLayout, drawing: _Drawing) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(drawing.key))
    picture = painter(drawing.shown, spec.size, rng)
    save_jpeg(picture, root / drawing.filename)
