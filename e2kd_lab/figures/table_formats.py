"""The same table as a web page's element, for LaTeX (booktabs), Markdown and as plain numbers."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from e2kd_lab.figures.beside_paper import METRIC_TITLES, PAPER, selecting_measure
from e2kd_lab.figures.results_table import SOURCES, TABLE_TITLES
from e2kd_lab.figures.style import METHOD_COLOURS, METHOD_ORDER, METHOD_TITLES

MIXED = "†"
_NOTE = (
    "In percent. Paper: as published. Measured here: mean ± standard deviation over n runs that differ in their seed "
    "only, of the temperature, weight and recipe with the highest validation {measure}. "
    "Difference: measured here − paper, in points."
)
_MIXED_NOTE = f" {MIXED} Mean of several teachers: the students of this column did not all have the same one."
_NOTHING = "–"
_END = r"\\"
_STYLE = """
.e2kd-results { border-collapse: collapse; line-height: 1.45; font-variant-numeric: tabular-nums; }
.e2kd-results caption { text-align: left; padding-bottom: 6px; max-width: 60em; }
.e2kd-results th, .e2kd-results td { padding: 1px 9px; white-space: nowrap; text-align: right; font-weight: normal; }
.e2kd-results thead th { vertical-align: bottom; white-space: normal; max-width: 7.5em; }
.e2kd-results th[scope=row], .e2kd-results th[scope=rowgroup], .e2kd-results th[rowspan] { text-align: left; }
.e2kd-results th[scope=rowgroup] { font-style: italic; padding-top: 5px; border-top: 1px solid #BBBBBB; }
.e2kd-results th[scope=colgroup] { text-align: center; font-weight: bold; border-bottom: 1px solid #BBBBBB; }
.e2kd-results .paper { padding-left: 24px; }
.e2kd-results .here { font-weight: bold; }
.e2kd-results small { font-weight: normal; }
.e2kd-results .difference { opacity: 0.75; }
""".strip()

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{sign: rf"\{sign}" for sign in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "−": "$-$",
        "×": r"$\times$",
        "→": r"$\rightarrow$",
        "²": "$^2$",
        "λ": r"$\lambda$",
        "τ": r"$\tau$",
        "†": r"$^\dagger$",
        "–": "--",
        "—": "---",
    }
)


class _Head(NamedTuple):
    """A column of numbers: a metric as a source has it, or the source's difference to the paper."""

    metric: str
    source: str
    difference: bool

    @property
    def title(self) -> str:
        return self.source.replace("measured here", "difference") if self.difference else self.source

    @property
    def kind(self) -> str:
        return "difference" if self.difference else "paper" if self.source == PAPER else "here"


# A method and its numbers in one column of the paper's table, None where there is none.
_Line = tuple[str, list[Mapping[Any, Any] | None]]


def table_html(cells: pd.DataFrame, table: str) -> str:
    """A table as HTML with a caption and scoped headings; a number tells its runs when it is pointed at.

    Parameters
    ----------
    cells : DataFrame
        See `e2kd_lab.figures.results_cells`.
    table : str
        Which table it is.

    Returns
    -------
    str
        One element, well-formed as XML.
    """
    heads = _heads(cells)
    metrics = list(dict.fromkeys(head.metric for head in heads))
    spans = {metric: sum(head.metric == metric for head in heads) for metric in metrics}
    title, note = _escaped(TABLE_TITLES[table]), _escaped(_note(cells))
    lines = [
        f"<div><style>{_STYLE}</style>",
        f'<table class="e2kd-results"><caption><b>{title}.</b> {note}</caption>',
        '<thead><tr><th scope="col" rowspan="2">Method</th>',
        *(f'<th scope="colgroup" colspan="{spans[metric]}">{METRIC_TITLES[metric]}</th>' for metric in metrics),
        "</tr><tr>",
        *(f'<th scope="col" class="{head.kind}">{_escaped(head.title)}</th>' for head in heads),
        "</tr></thead>",
    ]
    for heading, rows in _blocks(cells, heads):
        lines.append(f'<tbody><tr><th scope="rowgroup" colspan="{len(heads) + 1}">{_escaped(heading)}</th></tr>')
        for method, numbers in rows:
            chip = f'<span aria-hidden="true" style="color: {METHOD_COLOURS[method]}">■</span>'
            shown = "".join(_html_cell(cell, head) for cell, head in zip(numbers, heads, strict=True))
            lines.append(f'<tr><th scope="row">{chip} {_escaped(METHOD_TITLES[method])}</th>{shown}</tr>')
        lines.append("</tbody>")
    return "\n".join([*lines, "</table></div>"])


def table_latex(cells: pd.DataFrame, table: str) -> str:
    """A table for LaTeX, with booktabs; one that is too wide for the text is scaled down.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    heads = _heads(cells)
    width = len(heads) + 1
    metrics, rules, start = [], [], 2
    for metric in dict.fromkeys(head.metric for head in heads):
        span = sum(head.metric == metric for head in heads)
        metrics.append(rf"\multicolumn{{{span}}}{{c}}{{{METRIC_TITLES[metric]}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    titles = [rf"\shortstack{{{escape_latex(head.title).replace(' (', chr(92) * 2 + '(')}}}" for head in heads]
    caption = f"The paper's {TABLE_TITLES[table]}. {_note(cells)}"
    lines = [
        r"% needs \usepackage{booktabs,graphicx}",
        r"\begin{table}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{tab:{table}-here}}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"\toprule",
        f"{' & '.join(['', *metrics]).lstrip()} {_END}",
        " ".join(rules),
        f"{' & '.join(['Method', *titles])} {_END}",
    ]
    for heading, rows in _blocks(cells, heads):
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape_latex(heading)}}}}} {_END}"]
        for method, numbers in rows:
            shown = [escape_latex(_text(cell, head)) for cell, head in zip(numbers, heads, strict=True)]
            lines.append(f"{' & '.join([escape_latex(METHOD_TITLES[method]), *shown])} {_END}")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def table_markdown(cells: pd.DataFrame, table: str) -> str:
    """A table for Markdown, with pipes.

    Parameters
    ----------
    cells, table
        See `table_html`.
    """
    heads = _heads(cells)
    titles = ["Data", "Method", *(f"{METRIC_TITLES[head.metric]}, {head.title}" for head in heads)]
    lines = [
        f"**{TABLE_TITLES[table]}.** {_note(cells)}",
        "",
        f"| {' | '.join(titles)} |",
        f"| {' | '.join(['---', '---', *(['--:'] * len(heads))])} |",
    ]
    for heading, rows in _blocks(cells, heads):
        for method, numbers in rows:
            shown = [_text(cell, head) for cell, head in zip(numbers, heads, strict=True)]
            words = [word.replace("|", r"\|") for word in (heading, METHOD_TITLES[method], *shown)]
            lines.append(f"| {' | '.join(words)} |")
    return "\n".join([*lines, ""])


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


def escape_latex(text: str) -> str:
    """Text for LaTeX: its special characters and the lab's symbols as commands."""
    return text.translate(_LATEX)


def _heads(cells: pd.DataFrame) -> list[_Head]:
    pairs = set(zip(cells["metric"], cells["source"], strict=True))
    heads = []
    for metric in METRIC_TITLES:
        for source in [PAPER, *SOURCES]:
            if (metric, source) in pairs:
                heads += [_Head(metric, source, False)] + ([_Head(metric, source, True)] if source != PAPER else [])
    return heads


def _blocks(cells: pd.DataFrame, heads: list[_Head]) -> Iterator[tuple[str, list[_Line]]]:
    """For each column of the paper's table what it is, here and there, and a line for each method."""
    for _, part in cells.groupby("place"):
        column = part["column"].iloc[0]
        named = part.loc[part["column_here"] != column, ["source", "column_here"]].drop_duplicates()
        heading = "; ".join([column, *(f"{source}: {here}" for source, here in named.itertuples(index=False))])
        records: list[Mapping[Any, Any]] = list(part.to_dict("records"))
        known = {(cell["method"], cell["metric"], cell["source"]): cell for cell in records}
        methods = [method for method in METHOD_ORDER if method in set(part["method"])]
        yield heading, [(name, [known.get((name, head.metric, head.source)) for head in heads]) for name in methods]


def _note(cells: pd.DataFrame) -> str:
    return _NOTE.format(measure=selecting_measure(cells)) + (_MIXED_NOTE if (cells["n"] > cells["seeds"]).any() else "")


def _text(cell: Mapping[str, Any] | None, head: _Head) -> str:
    """A number in words: *49.8*, *36.5 ± 1.2 (n = 3)*, or a difference, *+1.3*."""
    if cell is None or (head.difference and math.isnan(cell["difference"])):
        return _NOTHING
    if head.difference:
        return f"{cell['difference']:+.1f}".replace("-", "−")
    if head.source == PAPER:
        return f"{cell['mean']:.1f}"
    spread = f" ± {cell['spread']:.1f}" if cell["n"] > 1 else ""
    return f"{cell['mean']:.1f}{spread} (n = {cell['n']}){MIXED if cell['n'] > cell['seeds'] else ''}"


def _html_cell(cell: Mapping[str, Any] | None, head: _Head) -> str:
    text, told = _text(cell, head), ""
    if cell is not None and cell["runs"] and not head.difference:
        told = f' title="{_escaped(head.source)}: {_escaped(", ".join(cell["runs"]))}"'
    number, bracket, count = _escaped(text).partition(" (n")
    count = f"<small>{bracket}{count}</small>" if bracket else ""
    return f'<td class="{head.kind}"{told}>{number}{count}</td>'


def _escaped(text: str) -> str:
    return html.escape(text)
