"""MiniBirds: a small procedural Waterbirds-100 written to disk in the Waterbirds layout."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from e2kd_lab.data.bird_drawing import LANDBIRDS, WATERBIRDS, draw_picture
from e2kd_lab.data.place_drawing import LAND_TEXTURES, WATER_TEXTURES

# Raised whenever the same spec would give other pictures than before, so that old folders are not reused.
VERSION = 1
SPEC_FILE = "minibirds.json"
BIASED = "waterbird_1.0_forest2water2"
UNBIASED = "teacher/waterbird_0.5_forest2water2"
COLUMNS = ("img_id", "img_filename", "y", "split", "place", "place_filename")

# Below this number of pictures a second process costs more time than it saves.
WORTH_A_PROCESS = 1000


@dataclass(frozen=True, kw_only=True)
class MiniBirds:
    """What a MiniBirds set holds.

    Parameters
    ----------
    size
        Side of the square images in pixels, 16 to 1024.
    train
        Number of training images of landbirds on land and of waterbirds on water, each at least 1; the
        default is 2.3 to 1 as in Waterbirds-100.
    val, test
        Number of images in each of the four groups of the validation and of the test split, at least 1.
    teacher
        Number of training images in each of the four groups of the unbiased teacher set, at least 1.
    seed
        Seed of all pictures, 0 or more.

    Raises
    ------
    ValueError
        If a value is outside its range; the sentence names the field, the value and what is expected.
    """

    size: int = 64
    train: tuple[int, int] = (1115, 485)
    val: int = 60
    test: int = 150
    teacher: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.train, (tuple, list)) or len(self.train) != 2:
            raise ValueError(f"MiniBirds train is {self.train!r}, expected two counts: landbirds, waterbirds.")
        object.__setattr__(self, "train", tuple(self.train))
        for name, low, high in (
            ("size", 16, 1024),
            ("train", 1, 1_000_000),
            ("val", 1, 1_000_000),
            ("test", 1, 1_000_000),
            ("teacher", 1, 1_000_000),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            for number in value if name == "train" else (value,):
                if type(number) is not int or not low <= number <= high:
                    kind = "two whole numbers, each" if name == "train" else "a whole number"
                    raise ValueError(f"MiniBirds {name} is {value!r}, expected {kind} from {low} to {high}.")


class _Picture(NamedTuple):
    """One image to draw: where it goes, what it shows and the key of its own random stream."""

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
    """Write a MiniBirds set into a folder, or return at once if the same set is there already.

    The set holds `waterbird_1.0_forest2water2/` (training images with landbirds on land and waterbirds on
    water only, balanced validation and test splits), `segmentations/` (8-bit soft masks of its birds, 255 on
    the bird) and `teacher/` with the same two folders for an unbiased set, `waterbird_0.5_forest2water2`. The
    same spec gives the same bytes for any number of workers. All is written next to `folder` first and then
    renamed, so an interrupted call leaves no incomplete set behind.

    Parameters
    ----------
    folder
        Where the set goes; its parent folders are created as needed.
    spec
        Image size, counts and seed.
    workers
        Number of processes that draw, at least 1; by default one for small sets, else two if there are two
        cores.
    overwrite
        Whether anything else in `folder`, whatever it is, may be deleted and replaced.

    Returns
    -------
    Path
        The folder, resolved.

    Raises
    ------
    FileExistsError
        If `folder` holds something other than this set and `overwrite` is false, or is a file.
    ValueError
        If `workers` is less than 1.
    """
    folder = Path(folder).expanduser().resolve()
    if workers is not None and workers < 1:
        raise ValueError(f"The number of workers is {workers}, expected at least 1.")
    if _holds(folder, spec):
        return folder
    _refuse_foreign(folder, overwrite)
    pictures = list(_plan(spec))
    if workers is None:
        workers = min(2, os.cpu_count() or 1) if len(pictures) >= WORTH_A_PROCESS else 1
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial-{uuid.uuid4().hex[:12]}")
    try:
        for directory in sorted({path.parent for picture in pictures for path in _paths(partial, picture)}):
            directory.mkdir(parents=True, exist_ok=True)
        _draw(partial, spec, pictures, workers)
        for collection in (BIASED, UNBIASED):
            _write_metadata(partial / collection, [p for p in pictures if p.collection == collection])
        (partial / SPEC_FILE).write_text(json.dumps(_description(spec), indent=2) + "\n", encoding="utf-8")
        _move_into_place(partial, folder, spec, overwrite)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _description(spec: MiniBirds) -> dict[str, object]:
    values = {**asdict(spec), "train": list(spec.train)}
    return {"maker": "MiniBirds", "version": VERSION, "spec": values}


def _holds(folder: Path, spec: MiniBirds) -> bool:
    """Whether `folder` holds the set of this spec, made by this version."""
    try:
        found = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    metadata = (folder / collection / "metadata.csv" for collection in (BIASED, UNBIASED))
    return bool(found == _description(spec)) and all(path.is_file() for path in metadata)


def _refuse_foreign(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, expected a folder for MiniBirds or a free name.")
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        held = "a MiniBirds set of another spec or version" if (folder / SPEC_FILE).is_file() else "other files"
        raise FileExistsError(
            f"{folder} holds {held}; expected an empty folder, a free name, or overwrite=True to replace it."
        )


def _move_into_place(partial: Path, folder: Path, spec: MiniBirds, overwrite: bool) -> None:
    if _holds(folder, spec):  # another process was faster with the same set
        return
    _refuse_foreign(folder, overwrite)
    if not folder.exists():
        partial.replace(folder)
        return
    # A rename onto a folder that is not empty fails, so the old one steps aside first.
    old = partial.with_name(partial.name + "-old")
    folder.replace(old)
    try:
        partial.replace(folder)
    except OSError:
        old.replace(folder)
        raise
    shutil.rmtree(old)


def _plan(spec: MiniBirds) -> Iterator[_Picture]:
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
            yield _Picture(collection, filename, species, y, split, place, texture, key)


def _paths(root: Path, picture: _Picture) -> tuple[Path, Path]:
    """Image and mask of a picture."""
    collection = root / picture.collection
    mask = collection.parent / "segmentations" / picture.filename
    return collection / picture.filename, mask.with_suffix(".png")


# Bare packages in place of the real ones spare a drawing process all that the real ones import, deep learning
# libraries among it, which would take longer than the drawing.
_DRAWING_PROCESS = f"""
import json, sys, types
for name, folder in json.loads(sys.argv[1]).items():
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from {__name__} import _draw_share
_draw_share(*sys.argv[2:])
"""


def _parent_packages() -> dict[str, str]:
    """Folders of the packages this module lies in, outermost first."""
    names = __name__.split(".")[:-1]
    folders = list(Path(__file__).parents)[: len(names)][::-1]
    return {".".join(names[: depth + 1]): str(folder) for depth, folder in enumerate(folders)}


def _draw(root: Path, spec: MiniBirds, pictures: list[_Picture], workers: int) -> None:
    """Draw all pictures, one share here and the others in child interpreters.

    Plain child interpreters do not import the caller's main script again as process pools do, so this works
    the same from scripts, notebooks and tests, and safely after threads were started.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    children = []
    try:
        for share in range(1, workers):
            arguments = [
                json.dumps(_parent_packages()),
                str(root),
                json.dumps(asdict(spec)),
                str(share),
                str(workers),
            ]
            child = subprocess.Popen([sys.executable, "-c", _DRAWING_PROCESS, *arguments], env=environment)
            children.append((share, child))
        for picture in pictures[::workers]:
            _draw_picture(root, spec, picture)
        for share, child in children:
            if child.wait() != 0:
                raise RuntimeError(
                    f"Drawing process {share} of {workers} for {root} ended with status {child.returncode}, "
                    "expected 0; workers=1 draws all pictures without further processes."
                )
    finally:
        for _, child in children:
            if child.poll() is None:
                child.kill()
                child.wait()


def _draw_share(root: str, spec: str, share: str, shares: str) -> None:
    """Entry point of a drawing process; the arguments are those of its command line."""
    made = MiniBirds(**json.loads(spec))
    for picture in list(_plan(made))[int(share) :: int(shares)]:
        _draw_picture(Path(root), made, picture)


def _draw_picture(root: Path, spec: MiniBirds, picture: _Picture) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(picture.key))
    species = (LANDBIRDS, WATERBIRDS)[picture.y][picture.species]
    texture = (LAND_TEXTURES, WATER_TEXTURES)[picture.place][picture.texture]
    image, mask = draw_picture(species, texture, spec.size, rng)
    image_path, mask_path = _paths(root, picture)
    image.save(image_path, quality=95, subsampling=0)
    mask.save(mask_path, compress_level=1)


def _write_metadata(folder: Path, pictures: list[_Picture]) -> None:
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, picture in enumerate(sorted(pictures, key=lambda p: p.filename), start=1):
            scene = f"/{'water' if picture.place else 'land'}/{picture.texture}/{number:08d}.jpg"
            writer.writerow((number, picture.filename, picture.y, picture.split, picture.place, scene))
