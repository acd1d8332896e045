"""Embedded data sets written to disk: drawn in shares by several processes, put in place once complete."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import pickle
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from e2kd_lab.system.errors import DataError
from e2kd_lab.system.folder_lock import folder_lock
from e2kd_lab.system.paths import expanded

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
class EmbeddedSet(Generic[Spec, Picture]):
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


def make(
    folder: Path | str, embedded: EmbeddedSet[Any, Any], *, workers: int | None = None, overwrite: bool = False
) -> Path:
    """Write an embedded set into a folder, or return at once if the same set is there already.

    The same set gives the same bytes for any number of workers. All is written next to `folder` first and
    then renamed, so an interrupted call leaves no incomplete set behind.

    Parameters
    ----------
    folder
        Where the set goes; its parent folders are created as needed.
    embedded
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
    DataError
        If another process is making a set in this place, or it cannot be written to.
    FileExistsError
        If `folder` holds something other than this set and `overwrite` is false, or is a file.
    ValueError
        If `workers` is less than 1.
    """
    folder = expanded(folder).resolve()
    if workers is not None and workers < 1:
        raise ValueError(f"The number of workers is {workers}, expected at least 1.")
    if _holds(folder, embedded):
        return folder
    with _explained(folder, embedded):
        _refuse_foreign(folder, embedded, overwrite)
    pictures = list(embedded.plan(embedded.spec))
    if workers is None:
        workers = min(2, os.cpu_count() or 1) if len(pictures) >= WORTH_A_PROCESS else 1
    with _alone(folder), _explained(folder, embedded):
        if not _holds(folder, embedded):  # another process may have been faster with the same set
            _make(folder, embedded, pictures, workers, overwrite)
    return folder


@contextlib.contextmanager
def _explained(folder: Path, embedded: EmbeddedSet[Any, Any]) -> Iterator[None]:
    """A sentence in place of the system's refusal to write; that a folder is another's has its own."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise DataError(f"{embedded.name} could not be written to {folder}: {error.strerror or error}.") from error


def _make(folder: Path, embedded: EmbeddedSet[Any, Any], pictures: list[Any], workers: int, overwrite: bool) -> None:
    root = folder.with_name(f"{_beside(folder)}{uuid.uuid4().hex[:12]}")
    try:
        for directory in sorted({path.parent for picture in pictures for path in embedded.paths(root, picture)}):
            directory.mkdir(parents=True, exist_ok=True)
        _draw(root, embedded, pictures, workers)
        if embedded.finish is not None:
            embedded.finish(root, pictures)
        (root / embedded.spec_file).write_text(embedded.description(), encoding="utf-8")
        _move_into_place(root, folder, embedded, overwrite)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _beside(folder: Path) -> str:
    """How the names of the folders begin that are written before they become `folder`."""
    return f".{folder.name}.partial-"


def _place_of(root: Path) -> Path:
    """What `root`, a folder named by `_beside`, is going to become."""
    return root.with_name(root.name[1:].rpartition(".partial-")[0])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from making `folder`, and clear away what a killed one left beside it."""
    lock = folder.with_name(f".{folder.name}.lock")
    with folder_lock(folder, lock, "making this data set", DataError):
        try:
            for unfinished in folder.parent.glob(f"{glob.escape(_beside(folder))}*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield
        finally:
            with contextlib.suppress(OSError):  # of a disk that has become read-only
                lock.unlink()


def _holds(folder: Path, embedded: EmbeddedSet[Any, Any]) -> bool:
    """Whether `folder` holds the set of this embedded, made by this version."""
    try:
        found = json.loads((folder / embedded.spec_file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return bool(found == json.loads(embedded.description())) and all(
        (folder / mark).exists() for mark in embedded.marks
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


def _move_into_place(root: Path, folder: Path, embedded: EmbeddedSet[Any, Any], overwrite: bool) -> None:
    _refuse_foreign(folder, embedded, overwrite)
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


_DRAWING_PROCESS = f"import sys; from {__name__} import draw_share; draw_share(*sys.argv[1:])"


def _draw(root: Path, embedded: EmbeddedSet[Any, Any], pictures: list[Any], workers: int) -> None:
    """Draw all pictures, one share here and the others in child interpreters.

    Plain child interpreters do not import the caller's main script again as process pools do, so this works
    the same from scripts, notebooks and tests, and safely after threads were started.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
    children = []
    try:
        for share in range(1, workers):
            arguments = [str(root), pickle.dumps(embedded).hex(), str(share), str(workers)]
            command = [sys.executable, "-c", _DRAWING_PROCESS, *arguments]
            child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            children.append((share, child))
        for picture in pictures[::workers]:
            embedded.draw(root, embedded.spec, picture)
        for share, child in children:
            complaint = (child.communicate()[1].strip() or "it said nothing").splitlines()[-1]
            if child.returncode != 0:
                raise DataError(
                    f"Drawing process {share} of {workers} for {_place_of(root)} ended with status "
                    f"{child.returncode}, expected 0: {complaint}; workers=1 draws without further processes."
                )
    finally:
        for _, child in children:
            with child:  # waits for it
                child.kill()


def draw_share(root: str, embedded: str, share: str, shares: str) -> None:
    """Entry point of a drawing process; the arguments are those of its command line."""
    made: EmbeddedSet[Any, Any] = pickle.loads(bytes.fromhex(embedded))
    maker = os.getppid()
    for picture in list(made.plan(made.spec))[int(share) :: int(shares)]:
        if os.getppid() != maker:  # it was killed, and perhaps nobody else will clear up
            with contextlib.suppress(DataError), _alone(_place_of(Path(root))):
                return
        try:
            made.draw(Path(root), made.spec, picture)
        except OSError as error:
            sys.exit(error.strerror or str(error))
