"""Looking through folders: which of their entries are pictures, and what is left aside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from e2kd_lab.data.images import is_picture
from e2kd_lab.system.errors import DataError, shown

# Beside everything whose name begins with a dot, such as .ipynb_checkpoints, .DS_Store and ._picture.jpg.
_SYSTEM = {
    *("__macosx", "lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "__pycache__"),
    *("system volume information", "icon\r"),
}


@dataclass
class LeftAside:
    """What a walk through folders did not take for data, counted.

    Attributes
    ----------
    hidden, others : list of str
        Names of hidden and system entries, and of files that are no pictures.
    """

    hidden: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def sentence(self, root: Path) -> str:
        """What was skipped below a folder, in a sentence; empty if nothing was."""
        kinds = ((self.hidden, "hidden or system"), (self.others, "other than pictures and their folders"))
        parts = [f"{len(names)} {kind} (such as {shown(names[0])})" for names, kind in kinds if names]
        return f"{root}: skipped entries: {', '.join(parts)}." if parts else ""


def is_system(path: Path) -> bool:
    """Whether programs and systems leave such entries beside data: hidden ones, and a few others."""
    return path.name.startswith(".") or path.name.casefold() in _SYSTEM


def folders_in(folder: Path, aside: LeftAside) -> list[Path]:
    """The folders directly in a folder, sorted; the other entries are left aside."""
    return [path for path in _seen(folder.iterdir(), aside) if path.is_dir() or _aside(path, aside)]


def pictures_in(folder: Path, aside: LeftAside, *, deep: bool = False) -> list[Path]:
    """The pictures in a folder by the endings of their names, sorted; the other entries are left aside.

    Parameters
    ----------
    folder : Path
        Where to look.
    aside : LeftAside
        Receives what is no picture.
    deep : bool
        Look into folders below it, too; else they are left aside.
    """
    found: list[Path] = []
    for path in _seen(folder.iterdir(), aside):
        if deep and path.is_dir():
            found += pictures_in(path, aside, deep=True)
        elif is_picture(path):
            found.append(path)
        else:
            aside.others.append(path.name)
    return sorted(found)


def require_utf8(path: Path) -> None:
    """Refuse a name that is not UTF-8: lists of names are kept with runs and with frozen teachers, as UTF-8."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise DataError(f"The name of {path} is not UTF-8; expected names of images and classes in UTF-8.") from None


def _seen(paths: Iterable[Path], aside: LeftAside) -> list[Path]:
    """The entries that are no system's, sorted, because file systems list them in an order of their own."""
    paths = sorted(paths)
    aside.hidden += [path.name for path in paths if is_system(path)]
    return [path for path in paths if not is_system(path)]


def _aside(path: Path, aside: LeftAside) -> bool:
    aside.others.append(path.name)
    return False
