"""Byte strings of varying length, one a row, in a file that grows; an array holds where each ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e2kd_lab.system.errors import DataError
from e2kd_lab.system.paths import is_file, readable


class Records:
    """Reads and writes byte strings by row.

    Parameters
    ----------
    path : Path
        The file, which must exist.
    ends : ndarray
        uint64 (N,): for each row that is written, the position in the file behind it.

    Raises
    ------
    DataError
        If the file is not there or, when it is used, cannot be read, or the disk is full.
    """

    def __init__(self, path: Path, ends: np.ndarray) -> None:
        self.path, self.ends = path, ends
        if not is_file(path):
            raise DataError(f"{path} is not there; expected the codes of a frozen teacher.")
        self._content: np.ndarray | None = None

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Bytes of some rows, one behind the other, as uint8; fewer if the file is shorter than its ends say."""
        if self._content is None:
            with readable(self.path, DataError):
                empty = self.path.stat().st_size == 0
                self._content = np.empty(0, np.uint8) if empty else np.memmap(self.path, np.uint8, "r")
        return self._content[self._start(rows.start) : max(self._start(rows.start), self._start(rows.stop))]

    def __setitem__(self, rows: slice, records: Sequence[bytes]) -> None:
        """Write the byte strings of some rows; whatever lay behind is cut off."""
        start = self._start(rows.start)
        self._content = None
        try:
            with self.path.open("r+b") as file:
                file.truncate(start)
                file.seek(start)
                file.write(b"".join(records))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{self.path} cannot be written to: {reason}; freezing resumes at this image.") from error
        self.ends[rows] = start + np.cumsum([len(record) for record in records], dtype=np.uint64)

    def flush(self) -> None:
        """Nothing to do: rows are on the disk once they are written."""

    def _start(self, row: int) -> int:
        return 0 if row == 0 else int(self.ends[row - 1])
