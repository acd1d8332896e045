"""On-disk cache of a frozen teacher's logits and explanations of a training set (Sec. 3.3, 4.4).

A cache is a folder with memory-mapped arrays, one row per image, and a manifest that binds them to the teacher, the
images and the view: each whole image, resized to a square. It is written in chunks with checksums, so that a killed
writer can resume, and is refused for any other teacher or data set. Digests of the image files tell others in their
place.

See `e2kd_lab.data.frozen_spec` for the content of a row, `e2kd_lab.data.frozen_images` for training on it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.data.frozen_arrays import LOGITS, MAPS, PICTURES, checksum_of, forms_of, open_array, reserve
from e2kd_lab.data.frozen_content import first_changed, first_changed_once
from e2kd_lab.data.frozen_manifest import DIGESTS_SINCE, MANIFEST, VERSION, read_cache_json, read_manifest
from e2kd_lab.data.frozen_spec import FrozenSpec, stored_form
from e2kd_lab.data.images import content_digest
from e2kd_lab.system.atomic_write import remove_unfinished, write_json
from e2kd_lab.system.errors import DataError, RunError, note

FILES, LOCK = "files.json", ".lock"
VERIFIED = "verified.json"


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
        self._version = VERSION
        try:
            self._opened = self._open_arrays()
        except OSError as error:
            raise DataError(f"{folder} cannot be written to: {error.strerror or error}.") from error
        # A power failure may lose a chunk after its checksum was written.
        for number, checksum in enumerate(self.checksums):
            if checksum_of(self._opened, self._rows(number)) != checksum:
                self.checksums = self.checksums[:number]
                break

    def _open_arrays(self) -> dict[str, np.memmap]:
        folder = self.folder
        if (folder / MANIFEST).is_file():
            known = read_manifest(folder)
            if known["spec"] != asdict(self.spec) or known["files"] != _digest_of_names(self.files):
                raise DataError(
                    f"{folder} holds another frozen teacher; expected an empty folder, or this one's cache."
                )
            self.chunk, self.checksums = int(known["chunk"]), list(known["checksums"])
            self._version = known["version"]
            remove_unfinished(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            remove_unfinished(folder)
            for name, shape, dtype in forms_of(self.spec, len(self.files), VERSION):
                reserve(folder / name, shape, dtype)
            write_json(folder / FILES, self.files)
            self._write_manifest()
        forms = forms_of(self.spec, len(self.files), self._version)
        return {name: open_array(folder / name, shape, dtype, "r+") for name, shape, dtype in forms}

    def missing(self) -> Iterator[range]:
        """Rows still to write, chunk by chunk."""
        for number in range(len(self.checksums), -(-len(self.files) // self.chunk)):
            yield self._rows(number)

    def forget_changed(self, paths: Sequence[Path]) -> None:
        """Write again from the first chunk on that has an image of another content than its file; a note says so."""
        done = min(len(self.files), len(self.checksums) * self.chunk)
        row = first_changed(self._opened[PICTURES], paths[:done]) if PICTURES in self._opened else None
        if row is not None:
            note(
                f"{paths[row]} has another content than when {self.folder} was frozen: from image {row} of "
                f"{len(self.files)} on, the teacher is frozen anew."
            )
            self.checksums = self.checksums[: row // self.chunk]
            self._write_manifest()

    def write(self, rows: range, logits: Tensor, maps: Tensor, digests: Sequence[bytes] = ()) -> None:
        """Store a chunk: logits (n, K) and maps (n, C, view, view) in float32, and `content_digest` of each image."""
        self._opened[LOGITS][rows.start : rows.stop] = logits.float().cpu().numpy()
        self._opened[MAPS][rows.start : rows.stop] = stored_form(maps, self.spec)
        if digests and PICTURES in self._opened:
            self._opened[PICTURES][rows.start : rows.stop] = [list(digest) for digest in digests]
        for array in self._opened.values():
            array.flush()
        self.checksums.append(checksum_of(self._opened, rows))
        self._write_manifest()

    def _rows(self, number: int) -> range:
        return range(number * self.chunk, min((number + 1) * self.chunk, len(self.files)))

    def _write_manifest(self) -> None:
        write_json(
            self.folder / MANIFEST,
            {
                "version": self._version,
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
        manifest = read_manifest(self.folder)
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
        files = read_cache_json(self.folder / FILES)
        listed = isinstance(files, list) and all(isinstance(name, str) for name in files)
        if not listed or len(files) != count or _digest_of_names(files) != manifest["files"]:
            raise DataError(
                f"{self.folder / FILES} is not the list that the manifest names; expected the file as written."
            )
        self.row_of = {name: row for row, name in enumerate(files)}
        if manifest["version"] < DIGESTS_SINCE:
            note(f"{self.folder} was frozen without digests of its images, so that others in their place go unnoticed.")
        forms = forms_of(self.spec, count, manifest["version"])
        self._arrays = {name: open_array(self.folder / name, shape, dtype) for name, shape, dtype in forms}
        if verify:
            for number, checksum in enumerate(manifest["checksums"]):
                rows = range(number * chunk, min((number + 1) * chunk, count))
                if checksum_of(self._arrays, rows) != checksum:
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

    def require_image(self, name: str, path: Path) -> None:
        """Refuse another image file than the one that was frozen.

        Raises
        ------
        DataError
            If its content differs.
        """
        digest = bytes(self._arrays[PICTURES][self.row(name)]) if PICTURES in self._arrays else b""
        if any(digest) and digest != content_digest(path):
            raise DataError(
                f"Image {path} has another content than when {self.folder} was frozen; expected the same images. "
                "Freeze the teacher again."
            )

    def is_of(self, paths: Sequence[Path]) -> bool:
        """Whether image files, in the order of the rows, have the content that was recorded when they were frozen."""
        return PICTURES not in self._arrays or first_changed_once(self.folder, self._arrays[PICTURES], paths) is None

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
    for name in (MANIFEST, LOGITS, MAPS, PICTURES):
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            stamps[name] = [status.st_size, status.st_mtime_ns]
    return stamps


def _was_verified(folder: Path, stamps: dict[str, list[int]]) -> bool:
    try:
        return read_cache_json(folder / VERIFIED) == stamps
    except DataError:
        return False


def _spec_of(manifest: dict[str, Any], folder: Path) -> FrozenSpec:
    try:
        return FrozenSpec(**manifest["spec"])
    except (DataError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST}: 'spec' is wrong ({error}); expected it as this lab wrote it.") from error


def _digest_of_names(files: Sequence[str]) -> str:
    # Names that are not UTF-8 contain lone surrogates.
    return hashlib.sha256("\n".join(files).encode(errors="surrogatepass")).hexdigest()
