"""MiniBirds: a small drawn Waterbirds-100, in the Waterbirds layout."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image

from e2kd_lab.minidata.drawing.birds import LANDBIRDS, UNCHANGED, WATERBIRDS, Changes, draw_picture
from e2kd_lab.minidata.drawing.places import LAND_TEXTURES, WATER_TEXTURES
from e2kd_lab.minidata.making import EmbeddedSet, SetSpec, make, save_jpeg

# See `EmbeddedSet.version`.
VERSION = 1
SPEC_FILE = "minibirds.json"
BIASED = "waterbird_1.0_forest2water2"
UNBIASED = "teacher/waterbird_0.5_forest2water2"
COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")


@dataclass(frozen=True, kw_only=True)
class MiniBirds(SetSpec):
    """What a MiniBirds set holds.

    Parameters
    ----------
    size
        Side of the square images in pixels, 16 to 1024.
    train
        Training images of landbirds on land and of waterbirds on water, each at least 1; by default 2.3 to 1 as in
        Waterbirds-100.
    val, test
        Validation and test images in each of the four groups, at least 1.
    teacher
        Training images in each of the four groups of the unbiased set for the teacher, at least 1.
    seed
        Seed of all pictures, 0 or more.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    size: int = 64
    train: tuple[int, int] = (1115, 485)
    val: int = 60
    test: int = 150
    teacher: int = 400
    seed: int = 0

    RANGES: ClassVar = {
        **{"size": (16, 1024), "seed": (0, 2**32 - 1)},
        **dict.fromkeys(("train", "val", "test", "teacher"), (1, 10**6)),
    }

    def __post_init__(self) -> None:
        if not isinstance(self.train, (tuple, list)) or len(self.train) != 2:
            raise ValueError(f"MiniBirds train is {self.train!r}, expected two counts: landbirds, waterbirds.")
        object.__setattr__(self, "train", tuple(self.train))
        super().__post_init__()


class Picture(NamedTuple):
    """An image to draw: its file, its content and the key of its random stream."""

    collection: str
    filename: str
    species: int
    y: int
    split: int
    place: int
    texture: str
    key: tuple[int, ...]


def make_minibirds(
    folder: Path | str,
    spec: MiniBirds = MiniBirds(),
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a MiniBirds set into a folder, or return at once if the same set is already there.

    The set holds `waterbird_1.0_forest2water2/` (training images with landbirds on land and waterbirds on water
    only, balanced validation and test splits), `segmentations/` (8-bit soft masks of its birds, 255 on the bird)
    and `teacher/` with the same two folders for an unbiased set, `waterbird_0.5_forest2water2`.

    Parameters
    ----------
    folder, workers, overwrite
        See `e2kd_lab.minidata.making.make`, also for what is returned and raised.
    spec
        Image size, counts and seed.
    """
    embedded = EmbeddedSet(
        spec=spec,
        spec_file=SPEC_FILE,
        version=VERSION,
        plan=pictures,
        paths=paths,
        draw=_draw_picture,
        finish=_write_metadata,
        required=tuple(f"{collection}/metadata.csv" for collection in (BIASED, UNBIASED)),
    )
    return make(folder, embedded, workers=workers, overwrite=overwrite)


def pictures(spec: MiniBirds) -> Iterator[Picture]:
    """All pictures of a set; depends on the counts and the seed alone."""
    kinds = ((LANDBIRDS, tuple(LAND_TEXTURES)), (WATERBIRDS, tuple(WATER_TEXTURES)))
    splits = {
        BIASED: ((spec.train[0], 0, 0, spec.train[1]), (spec.val,) * 4, (spec.test,) * 4),
        UNBIASED: ((spec.teacher,) * 4, (spec.val,) * 4, (spec.val,) * 4),
    }
    for which, (collection, counts) in enumerate(splits.items()):
        drawn: dict[str, int] = {}
        for split, group, number in (
            (split, group, number)
            for split, per_group in enumerate(counts)
            for group, count in enumerate(per_group)
            for number in range(count)
        ):
            y, place = divmod(group, 2)
            birds, textures = kinds[y][0], kinds[place][1]
            species, texture = number % len(birds), textures[number // len(birds) % len(textures)]
            name = birds[species].name
            drawn[name] = drawn.get(name, 0) + 1
            folder = f"{1 + species + y * len(LANDBIRDS):03d}.{name}"
            filename = f"{folder}/{name}_{drawn[name]:04d}.jpg"
            key = (spec.seed, which, split, group, number)
            yield Picture(collection, filename, species, y, split, place, texture, key)


def paths(root: Path, picture: Picture) -> tuple[Path, Path]:
    """Image and mask of a picture."""
    collection = root / picture.collection
    mask = collection.parent / "segmentations" / picture.filename
    return collection / picture.filename, mask.with_suffix(".png")


def random_stream(picture: Picture) -> np.random.Generator:
    """The random numbers that a picture is drawn from."""
    return np.random.default_rng(np.random.SeedSequence(picture.key))


def drawn(spec: MiniBirds, picture: Picture, changes: Changes = UNCHANGED) -> tuple[Image.Image, Image.Image]:
    """A picture and the mask of its bird."""
    rng = random_stream(picture)
    species = (LANDBIRDS, WATERBIRDS)[picture.y][picture.species]
    texture = (LAND_TEXTURES, WATER_TEXTURES)[picture.place][picture.texture]
    return draw_picture(species, texture, spec.size, rng, changes)


def _draw_picture(root: Path, spec: MiniBirds, picture: Picture) -> None:
    image, mask = drawn(spec, picture)
    image_path, mask_path = paths(root, picture)
    save_jpeg(image, image_path)
    mask.save(mask_path, compress_level=1)


def _write_metadata(root: Path, pictures: list[Picture]) -> None:
    for collection in (BIASED, UNBIASED):
        rows = sorted((p for p in pictures if p.collection == collection), key=lambda p: p.filename)
        with (root / collection / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for number, picture in enumerate(rows, start=1):
                scene = f"/{'water' if picture.place else 'land'}/{picture.texture}/{number:08d}.jpg"
                writer.writerow((number, picture.filename, picture.y, picture.split, picture.place, scene))
