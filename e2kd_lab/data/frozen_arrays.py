"""Arrays of a frozen teacher's cache, and codes in place of one: their files, shapes, types and checksums."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np

from e2kd_lab.data.frozen_manifest import DIGESTS_SINCE
from e2kd_lab.data.frozen_records import Records
from e2kd_lab.data.frozen_spec import FrozenSpec
from e2kd_lab.data.images import DIGEST_BYTES
from e2kd_lab.system.errors import DataError, shown

LOGITS, MAPS, PICTURES = "logits.npy", "maps.npy", "pictures.npy"
# In place of MAPS where maps are coded.
ENDS, CODES = "ends.npy", "maps.bin"


def forms_of(spec: FrozenSpec, count: int, version: int) -> list[tuple[str, tuple[int, ...], str]]:
    """Name, shape and type of each array."""
    forms: list[tuple[str, tuple[int, ...], str]] = [(LOGITS, (count, spec.classes), "float32")]
    forms += [(ENDS, (count,), "uint64") if spec.is_coded else (MAPS, (count, *spec.shape), spec.dtype)]
    return forms + ([(PICTURES, (count, DIGEST_BYTES), "uint8")] if version >= DIGESTS_SINCE else [])


def reserve_arrays(folder: Path, spec: FrozenSpec, count: int, version: int) -> None:
    """Create all arrays, and the file of codes, which grows as they are written."""
    for name, shape, dtype in forms_of(spec, count, version):
        reserve(folder / name, shape, dtype)
    if spec.is_coded:
        (folder / CODES).write_bytes(b"")


def open_arrays(
    folder: Path, spec: FrozenSpec, count: int, version: int, mode: Literal["r", "r+"] = "r"
) -> dict[str, Any]:
    """All arrays by name, and `Records` of codes if there are any."""
    arrays: dict[str, Any] = {
        name: open_array(folder / name, shape, dtype, mode) for name, shape, dtype in forms_of(spec, count, version)
    }
    return arrays | ({CODES: Records(folder / CODES, arrays[ENDS])} if spec.is_coded else {})


def reserve(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Create an array file and reserve its disk space: writing to a memory map on a full disk kills the process."""
    size = 0
    try:
        np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).flush()
        size = path.stat().st_size
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        path.unlink(missing_ok=True)
        size = size or math.prod(shape) * np.dtype(dtype).itemsize
        reason = error.strerror or error
        raise DataError(f"{path} needs {size / 1e9:.2f} GB, which cannot be reserved: {reason}.") from error


def checksum_of(arrays: dict[str, Any], rows: range) -> str:
    """Checksum of some rows of all arrays."""
    digest = hashlib.sha256()
    for name in arrays:
        digest.update(np.ascontiguousarray(arrays[name][rows.start : rows.stop]).tobytes())
    return digest.hexdigest()


def open_array(path: Path, shape: tuple[int, ...], dtype: str, mode: Literal["r", "r+"] = "r") -> np.memmap:
    """Map an array file into memory; one of another shape or type is refused."""
    try:
        array: np.memmap = np.lib.format.open_memmap(path, mode=mode)
    except FileNotFoundError:
        raise DataError(f"{path} is not there; expected the arrays of a frozen teacher.") from None
    except (ValueError, OSError, EOFError, SyntaxError, TokenError, TypeError, OverflowError) as error:
        # NumPy parses the header as Python, which raises many kinds of errors.
        raise DataError(f"{path} is damaged: {error}.") from error
    if array.shape != shape or array.dtype != np.dtype(dtype):
        found = shown(f"{array.dtype} {array.shape}")
        raise DataError(f"{path} holds {found}; expected {dtype} {shape}, as the manifest says.")
    return array
