"""Listing folders: class folders, image files, and entries to skip.

By hand, as torchvision's `find_classes` takes hidden folders for classes and `make_dataset` skips files in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from e2kd_lab.data.images import is_image_file
from e2kd_lab.system.errors import DataError, shown

# Besides names that begin with a dot, such as .ipynb_checkpoints, .DS_Store and ._picture.jpg.
_SYSTEM = {
    *("__macosx", "lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "__pycache__"),
    *("system volume information", "icon\r"),
}


@dataclass
class SkippedEntries:
    """Names of entries that were skipped.

    Attributes
    ----------
    hidden, others : list of str
        Hidden and system entries, and others that are not images.
    """

    hidden: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def sentence(self, root: Path) -> str:
        """A sentence that counts what was skipped below a folder; empty if nothing was."""
        kinds = ((self.hidden, "hidden or system"), (self.others, "other than pictures and their folders"))
        parts = [f"{len(names)} {kind} (such as {shown(names[0])})" for names, kind in kinds if names]
        return f"{root}: skipped entries: {', '.join(parts)}." if parts else ""


def is_system(path: Path) -> bool:
    """Whether an entry is hidden, or one that systems leave beside data."""
    return path.name.startswith(".") or path.name.casefold() in _SYSTEM


def subfolders(folder: Path, skipped: SkippedEntries) -> list[Path]:
    """Subfolders of a folder, sorted; other entries are skipped."""
    return [path for path in _seen(folder.iterdir(), skipped) if path.is_dir() or _skip(path, skipped)]


def image_files_in(folder: Path, skipped: SkippedEntries, *, deep: bool = False) -> list[Path]:
    """Image files of a folder by their extensions, sorted; other entries are skipped.

    Parameters
    ----------
    folder : Path
        The folder.
    skipped : SkippedEntries
        Receives the names of skipped entries.
    deep : bool
        Include subfolders, at any depth.
    """
    found: list[Path] = []
    for path in _seen(folder.iterdir(), skipped):
        if deep and path.is_dir():
            found += image_files_in(path, skipped, deep=True)
        elif is_image_file(path):
            found.append(path)
        else:
            skipped.others.append(path.name)
    return sorted(found)


def require_utf8(path: Path) -> None:
    """Refuse a name that is not UTF-8, in which runs and frozen teachers store names."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise DataError(f"The name of {path} is not UTF-8; expected names of images and classes in UTF-8.") from None


def _seen(paths: Iterable[Path], skipped: SkippedEntries) -> list[Path]:
    """Entries that are not the system's, sorted: the order of file systems differs."""
    paths = sorted(paths)
    skipped.hidden += [path.name for path in paths if is_system(path)]
    return [path for path in paths if not is_system(path)]


def _skip(path: Path, skipped: SkippedEntries) -> bool:
    skipped.others.append(path.name)
    return False
