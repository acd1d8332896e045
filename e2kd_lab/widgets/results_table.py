"""The paper's tables with our numbers as a panel, with the runs behind each number, to copy or export."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from e2kd_lab.figures import caption
from e2kd_lab.figures.labels import PAPER
from e2kd_lab.figures.style import METHOD_TITLES
from e2kd_lab.metrics.titles import measure_title
from e2kd_lab.paper import results_cells, table_csv, table_html, table_latex, table_markdown
from e2kd_lab.paper.table_cells import TABLE_TITLES
from e2kd_lab.widgets.controls import switch
from e2kd_lab.widgets.panel import Panel, shows_errors

# File suffix and writer of each format.
_FORMATS: Mapping[str, tuple[str, Callable[[pd.DataFrame, str], str]]] = {
    "LaTeX": ("tex", table_latex),
    "Markdown": ("md", table_markdown),
    "CSV": ("csv", table_csv),
}


class ResultsTable(Panel):
    """One of the paper's tables with its numbers and ours, their difference, spread over seeds, and runs.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`, of any experiments and scales.
    table : str
        Table to show first.
    tables : sequence of str, optional
        Tables to choose from, see `e2kd_lab.paper.results_cells`; all by default.
    export_folder : Path or str
        Folder that the export button writes to: ``.tex``, ``.md`` and ``.csv``.

    Attributes
    ----------
    table : ipywidgets.Dropdown
        Choice of the table.
    shown : ipywidgets.HTML
        The table.
    row, number : ipywidgets.Dropdown
        Number whose runs are listed: its row in the table, its metric and source.
    runs : ipywidgets.HTML
        Its runs.
    format : ipywidgets.ToggleButtons
        LaTeX, Markdown or CSV.
    text : ipywidgets.Textarea
        The table in this format, to select and copy.
    data : DataFrame
        Cells of the table, see `e2kd_lab.paper.results_cells`.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> ResultsTable(lab.load_runs(), "table2")  # doctest: +SKIP
    """

    figure_choices = ()

    def __init__(
        self,
        results: pd.DataFrame,
        table: str = "table1",
        *,
        tables: Sequence[str] | None = None,
        export_folder: Path | str = "exports",
    ) -> None:
        super().__init__(f"results_{table}", export_folder)
        self.results = results
        self._cells: dict[str, pd.DataFrame] = {}
        self.data: pd.DataFrame = pd.DataFrame()
        known = list(TABLE_TITLES) if tables is None else list(tables)
        self.table = widgets.Dropdown(
            description="Table",
            options=[(TABLE_TITLES.get(name, name), name) for name in dict.fromkeys([*known, table])],
            value=table,
            layout=widgets.Layout(width="640px"),
        )
        self.export_button.tooltip = "Write LaTeX, Markdown and CSV"
        self.shown, self.runs = widgets.HTML(), widgets.HTML()
        wide = widgets.Layout(width="420px")
        self.row = widgets.Dropdown(description="Runs of", layout=wide)
        self.number = widgets.Dropdown(description="Number", layout=wide)
        self.format = switch("Copy as", list(_FORMATS), width=90)
        self.text = widgets.Textarea(rows=10, layout=widgets.Layout(width="100%"), tooltip="The table as text, to copy")
        self.table.observe(self._draw, "value")
        self.row.observe(self._list_numbers, "value")
        self.number.observe(self._list_runs, "value")
        self.format.observe(self._write, "value")
        self.arrange([self.table, self.export_button])
        *controls, _ = self.widget.children
        table = widgets.Box([self.shown], layout=widgets.Layout(overflow="auto", max_width="100%"))
        # Beside the table where there is room, else below.
        room = widgets.Layout(flex="1 1 440px", min_width="0")
        about = widgets.VBox([self.row, self.number, self.runs, self.format, self.text], layout=room)
        spread = widgets.Layout(flex_flow="row wrap", grid_gap="8px 24px")
        self.widget.children = [*controls, widgets.HBox([table, about], layout=spread)]
        self._draw(None)

    @property
    def cell(self) -> pd.Series | None:
        """Number whose runs are listed, a row of ``data``; None if nothing has been measured yet."""
        measured = self._measured()
        if self.row.value is None or self.number.value is None:
            return None
        (place, method), (metric, source) = self.row.value, self.number.value
        chosen = measured[(measured["place"] == place) & (measured["method"] == method)]
        chosen = chosen[(chosen["metric"] == metric) & (chosen["source"] == source)]
        return chosen.iloc[0] if len(chosen) else None

    @shows_errors
    def _draw(self, _: Any) -> None:
        table = self.table.value
        if table not in self._cells:
            self._cells[table] = results_cells(self.results, table)
        self.data, self.export_name = self._cells[table], f"results_{table}"
        self.shown.value = table_html(self.data, table)
        measured = self._measured()
        rows = measured[["place", "column", "method"]].drop_duplicates().itertuples(index=False)
        _offer(self.row, [(f"{column}, {METHOD_TITLES[method]}", (place, method)) for place, column, method in rows])
        self._list_numbers(None)
        self._write(None)
        count = len({name for names in self.data["runs"] for name in names})
        self.say(f"{count} finished runs behind these numbers." if count else "There are no finished runs yet.")

    @shows_errors
    def _list_numbers(self, _: Any) -> None:
        measured = self._measured()
        place, method = self.row.value or (None, None)
        own = measured[(measured["place"] == place) & (measured["method"] == method)]
        pairs = own[["metric", "source"]].itertuples(index=False, name=None)
        _offer(
            self.number, [(f"{measure_title(metric).title}, {source}", (metric, source)) for metric, source in pairs]
        )
        self._list_runs(None)

    @shows_errors
    def _list_runs(self, _: Any) -> None:
        cell = self.cell
        if cell is None:
            self.runs.value = ""
            return
        values = [f"{name} = {cell[key]:g}" for name, key in (("λ", "lam"), ("τ", "tau")) if pd.notna(cell[key])]
        stands = [] if cell["column_here"] == cell["column"] else [f"here {cell['column_here']}"]
        items = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in cell["runs"])
        mean = f"mean of n = {cell['n']}: {cell['mean']:.1f} %"
        chosen = [f"chosen by validation from {cell['tried']} configurations"] if cell["tried"] > 1 else []
        told = html.escape(", ".join([*stands, *values, mean, *chosen]))
        self.runs.value = f"<div style='line-height: 1.5'>{told}<ul>{items}</ul></div>"

    @shows_errors
    def _write(self, _: Any) -> None:
        _, write = _FORMATS[self.format.value]
        self.text.value = write(self.data, self.table.value)

    def exports(self) -> dict[str, dict[str, bytes]]:
        """See `Panel.exports`."""
        return {
            self.export_name: {
                suffix: write(self.data, self.table.value).encode() for suffix, write in _FORMATS.values()
            }
        }

    def caption(self) -> str:
        """See `Panel.caption`."""
        names = {name for names in self.data["runs"] for name in names}
        shown = self.results[self.results["run"].isin(names)]
        return caption(f"the paper's {TABLE_TITLES[self.table.value]}", shown, kind="table")

    def _measured(self) -> pd.DataFrame:
        return self.data[self.data["source"] != PAPER]

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        # Where widgets cannot be shown, such as on a code host, the table is.
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": self.shown.value}, metadata


def _offer(choice: widgets.Dropdown, options: list[tuple[str, Any]]) -> None:
    """Replace the options; keep the choice if it is among them, else take the first."""
    before = choice.value
    choice.options = options
    values = [value for _, value in options]
    choice.index = values.index(before) if before in values else 0 if options else None
