"""A laid-out table as a web page's element, for LaTeX (booktabs) and for Markdown."""

from __future__ import annotations

import html

from e2kd_lab.figures.table_layout import Block, Cell, Head, Layout

_END = r"\\"
_STACKED = 16  # longer headings are broken before a bracket
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


def write_html(layout: Layout) -> str:
    """A table as HTML with a caption and scoped headings, well-formed as XML."""
    title, note = html.escape(layout.title), html.escape(layout.note)
    uppers = layout.uppers
    below = f' rowspan="{2 if uppers else 1}"'
    lines = [
        f"<div><style>{_STYLE}</style>",
        f'<table class="e2kd-results"><caption><b>{title}.</b> {note}</caption>',
        f'<thead><tr><th scope="col"{below}>{html.escape(layout.label_titles[0])}</th>',
        *(f'<th scope="col"{below}>{html.escape(name)}</th>' for name in layout.label_titles[1:]),
        *(f'<th scope="colgroup" colspan="{span}">{html.escape(upper)}</th>' for upper, span in uppers),
        *(["</tr><tr>"] if uppers else []),
        *(f'<th scope="col"{_kind(head)}>{html.escape(head.title)}</th>' for head in layout.heads),
        "</tr></thead>",
    ]
    width = len(layout.label_titles) + len(layout.heads)
    for block in layout.blocks:
        lines += _html_block(block, layout, width)
    return "\n".join([*lines, "</table></div>"])


def write_latex(layout: Layout) -> str:
    """A table for LaTeX, with booktabs; one that is too wide for the text is scaled down."""
    labels = len(layout.label_titles)
    width = labels + len(layout.heads)
    caption = escape_latex(f"{layout.title}. {layout.note}")
    lines = [
        r"% needs \usepackage{booktabs,graphicx}",
        r"\begin{table}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{{layout.label}}}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{'l' * labels}{'r' * len(layout.heads)}}}",
        r"\toprule",
        *_latex_uppers(layout),
        f"{' & '.join([*map(escape_latex, layout.label_titles), *map(_latex_head, layout.heads)])} {_END}",
    ]
    for block in layout.blocks:
        lines.append(r"\midrule")
        if block.heading:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\emph{{{escape_latex(block.heading)}}}}} {_END}")
        for line in block.lines:
            words = [*map(escape_latex, line.labels), *map(_latex_cell, line.cells)]
            lines.append(f"{' & '.join(words)} {_END}")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table}", ""])


def write_markdown(layout: Layout) -> str:
    """A table for Markdown, with pipes."""
    headed = any(block.heading for block in layout.blocks)
    first = [layout.block_title] if headed else []
    titles = [", ".join(part for part in (head.upper, head.title) if part) for head in layout.heads]
    labels = [*first, *layout.label_titles]
    lines = [
        f"**{layout.title}.** {layout.note}",
        "",
        f"| {' | '.join(map(_escape_markdown, [*labels, *titles]))} |",
        f"| {' | '.join(['---'] * len(labels) + ['--:'] * len(titles))} |",
    ]
    for block in layout.blocks:
        for line in block.lines:
            words = [*([block.heading] if headed else []), *line.labels, *map(_markdown_cell, line.cells)]
            lines.append(f"| {' | '.join(map(_escape_markdown, words))} |")
    return "\n".join([*lines, ""])


def escape_latex(text: str) -> str:
    """Text for LaTeX: its special characters and the lab's symbols as commands."""
    return text.translate(_LATEX)


def _html_block(block: Block, layout: Layout, width: int) -> list[str]:
    heading = html.escape(block.heading)
    lines = [f'<tbody><tr><th scope="rowgroup" colspan="{width}">{heading}</th></tr>' if heading else "<tbody>"]
    for line in block.lines:
        chip = "" if line.colour is None else f'<span aria-hidden="true" style="color: {line.colour}">■</span> '
        labels = [chip + html.escape(line.labels[0]), *map(html.escape, line.labels[1:])]
        headed = "".join(f'<th scope="row">{label}</th>' for label in labels)
        shown = "".join(_html_cell(cell, head) for cell, head in zip(line.cells, layout.heads, strict=True))
        lines.append(f"<tr>{headed}{shown}</tr>")
    return [*lines, "</tbody>"]


def _html_cell(cell: Cell, head: Head) -> str:
    told = f' title="{html.escape(cell.told)}"' if cell.told else ""
    number, bracket, count = html.escape(cell.text).partition(" (n")
    mean, space, spread = number.partition(" ")
    number = f"<b>{mean}</b>{space}{spread}" if cell.best else number
    count = f"<small>{bracket}{count}</small>" if bracket else ""
    return f"<td{_kind(head)}{told}>{number}{count}</td>"


def _kind(head: Head) -> str:
    return f' class="{head.kind}"' if head.kind else ""


def _latex_uppers(layout: Layout) -> list[str]:
    if not layout.uppers:
        return []
    titles, rules, start = [""] * len(layout.label_titles), [], len(layout.label_titles) + 1
    for upper, span in layout.uppers:
        titles.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(upper)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    return [f"{' & '.join(titles).lstrip()} {_END}", " ".join(rules)]


def _latex_head(head: Head) -> str:
    title = escape_latex(head.title)
    return rf"\shortstack{{{title.replace(' (', chr(92) * 2 + '(') if len(head.title) >= _STACKED else title}}}"


def _latex_cell(cell: Cell) -> str:
    mean, space, spread = cell.text.partition(" ")
    mean = rf"\textbf{{{escape_latex(mean)}}}" if cell.best else escape_latex(mean)
    return mean + space + escape_latex(spread)


def _markdown_cell(cell: Cell) -> str:
    mean, space, spread = cell.text.partition(" ")
    return f"**{mean}**{space}{spread}" if cell.best else cell.text


def _escape_markdown(text: str) -> str:
    return text.replace("|", r"\|")
