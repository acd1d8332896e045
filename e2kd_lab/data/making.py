"""Embedded data sets written to disk: drawn in shares by several processes, put in place once complete."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Below this number of pictures a second process costs more time than it saves.
WORTH_A_PROCESS = 1000

Spec = TypeVar("Spec", bound="DataclassInstance")
Picture = TypeVar("Picture")


def check_whole(spec: DataclassInstance, name: str, low: int, high: int, *, pair: bool = False) -> None:
    """Refuse a field of a spec that is not a whole number, or not a pair of them, in low..high.

    Raises
    ------
    ValueError
        One sentence that names the field, its value and what is expected.
    """
    value = getattr(spec, name)
    for number in value if pair else (value,):
        if type(number) is not int or not low <= number <= high:
            kind = "two whole numbers, each" if pair else "a whole number"
            raise ValueError(f"{type(spec).__name__} {name} is {value!r}, expected {kind} from {low} to {high}.")


@dataclass(frozen=True, kw_only=True)
class Recipe(Generic[Spec, Picture]):
    """How one embedded set is made.

    The functions are those of a module, because the drawing processes find them by name.

    Parameters
    ----------
    spec
        What the set holds; the name of its class names the set.
    spec_file
        Name of the file in the set that tells how it was made.
    version
        Raised whenever the same spec would give other pictures than before, so that old folders are not reused.
    plan
        All pictures of a spec, in an order that depends on the spec alone.
    paths
        The files that a picture fills below a root.
    draw
        Draws one picture below a root; its bytes must depend on spec and picture alone.
    finish
        Writes below a root what else the set holds, from all its pictures.
    marks
        Files or folders in the set, without which it counts as incomplete.
    """

    spec: Spec
    spec_file: str
    version: int
    plan: Callable[[Spec], Iterable[Picture]]
    paths: Callable[[Path, Picture], Iterable[Path]]
    draw: Callable[[Path, Spec, Picture], None]
    finish: Callable[[Path, list[Picture]], None] | None = None
    marks: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the set, for instance "MiniBirds"."""
        return type(self.spec).__name__

    def description(self) -> str:
        """Contents of the spec file."""
        values = {"maker": self.name, "version": self.version, "spec": asdict(self.spec)}
        return json.dumps(values, indent=2) + "\n"


def make(folder: Path | str, recipe: Recipe[Any, Any], *, workers: int | None = None, overwrite: bool = False) -> Path:
    """Write an embedded set into a folder, or return at once if the same set is there already.

    The same recipe gives the same bytes for any number of workers. All is written next to `folder` first and
    then renamed, so an interrupted call leaves no incomplete set behind.

    Parameters
    ----------
    folder
        Where the set goes; its parent folders are created as needed.
    recipe
        What is drawn, and how.
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
    if _holds(folder, recipe):
        return folder
    _refuse_foreign(folder, recipe, overwrite)
    pictures = list(recipe.plan(recipe.spec))
    if workers is None:
        workers = min(2, os.cpu_count() or 1) if len(pictures) >= WORTH_A_PROCESS else 1
    folder.parent.mkdir(parents=True, exist_ok=True)
    root = folder.with_name(f".{folder.name}.partial-{uuid.uuid4().hex[:12]}")
    try:
        for directory in sorted({path.parent for picture in pictures for path in recipe.paths(root, picture)}):
            directory.mkdir(parents=True, exist_ok=True)
        _draw(root, recipe, pictures, workers)
        if recipe.finish is not None:
            recipe.finish(root, pictures)
        (root / recipe.spec_file).write_text(recipe.description(), encoding="utf-8")
        _move_into_place(root, folder, recipe, overwrite)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return folder


def _holds(folder: Path, recipe: Recipe[Any, Any]) -> bool:
    """Whether `folder` holds the set of this recipe, made by this version."""
    try:
        found = json.loads((folder / recipe.spec_file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == json.loads(recipe.description())) and all((folder / mark).exists() for mark in recipe.marks)


def _refuse_foreign(folder: Path, recipe: Recipe[Any, Any], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, expected a folder for {recipe.name} or a free name.")
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        same = (folder / recipe.spec_file).is_file()
        held = f"a {recipe.name} set of another spec or version" if same else "other files"
        raise FileExistsError(
            f"{folder} holds {held}; expected an empty folder, a free name, or overwrite=True to replace it."
        )


def _move_into_place(root: Path, folder: Path, recipe: Recipe[Any, Any], overwrite: bool) -> None:
    if _holds(folder, recipe):  # another process was faster with the same set
        return
    _refuse_foreign(folder, recipe, overwrite)
    if not folder.exists():
        root.replace(folder)
        return
    # A rename onto a folder that is not empty fails, so the old one steps aside first.
    old = root.with_name(root.name + "-old")
    folder.replace(old)
    try:
        root.replace(folder)
    except OSError:
        old.replace(folder)
        raise
    shutil.rmtree(old)


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


def _draw(root: Path, recipe: Recipe[Any, Any], pictures: list[Any], workers: int) -> None:
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
                pickle.dumps(recipe).hex(),
                str(share),
                str(workers),
            ]
            child = subprocess.Popen([sys.executable, "-c", _DRAWING_PROCESS, *arguments], env=environment)
            children.append((share, child))
        for picture in pictures[::workers]:
            recipe.draw(root, recipe.spec, picture)
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


def _draw_share(root: str, recipe: str, share: str, shares: str) -> None:
    """Entry point of a drawing process; the arguments are those of its command line."""
    made: Recipe[Any, Any] = pickle.loads(bytes.fromhex(recipe))
    maker = os.getppid()
    for picture in list(made.plan(made.spec))[int(share) :: int(shares)]:
        if os.getppid() != maker:  # it was killed, and nobody else will clear up
            shutil.rmtree(root, ignore_errors=True)
            return
        made.draw(Path(root), made.spec, picture)


@dataclass(frozen=True, kw_only=True)
class ImageNetLayout:
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
        If a value is outside its range; the sentence names the field, the value and what is expected.
    """

    size: int = 64
    train: int = 250
    val: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(self, "size", 16, 1024)
        check_whole(self, "train", 1, 1_000_000)
        check_whole(self, "val", 1, 1_000_000)
        check_whole(self, "seed", 0, 2**32 - 1)


class _Drawing(NamedTuple):
    """One image of a set in the ImageNet layout and the key of its own random stream."""

    filename: str
    shown: str
    key: tuple[int, ...]


# Draws one picture of a class: name of the class, side in pixels, random stream.
Painter = Callable[[str, int, np.random.Generator], Image.Image]


def imagenet_recipe(
    spec: ImageNetLayout, version: int, classes: Iterable[str], painter: Painter
) -> Recipe[ImageNetLayout, _Drawing]:
    """Recipe of a set in the ImageNet layout.

    A picture depends on the seed, its split, class and number alone: a larger set of the same seed holds the
    pictures of a smaller one.

    Parameters
    ----------
    spec
        Image size, counts and seed.
    version
        See `Recipe`.
    classes
        Names of the classes, which are the names of their folders, in an order that never changes.
    painter
        Draws one picture of a class.
    """
    names = tuple(classes)
    return Recipe(
        spec=spec,
        spec_file=f"{type(spec).__name__.lower()}.json",
        version=version,
        plan=partial(_plan_folders, names),
        paths=_path_in_folders,
        draw=partial(_draw_in_folders, painter),
        marks=tuple(f"{split}/{name}" for split in ("train", "val") for name in names),
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
    picture.save(root / drawing.filename, format="JPEG", quality=95, subsampling=0)
