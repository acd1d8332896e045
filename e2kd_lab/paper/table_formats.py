"""The paper's tables with our numbers as HTML, LaTeX (booktabs), Markdown and CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from e2kd_lab.figures.labels import PAPER, TABLE_METRICS, in_order, method_colours, title_of
from e2kd_lab.figures.table import NOTHING, Cell, Column, Row, RowGroup, Table
from e2kd_lab.figures.table_writers import write_html, write_latex, write_markdown
from e2kd_lab.metrics.titles import measure_title
from e2kd_lab.paper.beside_paper import selecting_measure
from e2kd_lab.paper.table_cells import SOURCES, TABLE_TITLES

_MIXED = "†"
_NOTE = (
    "In percent. Paper: as published. Measured here: mean ± standard deviation over n runs that differ in their seed "
    "only, of the temperature, weight and recipe with the highest validation {measure}. "
    "Difference: measured here − paper, in points."
)
_MIXED_NOTE = f" {_MIXED} Mean of several teachers: the students of this column did not all have the same one."


class _Numbers(NamedTuple):
    """A column of numbers: a metric from one source, or its difference from the paper."""

    metric: str
    source: str
    difference: bool

    @property
    def heading(self) -> Column:
        title = self.source.replace("measured here", "difference") if self.difference else self.source
        kind = "difference" if self.difference else "paper" if self.source == PAPER else "here"
        return Column(measure_title(self.metric).title, title, kind)


def table_html(cells: pd.DataFrame, table: str) -> str:
    """Format a table as HTML with a caption and scoped headings; hovering over a number shows its runs.

    Parameters
    ----------
    cells : DataFrame
        See `e2kd_lab.paper.results_cells`.
    table : str
        Name of the table, see `e2kd_lab.paper.results_cells`.

    Returns
    -------
    str
        One ``div`` element, well-formed XML.

    Examples
    --------
    >>> from e2kd_lab.paper import results_cells
    >>> table_html(results_cells(lab.load_runs(), "table1"), "table1")  # doctest: +SKIP
    """
    return write_html(_table(cells, table, TABLE_TITLES[table]))


def table_latex(cells: pd.DataFrame, table: str) -> str:
    """Format a table for LaTeX (booktabs); a table wider than the text is scaled down.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    return write_latex(_table(cells, table, f"The paper's {TABLE_TITLES[table]}"))


def table_markdown(cells: pd.DataFrame, table: str) -> str:
    """Format a table for Markdown.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    return write_markdown(_table(cells, table, TABLE_TITLES[table]))


def table_csv(cells: pd.DataFrame, table: str) -> str:
    """All digits of a table as CSV, a row per number, with the names of its runs.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    rows = cells.assign(runs=cells["runs"].map(" ".join))
    rows.insert(0, "table", table)
    return rows.to_csv(index=False, lineterminator="\n")


def _table(cells: pd.DataFrame, table: str, title: str) -> Table:
    columns = _columns(cells)
    note = _NOTE.format(measure=selecting_measure(cells))
    note += _MIXED_NOTE if (cells["n"] > cells["seeds"]).any() else ""
    headings = tuple(column.heading for column in columns)
    return Table(title, note, f"tab:{table}-here", ("Method",), "Data", headings, tuple(_row_groups(cells, columns)))


def _columns(cells: pd.DataFrame) -> list[_Numbers]:
    """Columns with numbers; a measure that the paper does not give has no differences."""
    compared = cells[cells["difference"].notna()]
    pairs, differences = (set(zip(part["metric"], part["source"], strict=True)) for part in (cells, compared))
    columns = []
    for metric in TABLE_METRICS:
        for source in [PAPER, *SOURCES]:
            columns += [_Numbers(metric, source, False)] if (metric, source) in pairs else []
            columns += [_Numbers(metric, source, True)] if (metric, source) in differences else []
    return columns


def _row_groups(cells: pd.DataFrame, columns: list[_Numbers]) -> Iterator[RowGroup]:
    """A group for each column of the paper's table, with a row for each method."""
    colours = method_colours(list(cells["method"].unique()))
    for _, part in cells.groupby("place"):
        title = part["column"].iloc[0]
        named = part.loc[part["column_here"] != title, ["source", "column_here"]].drop_duplicates()
        heading = "; ".join([title, *(f"{source}: {here}" for source, here in named.itertuples(index=False))])
        records: list[Mapping[Any, Any]] = list(part.to_dict("records"))
        known = {(cell["method"], cell["metric"], cell["source"]): cell for cell in records}
        methods = [str(method) for method in in_order("method", part["method"])]
        rows = (
            Row(
                (title_of("method", method),),
                tuple(_cell(known.get((method, column.metric, column.source)), column) for column in columns),
                colours[method],
            )
            for method in methods
        )
        yield RowGroup(heading, tuple(rows))


def _cell(cell: Mapping[str, Any] | None, column: _Numbers) -> Cell:
    runs = () if cell is None or column.difference else cell["runs"]
    return Cell(_text(cell, column), f"{column.source}: {', '.join(runs)}" if runs else "")


def _text(cell: Mapping[str, Any] | None, column: _Numbers) -> str:
    """Format a number: *49.8*, *36.5 ± 1.2 (n = 3)*, or a difference, *+1.3*."""
    if cell is None or (column.difference and math.isnan(cell["difference"])):
        return NOTHING
    if column.difference:
        return f"{cell['difference']:+.1f}".replace("-", "−")
    if column.source == PAPER:
        return f"{cell['mean']:.1f}"
    spread = f" ± {cell['spread']:.1f}" if cell["n"] > 1 else ""
    return f"{cell['mean']:.1f}{spread} (n = {cell['n']}){_MIXED if cell['n'] > cell['seeds'] else ''}"
