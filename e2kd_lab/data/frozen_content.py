"""Whether image files are those that a teacher was frozen with, by digests of their content."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e2kd_lab.data.frozen_manifest import read_cache_json
from e2kd_lab.data.images import content_digest, read_all
from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.errors import DataError, RunError
from e2kd_lab.system.paths import readable

SEEN = "images.json"


def first_changed(digests: np.ndarray, paths: Sequence[Path]) -> int | None:
    """The first image whose file has another content than when it was frozen; None if there is none.

    Parameters
    ----------
    digests : ndarray
        uint8, (N, DIGEST_BYTES): `content_digest` of each frozen image; zeros where there is none.
    paths : sequence of Path
        The files, in the same order; those that follow them in the array are not looked at.
    """

    def differs(row: int) -> bool:
        digest = bytes(digests[row])
        return any(digest) and digest != content_digest(paths[row])

    changed = enumerate(read_all(differs, range(len(paths))))
    return next((row for row, differs_here in changed if differs_here), None)


def first_changed_once(folder: Path, digests: np.ndarray, paths: Sequence[Path]) -> int | None:
    """`first_changed`, unless a cache's folder records that files of these sizes and times were found unchanged.

    Reading all of ImageNet takes minutes.
    """
    seen = _stamp(paths)
    with contextlib.suppress(DataError):
        if read_cache_json(folder / SEEN) == seen:
            return None
    row = first_changed(digests, paths)
    if row is None:
        with contextlib.suppress(RunError):  # others' folder: it is read again next time
            write_json(folder / SEEN, seen)
    return row


def _stamp(paths: Sequence[Path]) -> str:
    """Digest of names, sizes and times; that of the last change of state tells files that were moved here, too."""
    digest = hashlib.sha256()
    for path in paths:
        with readable(path, DataError):
            status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n".encode())
    return digest.hexdigest()
