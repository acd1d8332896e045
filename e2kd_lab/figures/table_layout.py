"""A table as it is laid out, before it becomes HTML, LaTeX or Markdown."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "–"


@dataclass(frozen=True)
class Head:
    """Heading of a column of numbers.

    Attributes
    ----------
    upper, title : str
        What several columns have in common, or nothing, and what this one is.
    kind : str
        Class of its cells in HTML: ``paper``, ``here``, ``difference`` or none.
    """

    upper: str
    title: str
    kind: str = ""


@dataclass(frozen=True)
class Cell:
    """A number in words.

    Attributes
    ----------
    text : str
        *49.8*, *36.5 ± 1.2 (n = 3)*, or a dash.
    told : str
        What HTML tells when it is pointed at.
    best : bool
        Whether it is the best of its column.
    """

    text: str = NOTHING
    told: str = ""
    best: bool = False


@dataclass(frozen=True)
class Line:
    """What a line is about, the numbers in it, and the colour that stands for it in figures."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    colour: str | None = None


@dataclass(frozen=True)
class Block:
    """Lines under a heading of their own, or under none."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Layout:
    """A whole table.

    Attributes
    ----------
    title, note : str
        Both are in the caption, the title in bold where that is possible.
    label : str
        LaTeX's name for it.
    label_titles : tuple of str
        Headings of the lines' labels.
    block_title : str
        What the blocks are, for formats that have a column for it.
    heads, blocks : tuple
        Columns and lines.
    """

    title: str
    note: str
    label: str
    label_titles: tuple[str, ...]
    block_title: str
    heads: tuple[Head, ...]
    blocks: tuple[Block, ...]

    @property
    def uppers(self) -> list[tuple[str, int]]:
        """Neighbouring columns with a common upper heading: it, and how many they are; none where none has one."""
        spans: list[tuple[str, int]] = []
        for head in self.heads:
            if spans and spans[-1][0] == head.upper:
                spans[-1] = (head.upper, spans[-1][1] + 1)
            else:
                spans.append((head.upper, 1))
        return spans if any(upper for upper, _ in spans) else []
