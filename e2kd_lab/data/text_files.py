"""Text and CSV files, read with an error that names the line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from e2kd_lab.data.findings import Findings
from e2kd_lab.system.errors import DataError, shown

_WHOLE = re.compile(r"([0-9]{1,18})(\.0*)?")


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


def read_csv(path: Path, expected: str, findings: Findings) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Read a CSV file: its column names in lower case, and its rows with their line numbers.

    Values are separated by commas, or by semicolons or tabs where the header has no comma. Empty rows are skipped.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        The columns that are expected, for the error about an empty file.
    findings : Findings
        Receives what was skipped and repaired.

    Raises
    ------
    DataError
        If the file is empty, not UTF-8 or not CSV, a column is there twice, or a row has more or fewer values than
        there are columns.
    """
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path} is empty; expected the columns {expected}.")
    header = text.lstrip().splitlines()[0]
    separator = next((mark for mark in ",;\t" if mark in header), ",")
    if separator != ",":
        findings.add("repaired", "tables separated by semicolons or tabs", path.name)
    rows = csv.DictReader(
        io.StringIO(text, newline=""),
        strict=True,
        delimiter=separator,
        skipinitialspace=f'{separator} "' in header,  # otherwise a name may begin with a space
    )
    try:
        columns = [name.strip().casefold() for name in rows.fieldnames or ()]
    except csv.Error as error:
        raise _not_csv(path, rows, error) from error
    rows.fieldnames = columns
    if twice := [name for name in columns if name and columns.count(name) > 1]:
        raise DataError(f"{path} has the column '{shown(twice[0])}' twice; expected each column once.")
    return columns, _checked(path, rows, findings)


def whole_number(text: str) -> int | None:
    """A whole number from 0, also with the ``.0`` that pandas writes for columns with gaps; None for anything else.

    Examples
    --------
    >>> whole_number("12"), whole_number("0.0"), whole_number("0.5")
    (12, 0, None)
    """
    match = _WHOLE.fullmatch(text.strip())
    return int(match[1]) if match else None


def _checked(path: Path, rows: csv.DictReader[str], findings: Findings) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        for row in rows:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {rows.line_num}: the row has another number of values than the header; expected "
                    "one value per column."
                )
            if any(value.strip() for value in row.values()):
                yield rows.line_num, row
            else:
                findings.add("skipped", "empty rows", f"line {rows.line_num}")
    except csv.Error as error:
        raise _not_csv(path, rows, error) from error


def _not_csv(path: Path, rows: csv.DictReader[str], error: csv.Error) -> DataError:
    return DataError(f"{path}, line {rows.line_num}: {error}; expected comma-separated values.")
