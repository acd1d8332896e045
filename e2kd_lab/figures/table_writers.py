"""Write a laid-out table as HTML, LaTeX (booktabs) or Markdown.

pandas' Styler has no headings with scopes, no headed row groups and no Markdown, hence a writer of our own.
"""

from __future__ import annotations

import html

from e2kd_lab.figures.table import Cell, Column, RowGroup, Table

_END = r"\\"
_STACKED = 16  # characters; longer headings break before a bracket
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
        "✓": r"$\checkmark$",
        "✗": r"$\times$",
    }
)


def write_html(table: Table) -> str:
    """Write HTML with a caption and scoped headings, well-formed as XML."""
    title, note = html.escape(table.title), html.escape(table.note)
    uppers = table.uppers
    below = f' rowspan="{2 if uppers else 1}"'
    lines = [
        f"<div><style>{_STYLE}</style>",
        f'<table class="e2kd-results"><caption><b>{title}.</b> {note}</caption>',
        f'<thead><tr><th scope="col"{below}>{html.escape(table.label_titles[0])}</th>',
        *(f'<th scope="col"{below}>{html.escape(name)}</th>' for name in table.label_titles[1:]),
        *(f'<th scope="colgroup" colspan="{span}">{html.escape(upper)}</th>' for upper, span in uppers),
        *(["</tr><tr>"] if uppers else []),
        *(f'<th scope="col"{_kind(column)}>{html.escape(column.title)}</th>' for column in table.columns),
        "</tr></thead>",
    ]
    width = len(table.label_titles) + len(table.columns)
    for group in table.groups:
        lines += _html_group(group, table, width)
    return "\n".join([*lines, "</table></div>"])


def write_latex(table: Table) -> str:
    """Write LaTeX with booktabs; a table wider than the text is scaled down."""
    labels = len(table.label_titles)
    width = labels + len(table.columns)
    caption = escape_latex(f"{table.title}. {table.note}")
    lines = [
        r"% needs \usepackage{booktabs,graphicx}",
        r"\begin{table}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{{table.label}}}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * labels}{'r' * len(table.columns)}}}",
        r"\toprule",
        *_latex_uppers(table),
        f"{' & '.join([*map(escape_latex, table.label_titles), *map(_latex_heading, table.columns)])} {_END}",
    ]
    for group in table.groups:
        lines.append(r"\midrule")
        if group.heading:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape_latex(group.heading)}}}}} {_END}")
        for row in group.rows:
            words = [*map(escape_latex, row.labels), *map(_latex_cell, row.cells)]
            lines.append(f"{' & '.join(words)} {_END}")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def write_markdown(table: Table) -> str:
    """Write Markdown."""
    headed = any(group.heading for group in table.groups)
    first = [table.group_title] if headed else []
    titles = [", ".join(part for part in (column.upper, column.title) if part) for column in table.columns]
    labels = [*first, *table.label_titles]
    lines = [
        f"**{table.title}.** {table.note}",
        "",
        f"| {' | '.join(map(_escape_markdown, [*labels, *titles]))} |",
        f"| {' | '.join(['---'] * len(labels) + ['--:'] * len(titles))} |",
    ]
    for group in table.groups:
        for row in group.rows:
            words = [*([group.heading] if headed else []), *row.labels, *map(_markdown_cell, row.cells)]
            lines.append(f"| {' | '.join(map(_escape_markdown, words))} |")
    return "\n".join([*lines, ""])


def escape_latex(text: str) -> str:
    """Escape LaTeX's special characters; symbols become commands."""
    return text.translate(_LATEX)


def _html_group(group: RowGroup, table: Table, width: int) -> list[str]:
    heading = html.escape(group.heading)
    lines = [f'<tbody><tr><th scope="rowgroup" colspan="{width}">{heading}</th></tr>' if heading else "<tbody>"]
    for row in group.rows:
        chip = "" if row.colour is None else f'<span aria-hidden="true" style="color: {row.colour}">■</span> '
        labels = [chip + html.escape(row.labels[0]), *map(html.escape, row.labels[1:])]
        headed = "".join(f'<th scope="row">{label}</th>' for label in labels)
        shown = "".join(_html_cell(cell, column) for cell, column in zip(row.cells, table.columns, strict=True))
        lines.append(f"<tr>{headed}{shown}</tr>")
    return [*lines, "</tbody>"]


def _html_cell(cell: Cell, column: Column) -> str:
    tooltip = f' title="{html.escape(cell.tooltip)}"' if cell.tooltip else ""
    number, bracket, count = html.escape(cell.text).partition(" (n")
    mean, space, spread = number.partition(" ")
    number = f"<b>{mean}</b>{space}{spread}" if cell.best else number
    count = f"<small>{bracket}{count}</small>" if bracket else ""
    return f"<td{_kind(column)}{tooltip}>{number}{count}</td>"


def _kind(column: Column) -> str:
    return f' class="{column.kind}"' if column.kind else ""


def _latex_uppers(table: Table) -> list[str]:
    if not table.uppers:
        return []
    titles, rules, start = [""] * len(table.label_titles), [], len(table.label_titles) + 1
    for upper, span in table.uppers:
        titles.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(upper)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    return [f"{' & '.join(titles).lstrip()} {_END}", " ".join(rules)]


def _latex_heading(column: Column) -> str:
    title = escape_latex(column.title)
    return rf"\shortstack{{{title.replace(' (', chr(92) * 2 + '(') if len(column.title) >= _STACKED else title}}}"


def _latex_cell(cell: Cell) -> str:
    mean, space, spread = cell.text.partition(" ")
    mean = rf"\textbf{{{escape_latex(mean)}}}" if cell.best else escape_latex(mean)
    return mean + space + escape_latex(spread)


def _markdown_cell(cell: Cell) -> str:
    mean, space, spread = cell.text.partition(" ")
    return f"**{mean}**{space}{spread}" if cell.best else cell.text


def _escape_markdown(text: str) -> str:
    return text.replace("|", r"\|")
