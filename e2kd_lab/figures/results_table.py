"""Tables of any results, by any of their columns: for notebooks, LaTeX, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from e2kd_lab.experiments import setting_title
from e2kd_lab.figures.labels import column_title, in_order, method_colours, title_of, where_measured
from e2kd_lab.figures.result_means import NUMBERS, result_means
from e2kd_lab.figures.table import NOTHING, Cell, Column, Row, RowGroup, Table
from e2kd_lab.figures.table_writers import write_html, write_latex, write_markdown
from e2kd_lab.metrics.titles import measure_title
from e2kd_lab.system.atomic_write import write_text
from e2kd_lab.training.trainer import SELECTED_BY

Best = Mapping[str, Literal["highest", "lowest"]]
_MIXED = "†"


@dataclass(frozen=True)
class ResultsTable:
    """Means over seeds in rows and columns, made by `results_table`; a notebook shows it as a table.

    Attributes
    ----------
    frame : DataFrame
        All digits, a row per number: its rows and columns, ``mean``, ``spread``, ``n`` (runs), ``seeds``,
        ``configurations``, ``runs``.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> lab.results_table(lab.load_runs()).to_csv("results.csv")  # doctest: +SKIP
    """

    frame: pd.DataFrame
    _table: Table = field(repr=False)

    def to_latex(self) -> str:
        """LaTeX with booktabs; a table wider than the text is scaled down."""
        return write_latex(self._table)

    def to_markdown(self) -> str:
        """Markdown."""
        return write_markdown(self._table)

    def to_csv(self, path: Path | str | None = None) -> str:
        """All digits as CSV, a row per number with its runs; written to a file if a path is given."""
        text = self.frame.assign(runs=self.frame["runs"].map(" ".join)).to_csv(index=False, lineterminator="\n")
        if path is not None:
            write_text(Path(path), text)
        return text

    def _repr_html_(self) -> str:
        return write_html(self._table)


def results_table(
    results: pd.DataFrame,
    *,
    rows: str | Sequence[str] = "method",
    columns: str | Sequence[str] = ("group", "metric"),
    metrics: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    split: str = "test",
    select: bool = True,
    best: Best | None = None,
) -> ResultsTable:
    """Means and spread over seeds of any experiments, in any rows and columns.

    Numbers of different experiments, scales, networks, settings, methods, groups or measures are never averaged: if
    neither rows nor columns separate them, the table has a row group for each. A teacher stands beside its students.

    Parameters
    ----------
    results : DataFrame
        Rows of `e2kd_lab.load_runs`; only finished runs count.
    rows, columns : str or sequence of str
        Any columns of ``results``, such as ``method``, ``lam``, ``tau``, ``setting``, ``experiment``, ``family``,
        ``seed``, ``group`` or ``metric``.
    metrics : sequence of str, optional
        Measures to show; all by default.
    groups : sequence of str, optional
        Groups of images to show; by default ``all`` and, if present, the distributions and the worst group.
    split : str
        ``test`` or ``val``.
    select : bool
        Keep only the configuration of each method that validation selects (see
        `e2kd_lab.runs.select_by_validation`). Otherwise a mean over several configurations is marked.
    best : mapping of str to str, optional
        ``highest`` or ``lowest`` for measures of your own: the students' value to print in bold. The lab's are known.

    Returns
    -------
    ResultsTable
        With ``to_latex()``, ``to_markdown()``, ``to_csv()`` and ``frame``.

    Raises
    ------
    ValueError
        If a column, measure or group is missing, or nothing is left.

    Examples
    --------
    >>> import e2kd_lab as lab
    >>> results = lab.load_runs()  # doctest: +SKIP
    >>> table = lab.results_table(results, metrics=["accuracy", "ece"], best={"ece": "lowest"})  # doctest: +SKIP
    >>> print(table.to_latex())  # doctest: +SKIP
    >>> lab.results_table(results, rows=("method", "lam"), select=False)  # doctest: +SKIP
    """
    down, across = ([names] if isinstance(names, str) else list(names) for names in (rows, columns))
    frame, apart = result_means(results, [*down, *across], metrics=metrics, groups=groups, split=split, select=select)
    frame, words = _ordered(frame, [*apart, *down, *across])
    used = results[results["run"].isin({name for names in frame["runs"] for name in names})]
    shown = _shown(words, [*apart, *across], {} if best is None else best)
    heads = _combinations(words, across)
    common = _common_experiment(used)
    table = Table(
        _title(frame, used, [*apart, *down, *across], split),
        _note(frame, shown, used, select),
        "tab:results",
        tuple(column_title(name) for name in down),
        ", ".join(column_title(name) for name in apart),
        tuple(_heading(across, values, common) for values in heads),
        _row_groups(shown, apart, down, across, heads, common),
    )
    return ResultsTable(frame, table)


def _ordered(frame: pd.DataFrame, first: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sort the numbers; return them, and a copy where a missing hyper-parameter is an empty string.

    NaN is not equal to itself, and could not be looked up as a row or column.
    """
    keys = [name for name in frame.columns if name not in NUMBERS]
    words = frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), "") for name in keys})
    words = _sorted(words, [*first, *(name for name in keys if name not in first)])
    return frame.loc[words.index].reset_index(drop=True), words.reset_index(drop=True)


def _sorted(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    places = {}
    for name in keys:
        order = {value: place for place, value in enumerate(in_order(name, frame[name]))}
        places[f"{name} order"] = frame[name].map(order)
    sorted_frame = frame.assign(**places).sort_values(list(places), kind="stable")
    return sorted_frame.drop(columns=list(places))


def _shown(frame: pd.DataFrame, among: list[str], best: Best) -> pd.DataFrame:
    """Add each number as text, and whether it is the best of its column at the printed precision."""
    usual = frame["n"].mode().max()
    largest = frame["mean"].abs().groupby(frame["metric"]).max()
    texts, rounded = [], []
    number: Any
    for number in frame.itertuples():
        title = measure_title(number.metric)
        mean, spread = (title.text(value, largest=largest[number.metric]) for value in (number.mean, number.spread))
        rounded.append(float("nan" if mean == NOTHING else mean))
        count = "" if number.n == usual else f" (n = {number.n})"
        mixed = _MIXED if number.configurations > 1 else ""
        texts.append(mean + (f" ± {spread}" if number.n > 1 else "") + mixed + count)
    frame = frame.assign(text=texts, rounded=rounded)
    students = frame[frame["method"] != "teacher"] if "method" in frame else frame
    frame["best"] = False
    for _, part in students.groupby(list(dict.fromkeys([*among, "metric", "group"]))):
        metric = part["metric"].iloc[0]
        direction = best.get(metric, measure_title(metric).best)
        if len(part) > 1 and direction is not None:
            goal = part["rounded"].max() if direction == "highest" else part["rounded"].min()
            frame.loc[part.index[part["rounded"] == goal], "best"] = True
    return frame


def _combinations(frame: pd.DataFrame, names: list[str]) -> list[tuple[Any, ...]]:
    """Combinations of values of some columns, in display order."""
    pairs = _sorted(frame[names].drop_duplicates(), names)
    return list(pairs.itertuples(index=False, name=None))


def _common_experiment(used: pd.DataFrame) -> str:
    """The experiment of all students; empty if they are of several, which row groups, rows or columns separate."""
    students = used[used["method"] != "teacher"] if (used["method"] != "teacher").any() else used
    return str(students["experiment"].iloc[0]) if students["experiment"].nunique() == 1 else ""


def _titles(names: list[str], values: tuple[Any, ...], experiment: str) -> list[str]:
    own = str(dict(zip(names, values, strict=True)).get("experiment", experiment))
    return [title_of(name, value, experiment=own) for name, value in zip(names, values, strict=True)]


def _named(names: list[str], values: tuple[Any, ...], experiment: str) -> list[str]:
    """Values with their names if they are numbers: *Agreement (%)*, but *λ = 5*."""
    return [
        f"{column_title(name)} = {title}" if isinstance(value, int | float) else title
        for name, value, title in zip(names, values, _titles(names, values, experiment), strict=True)
    ]


def _heading(names: list[str], values: tuple[Any, ...], experiment: str) -> Column:
    titles = _named(names, values, experiment)
    return Column(", ".join(titles[:-1]), titles[-1])


def _row_groups(
    shown: pd.DataFrame,
    apart: list[str],
    down: list[str],
    across: list[str],
    heads: list[tuple[Any, ...]],
    experiment: str,
) -> tuple[RowGroup, ...]:
    groups = []
    colours = method_colours(list(shown["method"].unique())) if down[0] == "method" else {}
    for values in _combinations(shown, apart) if apart else [()]:
        part, own_experiment = shown, str(dict(zip(apart, values, strict=True)).get("experiment", experiment))
        for name, value in zip(apart, values, strict=True):
            part = part[part[name] == value]
        rows = []
        for labels in _combinations(part, down):
            own = part[(part[down] == list(labels)).all(axis=1)]
            known = {tuple(cell[name] for name in across): cell for cell in own.to_dict("records")}
            cells = tuple(_cell(known.get(head)) for head in heads)
            rows.append(Row(tuple(_titles(down, labels, own_experiment)), cells, colours.get(str(labels[0]))))
        heading = ", ".join(_named(apart, values, experiment))
        groups.append(RowGroup(heading, tuple(rows)))
    return tuple(groups)


def _cell(number: Mapping[Any, Any] | None) -> Cell:
    return Cell() if number is None else Cell(number["text"], ", ".join(number["runs"]), bool(number["best"]))


def _title(frame: pd.DataFrame, used: pd.DataFrame, keys: list[str], split: str) -> str:
    """Title: what all numbers have in common."""
    students = used[used["method"] != "teacher"] if (used["method"] != "teacher").any() else used
    common = [name for name in ("experiment", "family", "method") if name not in keys]
    parts = [title_of(name, students[name].iloc[0]) for name in common]
    if not {"setting", "experiment"} & {*keys}:
        parts += filter(None, [setting_title(students["experiment"].iloc[0], students["setting"].iloc[0])])
    constant = [(name, frame[name].iloc[0]) for name in ("group", "metric") if name not in keys]
    parts += [title_of(name, value) for name, value in constant if value != "all"]
    return ", ".join([*parts, {"test": "test images", "val": "validation images"}.get(split, split)])


def _note(frame: pd.DataFrame, shown: pd.DataFrame, used: pd.DataFrame, select: bool) -> str:
    usual, where = int(frame["n"].mode().max()), where_measured(used)
    of = "seeds" if (frame["n"] == frame["seeds"]).all() else "runs"
    others = frame["n"].nunique() > 1
    if (frame["n"] == 1).all():
        seeds = f"One {of[:-1]} each"
    elif usual == 1:
        seeds = f"Mean ± standard deviation over n {of}, one where n is not given"
    else:
        seeds = f"Mean ± standard deviation over {usual} {of}" + (", or over n where it is given" if others else "")
    titles = [measure_title(name).title for name in SELECTED_BY if name in set(used["metric"])]
    measure = " or ".join(title if title.isupper() else title.lower() for title in titles)
    chosen = f"; of the configuration with the highest validation {measure}" if select and measure else ""
    parts = [f"{where[:1].upper()}{where[1:]}.", f"{seeds}{chosen}."]
    parts += ["Best student in bold."] if shown["best"].any() else []
    parts += [f"{_MIXED} Mean over several configurations."] if (frame["configurations"] > 1).any() else []
    return " ".join(parts)
