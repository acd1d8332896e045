"""Writing embedded data sets: several processes draw, and the complete set is renamed into place."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, ClassVar, Generic, TypeVar

from PIL import Image

from e2kd_lab.system.errors import DataError
from e2kd_lab.system.folder_lock import folder_lock
from e2kd_lab.system.paths import expanded

# With fewer pictures, a second process costs more time than it saves.
WORTH_A_PROCESS = 1000

Spec = TypeVar("Spec", bound="SetSpec")
Picture = TypeVar("Picture")


class SetSpec:
    """Base of the dataclasses that say what a set holds; refuses values out of range.

    Attributes
    ----------
    RANGES : mapping of str to (int, int)
        Smallest and largest value of each field; fields are whole numbers, or pairs of them.
    """

    RANGES: ClassVar[Mapping[str, tuple[int, int]]]

    size: int  # of the square pictures, in pixels

    def __post_init__(self) -> None:
        for name, (low, high) in self.RANGES.items():
            value, pair = getattr(self, name), isinstance(getattr(type(self), name), tuple)
            for number in value if pair else (value,):
                if type(number) is not int or not low <= number <= high:
                    kind = "two whole numbers, each" if pair else "a whole number"
                    raise ValueError(
                        f"{type(self).__name__} {name} is {value!r}, expected {kind} from {low} to {high}."
                    )


@dataclass(frozen=True, kw_only=True)
class EmbeddedSet(Generic[Spec, Picture]):
    """How to make one embedded set.

    Its functions are pickled for the drawing processes, so they must be defined in a module.

    Parameters
    ----------
    spec
        What the set holds; the name of its class names the set.
    spec_file
        File in the set that records how it was made.
    version
        Raised whenever the same spec would give other pictures, so that older folders are not reused.
    plan
        All pictures of a spec, in an order that depends on the spec alone.
    paths
        The files of a picture below a root.
    draw
        Draws one picture below a root; its bytes must depend on spec and picture alone.
    finish
        Writes the other files of the set below a root, given all pictures.
    required
        Files or folders without which the set is incomplete.
    """

    spec: Spec
    spec_file: str
    version: int
    plan: Callable[[Spec], Iterable[Picture]]
    paths: Callable[[Path, Picture], Iterable[Path]]
    draw: Callable[[Path, Spec, Picture], None]
    finish: Callable[[Path, list[Picture]], None] | None = None
    required: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the set, for instance "MiniBirds"."""
        return type(self.spec).__name__

    def description(self) -> str:
        """Content of the spec file."""
        values = {"maker": self.name, "version": self.version, "spec": vars(self.spec)}
        return json.dumps(values, indent=2) + "\n"


def save_jpeg(picture: Image.Image, file: Path | BinaryIO) -> None:
    """Save a picture as those of all embedded sets are."""
    picture.save(file, "JPEG", quality=95, subsampling=0)


def make(
    folder: Path | str, embedded: EmbeddedSet[Any, Any], *, workers: int | None = None, overwrite: bool = False
) -> Path:
    """Write an embedded set into a folder, or return at once if the same set is already there.

    The bytes do not depend on the number of workers. The set is written beside `folder` and then renamed, so that an
    interrupted call leaves no incomplete set.

    Parameters
    ----------
    folder
        The folder of the set; parent folders are created as needed.
    embedded
        What to draw, and how.
    workers
        Drawing processes, at least 1; by default one for small sets, else two if there are two cores.
    overwrite
        Delete whatever else is in `folder`.

    Returns
    -------
    Path
        The folder, resolved.

    Raises
    ------
    DataError
        If another process is making a set in `folder`, or it cannot be written.
    FileExistsError
        If `folder` is a file, or holds something else and `overwrite` is false.
    ValueError
        If `workers` is less than 1.
    """
    folder = expanded(folder).resolve()
    if workers is not None and workers < 1:
        raise ValueError(f"The number of workers is {workers}, expected at least 1.")
    if _holds(folder, embedded):
        return folder
    with _write_errors_named(folder, embedded):
        _refuse_foreign(folder, embedded, overwrite)
    pictures = list(embedded.plan(embedded.spec))
    if workers is None:
        workers = min(2, os.cpu_count() or 1) if len(pictures) >= WORTH_A_PROCESS else 1
    with _alone(folder), _write_errors_named(folder, embedded):
        if not _holds(folder, embedded):  # another process may have made the same set meanwhile
            _make(folder, embedded, pictures, workers, overwrite)
    return folder


@contextmanager
def _write_errors_named(folder: Path, embedded: EmbeddedSet[Any, Any]) -> Iterator[None]:
    """Turn an `OSError` into a sentence; a `FileExistsError` already is one."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise DataError(f"{embedded.name} could not be written to {folder}: {error.strerror or error}.") from error


def _make(folder: Path, embedded: EmbeddedSet[Any, Any], pictures: list[Any], workers: int, overwrite: bool) -> None:
    with TemporaryDirectory(prefix=_prefix(folder), dir=folder.parent, ignore_cleanup_errors=True) as temporary:
        root = Path(temporary, "new")
        for directory in sorted({path.parent for picture in pictures for path in embedded.paths(root, picture)}):
            directory.mkdir(parents=True, exist_ok=True)
        _draw(root, folder, embedded, pictures, workers)
        if embedded.finish is not None:
            embedded.finish(root, pictures)
        (root / embedded.spec_file).write_text(embedded.description(), encoding="utf-8")
        _refuse_foreign(folder, embedded, overwrite)
        _replace(folder, root, aside=Path(temporary, "old"))


def _prefix(folder: Path) -> str:
    """How the names of temporary folders begin, in which `folder` is drawn."""
    return f".{folder.name}.partial-"


def _replace(folder: Path, root: Path, aside: Path) -> None:
    """Rename `root` to `folder`. The old folder steps aside first, as a folder with files cannot be replaced."""
    if folder.exists():
        folder.replace(aside)
    try:
        root.replace(folder)
    except OSError:
        if aside.exists():
            aside.replace(folder)
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, and remove what a killed process left beside it."""
    lock = folder.with_name(f".{folder.name}.lock")
    with folder_lock(folder, lock, "making this data set", DataError, wait=lambda: True):
        try:
            for unfinished in folder.parent.glob(f"{glob.escape(_prefix(folder))}*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield
        finally:
            with contextlib.suppress(OSError):  # the disk may have become read-only
                lock.unlink()


def _holds(folder: Path, embedded: EmbeddedSet[Any, Any]) -> bool:
    """Whether `folder` holds this set, complete and of this version."""
    try:
        found = json.loads((folder / embedded.spec_file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return bool(found == json.loads(embedded.description())) and all(
        (folder / name).exists() for name in embedded.required
    )


def _refuse_foreign(folder: Path, embedded: EmbeddedSet[Any, Any], overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, expected a folder for {embedded.name} or a free name.")
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        same = (folder / embedded.spec_file).is_file()
        held = f"a {embedded.name} set of another spec or version" if same else "other files"
        raise FileExistsError(
            f"{folder} holds {held}; expected an empty folder, a free name, or overwrite=True to replace it."
        )


_DRAWING_PROCESS = f"import sys; from {__name__} import draw_share; draw_share(*sys.argv[1:])"


def _draw(root: Path, folder: Path, embedded: EmbeddedSet[Any, Any], pictures: list[Any], workers: int) -> None:
    """Draw all pictures, one share here and the others in child interpreters.

    Unlike process pools, child interpreters do not import the caller's main script again, which may lack a guard, and
    are safe after threads were started.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    children = []
    try:
        for share in range(1, workers):
            arguments = [str(root), str(folder), pickle.dumps(embedded).hex(), str(share), str(workers)]
            command = [sys.executable, "-c", _DRAWING_PROCESS, *arguments]
            child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            children.append((share, child))
        for picture in pictures[::workers]:
            embedded.draw(root, embedded.spec, picture)
        for share, child in children:
            complaint = (child.communicate()[1].strip() or "it said nothing").splitlines()[-1]
            if child.returncode != 0:
                raise DataError(
                    f"Drawing process {share} of {workers} for {folder} ended with status "
                    f"{child.returncode}, expected 0: {complaint}; workers=1 draws without further processes."
                )
    finally:
        for _, child in children:
            with child:  # waits for it
                child.kill()


def draw_share(root: str, folder: str, embedded: str, share: str, shares: str) -> None:
    """Entry point of a drawing process, with its command-line arguments."""
    made: EmbeddedSet[Any, Any] = pickle.loads(bytes.fromhex(embedded))
    maker = os.getppid()
    for picture in list(made.plan(made.spec))[int(share) :: int(shares)]:
        if os.getppid() != maker:  # it was killed: clean up in its place
            with contextlib.suppress(DataError), _alone(Path(folder)):
                return
        try:
            made.draw(Path(root), made.spec, picture)
        except OSError as error:
            sys.exit(error.strerror or str(error))
