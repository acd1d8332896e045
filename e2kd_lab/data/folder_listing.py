"""Listing folders: class folders, image files, and entries to skip.

By hand, as torchvision's `find_classes` takes hidden folders for classes and `make_dataset` skips files in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from e2kd_lab.data.findings import Findings
from e2kd_lab.data.images import is_image_file
from e2kd_lab.system.errors import DataError

# Besides names that begin with a dot, such as .ipynb_checkpoints, .DS_Store and ._picture.jpg.
_SYSTEM = {
    *("__macosx", "lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "__pycache__"),
    *("system volume information", "icon\r"),
}
HIDDEN, OTHERS = "hidden or system entries", "entries other than pictures and their folders"
DANGLING, LOOPS = "links that lead nowhere", "links back to a folder above"


def is_system(path: Path) -> bool:
    """Whether an entry is hidden, or one that systems leave beside data."""
    return path.name.startswith(".") or path.name.casefold() in _SYSTEM


def subfolders(folder: Path, findings: Findings) -> list[Path]:
    """Subfolders of a folder, sorted; other entries are skipped.

    Raises
    ------
    DataError
        If a link without an image's extension leads nowhere: it may have been a class.
    """
    found: list[Path] = []
    for path in _seen(folder, findings):
        if path.is_dir():
            if _leads_back(path.resolve(), (folder.resolve(),)):
                findings.add("skipped", LOOPS, path.name)
            else:
                found.append(path)
        elif is_dangling(path) and not is_image_file(path):
            raise DataError(f"{path} is a link that leads nowhere; expected a folder. Mend the link, or remove it.")
        else:
            findings.add("skipped", DANGLING if is_dangling(path) else OTHERS, path.name)
    return found


def image_files_in(folder: Path, findings: Findings, *, deep: bool = False) -> list[Path]:
    """Image files of a folder by their extensions, sorted; other entries are skipped.

    Parameters
    ----------
    folder : Path
        The folder.
    findings : Findings
        Receives what was skipped.
    deep : bool
        Include subfolders, at any depth.
    """
    return sorted(_images(folder, findings, deep, ()))


def class_folders(
    folder: Path, findings: Findings, *, deep: bool = False, empty: bool = False
) -> dict[str, list[Path]]:
    """Image files by class, from a folder with one subfolder per class; both sorted.

    Parameters
    ----------
    folder : Path
        The folder.
    findings : Findings
        Receives what was skipped.
    deep : bool
        Include subfolders of a class, at any depth.
    empty : bool
        Accept classes without images.

    Raises
    ------
    DataError
        If the folder is missing or has no classes, a class is empty and ``empty`` is false, or a name is not UTF-8.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not there; expected it to hold one folder per class.")
    found = {}
    for label in subfolders(folder, findings):
        found[label.name] = image_files_in(label, findings, deep=deep)
        if not (found[label.name] or empty):
            raise DataError(f"{label} holds no images; expected JPEG, PNG or other pictures.")
        for path in (label, *found[label.name]):
            require_utf8(path)
    if not found:
        flat = sum(is_image_file(path) for path in folder.iterdir())
        beside = f" but {flat} pictures" if flat else ""
        raise DataError(f"{folder} holds no class folders{beside}; expected one per class, with its pictures in it.")
    return found


def require_utf8(path: Path) -> None:
    """Refuse a name that is not UTF-8, in which runs and frozen teachers store names."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise DataError(f"The name of {path} is not UTF-8; expected names of images and classes in UTF-8.") from None


def is_dangling(path: Path) -> bool:
    """Whether a path is a link to nothing, or to itself."""
    return path.is_symlink() and not path.exists()


def _images(folder: Path, findings: Findings, deep: bool, above: tuple[Path, ...]) -> Iterator[Path]:
    above = (*above, folder.resolve())
    for path in _seen(folder, findings):
        if is_dangling(path):
            findings.add("skipped", DANGLING, path.name)
        elif deep and path.is_dir():
            if _leads_back(path.resolve(), above):
                findings.add("skipped", LOOPS, path.name)
            else:
                yield from _images(path, findings, deep, above)
        elif is_image_file(path):
            yield path
        else:
            findings.add("skipped", OTHERS, path.name)


def _leads_back(target: Path, above: tuple[Path, ...]) -> bool:
    return target in above or above[-1].is_relative_to(target)


def _seen(folder: Path, findings: Findings) -> Iterator[Path]:
    """Entries that are not the system's, sorted: the order of file systems differs."""
    for path in sorted(folder.iterdir()):
        if is_system(path):
            findings.add("skipped", HIDDEN, path.name)
        else:
            yield path
