"""On-disk cache of a frozen teacher's logits and explanations of a training set (Sec. 3.3, 4.4).

A cache is a folder with memory-mapped arrays, one row per image, and a manifest that binds them to the teacher, the
images and the view: each whole image, resized to a square. Maps may be coded, in a file that grows. It is written in
chunks with checksums, so that a killed writer can resume, and is refused for any other teacher or data set. Digests of
the image files tell others in their place.

See `e2kd_lab.data.frozen_spec` for the content of a row, `e2kd_lab.data.frozen_images` for training on it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from e2kd_lab.data.frozen_arrays import (
    CODES,
    ENDS,
    LOGITS,
    MAPS,
    PICTURES,
    checksum_of,
    open_arrays,
    reserve_arrays,
)
from e2kd_lab.data.frozen_content import first_changed, first_changed_once
from e2kd_lab.data.frozen_manifest import DIGESTS_SINCE, MANIFEST, VERSION, read_cache_json, read_manifest
from e2kd_lab.data.frozen_spec import FrozenSpec, read_form, stored_form
from e2kd_lab.data.images import content_digest
from e2kd_lab.system.atomic_write import remove_unfinished, write_json
from e2kd_lab.system.errors import DataError, note

FILES, LOCK = "files.json", ".lock"


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

    def _open_arrays(self) -> dict[str, Any]:
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
            reserve_arrays(folder, self.spec, len(self.files), VERSION)
            write_json(folder / FILES, self.files)
            self._write_manifest()
        return open_arrays(folder, self.spec, len(self.files), self._version, "r+")

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
        """Store a chunk: logits (n, K) and maps (n, C, view, view) in float32, and `content_digest` of each image.

        Raises
        ------
        DataError
            If a map is not finite, or the disk lacks space for codes of the images to come.
        """
        finite = maps.flatten(1).isfinite().all(1).tolist()
        if not all(finite):
            name = self.files[rows[finite.index(False)]]
            raise DataError(f"The teacher's explanation of {name} holds inf or nan; expected finite numbers.")
        self._opened[LOGITS][rows.start : rows.stop] = logits.float().cpu().numpy()
        self._opened[CODES if self.spec.is_coded else MAPS][rows.start : rows.stop] = stored_form(maps, self.spec)
        if digests and PICTURES in self._opened:
            self._opened[PICTURES][rows.start : rows.stop] = [list(digest) for digest in digests]
        for array in self._opened.values():
            array.flush()
        self.checksums.append(checksum_of(self._opened, rows))
        self._write_manifest()
        if self.spec.is_coded:
            self._require_space(rows.stop)

    def _require_space(self, done: int) -> None:
        """Refuse to go on if codes of the other images, as long as those of the first ones, do not fit on the disk."""
        to_come = int(self._opened[ENDS][done - 1]) / done * (len(self.files) - done)
        free = shutil.disk_usage(self.folder).free
        if to_come > free:
            raise DataError(
                f"{self.folder} needs another {to_come / 1e9:.2f} GB for {len(self.files) - done} images, as long as "
                f"the first {done}, and {free / 1e9:.2f} GB are free. Make room; freezing resumes here."
            )

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
        Verify all checksums, which reads the whole cache (see `e2kd_lab.data.frozen_verified`).

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
        self._arrays = open_arrays(self.folder, self.spec, count, manifest["version"])
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

    def __reduce__(self) -> tuple[Any, ...]:
        """Opened anew in the loader's processes: memory maps would be sent there in whole."""
        return partial(FrozenTeacher, self.folder, verify=False), ()

    def logits(self, name: str) -> Tensor:
        """Logits of an image, float32 (K,)."""
        return torch.from_numpy(np.array(self._arrays[LOGITS][self.row(name)]))

    def map(self, name: str) -> Tensor:
        """Map of the whole image, float32 (C, side, side), largest absolute value 1."""
        row = self.row(name)
        if not self.spec.is_coded:
            return read_form(self._arrays[MAPS][row], self.spec)
        try:
            return read_form(self._arrays[CODES][row : row + 1].tobytes(), self.spec)
        except DataError as error:
            raise DataError(f"{self.folder}, image '{name}': {error} Freeze it again.") from error

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


def _spec_of(manifest: dict[str, Any], folder: Path) -> FrozenSpec:
    try:
        return FrozenSpec(**manifest["spec"])
    except (DataError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST}: 'spec' is wrong ({error}); expected it as this lab wrote it.") from error


def _digest_of_names(files: Sequence[str]) -> str:
    # Names that are not UTF-8 contain lone surrogates.
    return hashlib.sha256("\n".join(files).encode(errors="surrogatepass")).hexdigest()
