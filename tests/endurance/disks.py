"""Disks that fill up or become read-only on demand, for one process."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_MB = 24


class SmallDisk:
    """A tmpfs mounted at a folder; the process needs a mount namespace of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast, self._views = folder, folder / "ballast", 0
        self.spoilt_before = False
        folder.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder))

    def spoil(self, trouble: str, leaving: int = 0) -> None:
        """Fill the disk but for some bytes (``full``), or make it read-only (``locked``)."""
        self.spoilt_before = True
        if trouble == "locked":
            # A read-only bind mount over the folder: the disk itself cannot become read-only while a lock file is open.
            _mount("--bind", str(self.folder), str(self.folder))
            _mount("-o", "remount,bind,ro", str(self.folder))
            self._views += 1
            return
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1):  # a write that does not fit may be partial
                with contextlib.suppress(OSError):
                    for _ in range(SIZE_MB << 20):
                        file.write(bytes(size))
            assert os.statvfs(self.folder).f_bavail == 0
            file.truncate(file.tell() - leaving)

    def repair(self) -> None:
        """Undo `spoil`."""
        for _ in range(self._views):
            _unmount(self.folder)
        self._views = 0
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount."""
        self.repair()
        _unmount(self.folder)


class LimitedDisk:
    """Stand-in without mounting: a limit on the size of files, which fails with EFBIG in place of ENOSPC."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.spoilt_before = folder, False
        folder.mkdir(parents=True, exist_ok=True)
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def spoil(self, trouble: str, leaving: int = 0) -> None:
        """Limit the size of files."""
        self.spoilt_before = True
        assert trouble == "full"
        resource.setrlimit(resource.RLIMIT_FSIZE, (leaving, self._limits[1]))

    def repair(self) -> None:
        """Undo `spoil`."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    def close(self) -> None:
        """Undo `spoil`."""
        self.repair()


@contextlib.contextmanager
def disk_of(kind: str, folder: Path) -> Iterator[SmallDisk | LimitedDisk]:
    """A disk at a folder, of kind ``mounted`` or ``limited``."""
    disk = SmallDisk(folder) if kind == "mounted" else LimitedDisk(folder)
    try:
        yield disk
    finally:
        disk.close()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
