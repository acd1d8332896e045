"""Rights of an ordinary user: tests of what may not be read or written run as root, too, who may do anything."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def ordinary_rights():
    """Lack root's rights inside the block; an ordinary user lacks them anyway."""
    if not hasattr(os, "geteuid"):
        pytest.skip("files have no owners here: who may not read them is not tested")
    if os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    try:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    except OSError:
        os.setegid(group)
        pytest.skip("root may not become another user here, and may read and write everything")
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


@contextmanager
def open_folder():
    """A new folder that everybody may read, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="e2kd-lab-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def denied(path, mode=0):
    """Take rights to a file or folder away, all of them by default, and have `ordinary_rights` inside the block."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        with ordinary_rights():
            yield
    finally:
        path.chmod(before)
