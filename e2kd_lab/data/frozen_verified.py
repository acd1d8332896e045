"""Caches of frozen teachers whose checksums are verified once, and again after each change."""

from __future__ import annotations

import contextlib
from pathlib import Path

from e2kd_lab.data.frozen import FrozenTeacher
from e2kd_lab.data.frozen_arrays import CODES, ENDS, LOGITS, MAPS, PICTURES
from e2kd_lab.data.frozen_manifest import MANIFEST, read_cache_json
from e2kd_lab.system.atomic_write import write_json
from e2kd_lab.system.errors import DataError, RunError

VERIFIED = "verified.json"


def verified_once(folder: Path | str, *, teacher: str | None = None, data: str | None = None) -> FrozenTeacher:
    """Open a cache, and verify its checksums unless that was done before: for ImageNet it may take an hour.

    The folder records sizes and times of the verified files. Verification is repeated if they have changed, or if the
    folder cannot be written to.

    Parameters
    ----------
    folder, teacher, data
        See `FrozenTeacher`, also for errors.
    """
    folder = Path(folder)
    stamps = _stamps(folder)
    known = _was_verified(folder, stamps)
    cache = FrozenTeacher(folder, teacher=teacher, data=data, verify=not known)
    if not known:
        with contextlib.suppress(RunError):
            write_json(folder / VERIFIED, stamps)
    return cache


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Size and modification time of each checksummed file that exists."""
    stamps = {}
    for name in (MANIFEST, LOGITS, MAPS, ENDS, CODES, PICTURES):
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            stamps[name] = [status.st_size, status.st_mtime_ns]
    return stamps


def _was_verified(folder: Path, stamps: dict[str, list[int]]) -> bool:
    try:
        return read_cache_json(folder / VERIFIED) == stamps
    except DataError:
        return False
