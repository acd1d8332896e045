"""On-disk cache of a frozen teacher's logits and explanations of a training set (Sec. 3.3, 4.4).

A cache is a folder with memory-mapped arrays, one row per image, and a manifest that binds them to the teacher, the
images and the view: each whole image, resized to a square. It is written in chunks with checksums, so that a killed
writer can resume, and is refused for any other teacher or data set.

See `e2kd_lab.data.frozen_spec` for the content of a row, `e2kd_lab.data.frozen_images` for training on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.data.frozen_spec import FrozenSpec, stored_form
from e2kd_lab.system.atomic_write import remove_unfinished, write_json
from e2kd_lab.system.errors import DataError, RunError, shown
from e2kd_lab.system.json_files import read_json

MANIFEST, LOGITS, MAPS, FILES, LOCK = "manifest.json", "logits.npy", "maps.npy", "files.json", ".lock"
VERIFIED = "verified.json"
VERSION = 1


class FrozenWriter:
    """Writes a cache chunk by chunk; a new writer on the same folder resumes after the last complete chunk.

    Only one writer may work on a folder at a time.

    Parameters
    ----------
    folder : Path
        The cache.
    spec : FrozenSpec
        Content of the cache.
    files : sequence of str
        Paths of the images in the data set, in the order of the rows.
    chunk : int
        Images per checksum.

    Raises
    ------
    DataError
        If the folder holds another cache or cannot be written to, or the disk lacks space for the whole cache.
    """

    def __init__(self, folder: Path, spec: FrozenSpec, files: Sequence[str], *, chunk: int = 256) -> None:
        self.folder, self.spec, self.files, self.chunk = folder, spec, list(files), chunk
        self.checksums: list[str] = []
        try:
            self._opened = self._open_arrays()
        except OSError as error:
            raise DataError(f"{folder} cannot be written to: {error.strerror or error}.") from error
        # A power failure may lose a chunk after its checksum was written.
        for number, checksum in enumerate(self.checksums):
            if _checksum(self._opened, self._rows(number)) != checksum:
                self.checksums = self.checksums[:number]
                break

    def _open_arrays(self) -> dict[str, np.memmap]:
        folder = self.folder
        if (folder / MANIFEST).is_file():
            known = _read_manifest(folder)
            if known["spec"] != asdict(self.spec) or known["files"] != _digest_of_names(self.files):
                raise DataError(
                    f"{folder} holds another frozen teacher; expected an empty folder, or this one's cache."
                )
            self.chunk, self.checksums = int(known["chunk"]), list(known["checksums"])
            remove_unfinished(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(folder)
            for name, shape, dtype in _forms(self.spec, len(self.files)):
                _reserve(folder / name, shape, dtype)
            write_json(folder / FILES, self.files)
            self._write_manifest()
        forms = _forms(self.spec, len(self.files))
        return {name: _open(folder / name, shape, dtype, "r+") for name, shape, dtype in forms}

    def missing(self) -> Iterator[range]:
        """Rows still to write, chunk by chunk."""
        for number in range(len(self.checksums), -(-len(self.files) // self.chunk)):
            yield self._rows(number)

    def write(self, rows: range, logits: Tensor, maps: Tensor) -> None:
        """Store a chunk: logits (n, K) and maps (n, C, view, view) in float32."""
        self._opened[LOGITS][rows.start : rows.stop] = logits.float().cpu().numpy()
        self._opened[MAPS][rows.start : rows.stop] = stored_form(maps, self.spec)
        for array in self._opened.values():
            array.flush()
        self.checksums.append(_checksum(self._opened, rows))
        self._write_manifest()

    def _rows(self, number: int) -> range:
        return range(number * self.chunk, min((number + 1) * self.chunk, len(self.files)))

    def _write_manifest(self) -> None:
        write_json(
            self.folder / MANIFEST,
            {
                "version": VERSION,
                "spec": asdict(self.spec),
                "files": _digest_of_names(self.files),
                "count": len(self.files),
                "chunk": self.chunk,
                "checksums": self.checksums,
            },
        )


class FrozenTeacher:
    """A complete cache, opened for reading.

    Parameters
    ----------
    folder : Path
        The cache.
    teacher, data : str, optional
        Fingerprints that the cache must have.
    verify : bool
        Verify all checksums, which reads the whole cache (see `verified_once`).

    Raises
    ------
    DataError
        If the cache is missing, incomplete, damaged, or of another teacher or data set.
    """

    def __init__(
        self, folder: Path | str, *, teacher: str | None = None, data: str | None = None, verify: bool = True
    ) -> None:
        self.folder = Path(folder)
        manifest = _read_manifest(self.folder)
        self.spec = _spec_of(manifest, self.folder)
        for what, expected, found in (("teacher", teacher, self.spec.teacher), ("data set", data, self.spec.data)):
            if expected is not None and expected != found:
                raise DataError(f"{self.folder} was frozen with another {what} ({found}); expected {expected}.")
        count, chunk = int(manifest["count"]), int(manifest["chunk"])
        if len(manifest["checksums"]) * chunk < count:
            done = min(count, len(manifest["checksums"]) * chunk)
            raise DataError(
                f"{self.folder} is not complete: {done} of {count} images are frozen; freeze it to the end."
            )
        files = _read_json(self.folder / FILES)
        listed = isinstance(files, list) and all(isinstance(name, str) for name in files)
        if not listed or len(files) != count or _digest_of_names(files) != manifest["files"]:
            raise DataError(
                f"{self.folder / FILES} is not the list that the manifest names; expected the file as written."
            )
        self.row_of = {name: row for row, name in enumerate(files)}
        forms = _forms(self.spec, count)
        self._arrays = {name: _open(self.folder / name, shape, dtype) for name, shape, dtype in forms}
        if verify:
            for number, checksum in enumerate(manifest["checksums"]):
                rows = range(number * chunk, min((number + 1) * chunk, count))
                if _checksum(self._arrays, rows) != checksum:
                    raise DataError(
                        f"{self.folder}, images {rows.start} to {rows.stop - 1}: the stored values are damaged; "
                        "expected the checksum of the manifest. Freeze it again."
                    )

    def __len__(self) -> int:
        return len(self.row_of)

    def logits(self, name: str) -> Tensor:
        """Logits of an image, float32 (K,)."""
        return torch.from_numpy(np.array(self._arrays[LOGITS][self.row(name)]))

    def map(self, name: str) -> Tensor:
        """Map of the whole image, float32 (C, side, side), largest absolute value 1."""
        return torch.from_numpy(self._arrays[MAPS][self.row(name)].astype(np.float32))

    def row(self, name: str) -> int:
        """Row of an image by its path in the data set."""
        if name not in self.row_of:
            raise DataError(f"{self.folder} has no image '{name}'; expected all training images to be frozen.")
        return self.row_of[name]


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
    for name in (MANIFEST, LOGITS, MAPS):
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            stamps[name] = [status.st_size, status.st_mtime_ns]
    return stamps


def _was_verified(folder: Path, stamps: dict[str, list[int]]) -> bool:
    try:
        return _read_json(folder / VERIFIED) == stamps
    except DataError:
        return False


def _spec_of(manifest: dict[str, Any], folder: Path) -> FrozenSpec:
    try:
        return FrozenSpec(**manifest["spec"])
    except (DataError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST}: 'spec' is wrong ({error}); expected it as this lab wrote it.") from error


def _forms(spec: FrozenSpec, count: int) -> tuple[tuple[str, tuple[int, ...], str], ...]:
    """Name, shape and type of each array."""
    return (
        (LOGITS, (count, spec.classes), "float32"),
        (MAPS, (count, spec.channels, spec.side, spec.side), spec.dtype),
    )


def _reserve(path: Path, shape: tuple[int, ...], dtype: str) -> None:
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


def _digest_of_names(files: Sequence[str]) -> str:
    # Names that are not UTF-8 contain lone surrogates.
    return hashlib.sha256("\n".join(files).encode(errors="surrogatepass")).hexdigest()


def _checksum(arrays: dict[str, Any], rows: range) -> str:
    digest = hashlib.sha256()
    for name in (LOGITS, MAPS):
        digest.update(np.ascontiguousarray(arrays[name][rows.start : rows.stop]).tobytes())
    return digest.hexdigest()


def _open(path: Path, shape: tuple[int, ...], dtype: str, mode: Literal["r", "r+"] = "r") -> np.memmap:
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


def _read_json(path: Path) -> Any:
    return read_json(path, DataError, missing="the folder of a frozen teacher, which 'e2kd-lab freeze' makes")


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "spec": lambda value: isinstance(value, dict) and set(value) == set(FrozenSpec.__dataclass_fields__),
    "files": lambda value: isinstance(value, str),
    "count": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "chunk": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "checksums": lambda value: isinstance(value, list) and all(isinstance(entry, str) for entry in value),
}


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    manifest = _read_json(path)
    if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
        raise DataError(f"{path} is not a manifest of version {VERSION}; expected one that this lab wrote.")
    for field, valid in _FIELDS.items():
        if not valid(manifest.get(field)):
            raise DataError(
                f"{path}: '{field}' is {shown(manifest.get(field))!r}; expected a manifest that this lab wrote."
            )
    return manifest
