"""Text and CSV files, read with an error that names the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from e2kd_lab.system.errors import DataError


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without byte-order mark.

    Raises
    ------
    DataError
        If it is not UTF-8.
    OSError
        If it cannot be read.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}, byte {error.start}: 0x{content[error.start]:02X} is not UTF-8; "
            "expected a UTF-8 text file."
        ) from None


def read_csv(path: Path, expected: str) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Read a CSV file: its column names, and its rows with their line numbers.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        The columns that are expected, for the error about an empty file.

    Raises
    ------
    DataError
        If the file is empty, not UTF-8 or not CSV, or a row has more or fewer values than there are columns.
    """
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path} is empty; expected the columns {expected}.")
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return list(rows.fieldnames or ()), _checked(path, rows)
    except csv.Error as error:
        raise _not_csv(path, rows, error) from error


def _checked(path: Path, rows: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        for row in rows:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {rows.line_num}: the row has another number of values than the header; expected "
                    "one value per column."
                )
            yield rows.line_num, row
    except csv.Error as error:
        raise _not_csv(path, rows, error) from error


def _not_csv(path: Path, rows: csv.DictReader[str], error: csv.Error) -> DataError:
    return DataError(f"{path}, line {rows.line_num}: {error}; expected comma-separated values.")
