"""A laid-out table: headings, row groups and cells as text, ready to be written in any format."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "–"


@dataclass(frozen=True)
class Column:
    """Heading of a column of numbers.

    Attributes
    ----------
    upper : str
        Heading shared with neighbouring columns, or an empty string.
    title : str
        Heading of this column.
    kind : str
        Class of its cells in HTML: ``paper``, ``here``, ``difference`` or none.
    """

    upper: str
    title: str
    kind: str = ""


@dataclass(frozen=True)
class Cell:
    """A number as text.

    Attributes
    ----------
    text : str
        *49.8*, *36.5 ± 1.2 (n = 3)*, or a dash.
    tooltip : str
        Shown in HTML when the mouse is over the cell.
    best : bool
        Best of its column, printed in bold.
    """

    text: str = NOTHING
    tooltip: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """Labels of a row, its cells, and the colour of its method in figures."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    colour: str | None = None


@dataclass(frozen=True)
class RowGroup:
    """Rows under a common heading, or under none."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A whole table.

    Attributes
    ----------
    title, note : str
        Caption; the title is bold where the format allows it.
    label : str
        LaTeX label.
    label_titles : tuple of str
        Headings of the row labels.
    group_title : str
        Heading of the row groups, for formats that put them in a column.
    columns, groups : tuple
        Columns of numbers, and row groups.
    """

    title: str
    note: str
    label: str
    label_titles: tuple[str, ...]
    group_title: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]

    @property
    def uppers(self) -> list[tuple[str, int]]:
        """Upper headings with the number of columns they span; empty if there are none."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and spans[-1][0] == column.upper:
                spans[-1] = (column.upper, spans[-1][1] + 1)
            else:
                spans.append((column.upper, 1))
        return spans if any(upper for upper, _ in spans) else []
