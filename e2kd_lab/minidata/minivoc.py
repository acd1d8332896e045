"""MiniVOC: a drawn set of objects with boxes, and contexts that correlate with classes, in the VOC layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from e2kd_lab.minidata.drawing.arrangements import Arrangement, Seen, arrange
from e2kd_lab.minidata.drawing.grounds import GROUNDS
from e2kd_lab.minidata.making import EmbeddedSet, SetSpec, make, save_jpeg

# See `EmbeddedSet.version`.
VERSION = 1
SPEC_FILE = "minivoc.json"
FOLDER = "VOCdevkit/VOC2012"
# Four classes mostly lie on a ground of their own, four mostly have a companion, and two have neither.
HABITATS = {"boat": "water", "cactus": "sand", "mug": "planks", "mushroom": "foliage"}
COMPANY = {"butterfly": "flower", "fish": "bubbles", "guitar": "notes", "house": "fir"}
CLASSES = tuple(sorted([*HABITATS, *COMPANY, "car", "umbrella"]))

_SPLITS = ("train", "val", "test")
_LISTS = {"train": ("train",), "val": ("val",), "trainval": ("train", "val"), "test": ("test",)}
_NEUTRAL = tuple(sorted(set(GROUNDS) - set(HABITATS.values())))
# Probabilities of a class's own ground, of a neutral ground otherwise, of a companion with its class, and without it.
_AT_HOME, _ON_NEUTRAL, _ACCOMPANIED, _STRAY = 0.85, 0.8, 0.85, 0.05


@dataclass(frozen=True, kw_only=True)
class MiniVoc(SetSpec):
    """What a MiniVOC set holds.

    Parameters
    ----------
    size
        Side of the square images in pixels, 32 to 1024.
    train, val, test
        Number of images in each split, at least 1.
    seed
        Seed of all pictures, 0 or more.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    size: int = 96
    train: int = 1200
    val: int = 150
    test: int = 400
    seed: int = 0

    RANGES: ClassVar = {"size": (32, 1024), "seed": (0, 2**32 - 1), **dict.fromkeys(_SPLITS, (1, 999_999))}


class Picture(NamedTuple):
    """An image to draw: its id, split and content, and the key of its random stream."""

    id: str
    split: str
    things: tuple[str, ...]
    companions: tuple[str, ...]
    ground: str
    key: tuple[int, ...]


def make_minivoc(
    folder: Path | str,
    spec: MiniVoc = MiniVoc(),
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a MiniVOC set into a folder, or return at once if the same set is already there.

    The set holds `VOCdevkit/VOC2012` in the layout of PASCAL VOC, with `classes.txt`, the names of its ten classes,
    and `minivoc.json`, its spec. A picture shows one to three things of different classes. Four classes usually lie
    on a ground of their own, four usually have a companion of no class beside them, and two have neither; all
    splits alike. A larger set of the same seed holds the pictures of a smaller one.

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
        finish=_write_lists,
        required=(
            f"{FOLDER}/classes.txt",
            f"{FOLDER}/Annotations",
            f"{FOLDER}/JPEGImages",
            *(f"{FOLDER}/ImageSets/Main/{name}.txt" for name in _LISTS),
        ),
    )
    return make(folder, embedded, workers=workers, overwrite=overwrite)


def pictures(spec: MiniVoc) -> Iterator[Picture]:
    """All pictures of a set; what a picture shows depends on the seed, its split and its number alone."""
    for part, split in enumerate(_SPLITS):
        for number in range(1, getattr(spec, split) + 1):
            key = (spec.seed, part, number)
            # A stream of its own, so that the drawing does not repeat the draws made here.
            rng = np.random.default_rng(np.random.SeedSequence((*key, 1)))
            count = int(rng.choice([1, 2, 3], p=[0.35, 0.4, 0.25]))
            things = tuple(CLASSES[index] for index in rng.permutation(len(CLASSES))[:count].tolist())
            companions = tuple(
                companion
                for name, companion in COMPANY.items()
                if rng.random() < (_ACCOMPANIED if name in things else _STRAY)
            )
            yield Picture(f"{split}_{number:06d}", split, things, companions, _ground(things, rng), key)


def _ground(things: tuple[str, ...], rng: np.random.Generator) -> str:
    homes = [HABITATS[name] for name in things if name in HABITATS]
    if homes and rng.random() < _AT_HOME:
        return homes[int(rng.integers(len(homes)))]
    if rng.random() < _ON_NEUTRAL:
        return _NEUTRAL[int(rng.integers(len(_NEUTRAL)))]
    return tuple(GROUNDS)[int(rng.integers(len(GROUNDS)))]


def paths(root: Path, picture: Picture) -> tuple[Path, Path]:
    """Image and annotation of a picture."""
    folder = root / FOLDER
    return folder / "JPEGImages" / f"{picture.id}.jpg", folder / "Annotations" / f"{picture.id}.xml"


def arrangement_of(spec: MiniVoc, picture: Picture) -> Arrangement:
    """What a picture shows, not painted yet."""
    rng = np.random.default_rng(np.random.SeedSequence(picture.key))
    return arrange(picture.things, picture.companions, picture.ground, spec.size, rng)


def _draw_picture(root: Path, spec: MiniVoc, picture: Picture) -> None:
    arrangement = arrangement_of(spec, picture)
    image, masks = arrangement.paint()
    seen = arrangement.seen(masks)
    image_path, annotation_path = paths(root, picture)
    save_jpeg(image, image_path)
    annotation_path.write_text(_annotation(image_path.name, spec.size, seen), encoding="utf-8", newline="\n")


def _annotation(filename: str, size: int, seen: list[Seen]) -> str:
    """XML of a picture: VOC counts pixels from one, and the last row and column belong to a box."""
    lines = ["<annotation>", f"\t<folder>{Path(FOLDER).name}</folder>", f"\t<filename>{filename}</filename>"]
    lines += ["\t<source>", "\t\t<database>MiniVOC</database>", "\t</source>"]
    lines += ["\t<size>", f"\t\t<width>{size}</width>", f"\t\t<height>{size}</height>", "\t\t<depth>3</depth>"]
    lines += ["\t</size>", "\t<segmented>0</segmented>"]
    for thing in seen:
        left, top, right, bottom = thing.box
        lines += ["\t<object>", f"\t\t<name>{thing.name}</name>", "\t\t<pose>Unspecified</pose>"]
        lines += [f"\t\t<truncated>{thing.truncated:d}</truncated>", f"\t\t<occluded>{thing.occluded:d}</occluded>"]
        lines += ["\t\t<difficult>0</difficult>", "\t\t<bndbox>"]
        lines += [f"\t\t\t<xmin>{left + 1}</xmin>", f"\t\t\t<ymin>{top + 1}</ymin>"]
        lines += [f"\t\t\t<xmax>{right}</xmax>", f"\t\t\t<ymax>{bottom}</ymax>", "\t\t</bndbox>", "\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])


def _write_lists(root: Path, pictures: list[Picture]) -> None:
    """Lists of ids, also those of each class: 1 for a picture that shows it, -1 for one that does not."""
    folder = root / FOLDER
    lists = folder / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for name, splits in _LISTS.items():
        listed = [picture for picture in pictures if picture.split in splits]
        _write_lines(lists / f"{name}.txt", [picture.id for picture in listed])
        for shown in CLASSES:
            lines = [f"{picture.id} {1 if shown in picture.things else -1:2d}" for picture in listed]
            _write_lines(lists / f"{shown}_{name}.txt", lines)
    _write_lines(folder / "classes.txt", list(CLASSES))


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
