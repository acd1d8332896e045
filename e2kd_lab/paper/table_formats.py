"""The paper's tables with our numbers as a web page's element, for LaTeX (booktabs), Markdown and as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from e2kd_lab.figures.table_layout import NOTHING, Block, Cell, Head, Layout, Line
from e2kd_lab.figures.table_writers import write_html, write_latex, write_markdown
from e2kd_lab.figures.titles import in_order, method_colours, title_of
from e2kd_lab.paper.beside_paper import METRIC_TITLES, PAPER, selecting_measure
from e2kd_lab.paper.results_table import SOURCES, TABLE_TITLES

MIXED = "†"
_NOTE = (
    "In percent. Paper: as published. Measured here: mean ± standard deviation over n runs that differ in their seed "
    "only, of the temperature, weight and recipe with the highest validation {measure}. "
    "Difference: measured here − paper, in points."
)
_MIXED_NOTE = f" {MIXED} Mean of several teachers: the students of this column did not all have the same one."


class _Column(NamedTuple):
    """A column of numbers: a metric as a source has it, or the source's difference to the paper."""

    metric: str
    source: str
    difference: bool

    @property
    def head(self) -> Head:
        title = self.source.replace("measured here", "difference") if self.difference else self.source
        kind = "difference" if self.difference else "paper" if self.source == PAPER else "here"
        return Head(METRIC_TITLES[self.metric], title, kind)


def table_html(cells: pd.DataFrame, table: str) -> str:
    """A table as HTML with a caption and scoped headings; a number tells its runs when it is pointed at.

    Parameters
    ----------
    cells : DataFrame
        See `e2kd_lab.paper.results_cells`.
    table : str
        Which table it is.

    Returns
    -------
    str
        One element, well-formed as XML.
    """
    return write_html(_layout(cells, table, TABLE_TITLES[table]))


def table_latex(cells: pd.DataFrame, table: str) -> str:
    """A table for LaTeX, with booktabs; one that is too wide for the text is scaled down.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    return write_latex(_layout(cells, table, f"The paper's {TABLE_TITLES[table]}"))


def table_markdown(cells: pd.DataFrame, table: str) -> str:
    """A table for Markdown, with pipes.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    return write_markdown(_layout(cells, table, TABLE_TITLES[table]))


def table_csv(cells: pd.DataFrame, table: str) -> str:
    """All digits of a table, a row a number, with the names of the runs behind it.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    rows = cells.assign(runs=cells["runs"].map(" ".join))
    rows.insert(0, "table", table)
    return rows.to_csv(index=False, lineterminator="\n")


def _layout(cells: pd.DataFrame, table: str, title: str) -> Layout:
    columns = _columns(cells)
    note = _NOTE.format(measure=selecting_measure(cells))
    note += _MIXED_NOTE if (cells["n"] > cells["seeds"]).any() else ""
    heads = tuple(column.head for column in columns)
    return Layout(title, note, f"tab:{table}-here", ("Method",), "Data", heads, tuple(_blocks(cells, columns)))


def _columns(cells: pd.DataFrame) -> list[_Column]:
    pairs = set(zip(cells["metric"], cells["source"], strict=True))
    columns = []
    for metric in METRIC_TITLES:
        for source in [PAPER, *SOURCES]:
            if (metric, source) in pairs:
                columns += [
                    _Column(metric, source, difference) for difference in (False, True)[: 1 + (source != PAPER)]
                ]
    return columns


def _blocks(cells: pd.DataFrame, columns: list[_Column]) -> Iterator[Block]:
    """For each column of the paper's table what it is, here and there, and a line for each method."""
    colours = method_colours(list(cells["method"].unique()))
    for _, part in cells.groupby("place"):
        title = part["column"].iloc[0]
        named = part.loc[part["column_here"] != title, ["source", "column_here"]].drop_duplicates()
        heading = "; ".join([title, *(f"{source}: {here}" for source, here in named.itertuples(index=False))])
        records: list[Mapping[Any, Any]] = list(part.to_dict("records"))
        known = {(cell["method"], cell["metric"], cell["source"]): cell for cell in records}
        methods = [str(method) for method in in_order("method", part["method"])]
        lines = (
            Line(
                (title_of("method", method),),
                tuple(_cell(known.get((method, column.metric, column.source)), column) for column in columns),
                colours[method],
            )
            for method in methods
        )
        yield Block(heading, tuple(lines))


def _cell(cell: Mapping[str, Any] | None, column: _Column) -> Cell:
    told = (
        "" if cell is None or not cell["runs"] or column.difference else f"{column.source}: {', '.join(cell['runs'])}"
    )
    return Cell(_text(cell, column), told)


def _text(cell: Mapping[str, Any] | None, column: _Column) -> str:
    """A number in words: *49.8*, *36.5 ± 1.2 (n = 3)*, or a difference, *+1.3*."""
    if cell is None or (column.difference and math.isnan(cell["difference"])):
        return NOTHING
    if column.difference:
        return f"{cell['difference']:+.1f}".replace("-", "−")
    if column.source == PAPER:
        return f"{cell['mean']:.1f}"
    spread = f" ± {cell['spread']:.1f}" if cell["n"] > 1 else ""
    return f"{cell['mean']:.1f}{spread} (n = {cell['n']}){MIXED if cell['n'] > cell['seeds'] else ''}"
