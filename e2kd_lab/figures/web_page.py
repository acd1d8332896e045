"""Web pages that need neither network nor kernel: style, pictures and sortable tables in one file."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pandas as pd


def page(title: str, body: str, *, scripts: Sequence[str] = (), data: object = None) -> str:
    """A complete page.

    Parameters
    ----------
    title : str
        Its title.
    body : str
        HTML of its content.
    scripts : sequence of str
        JavaScript to run in it, besides that of sortable tables; it finds ``data`` as ``DATA``.
    data : object
        What JSON can write.

    Examples
    --------
    >>> page("Results", sortable(pd.DataFrame({"Method": ["KD"]}))).startswith("<!DOCTYPE html>")
    True
    """
    # "</script>" in a string would end the script.
    written = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    code = "\n".join([asset("sortable.js"), *scripts])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{asset('page.css')}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n{body}\n<script>\nconst DATA = {written};\n{code}</script>\n</body>\n</html>\n"
    )


def asset(name: str, package: str = "e2kd_lab.figures") -> str:
    """A file of a package, such as a style sheet."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def data_url(content: bytes, kind: str = "image/png") -> str:
    """A file's content as an address.

    Examples
    --------
    >>> data_url(b"PNG")
    'data:image/png;base64,UE5H'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def themed_picture(light: str, dark: str, text: str) -> str:
    """A picture by its addresses on a light and on a dark page; ``text`` says what it shows.

    Examples
    --------
    >>> "<img src='light.png' alt='Accuracy'>" in themed_picture("light.png", "dark.png", "Accuracy")
    True
    """
    dark = f"<source media='(prefers-color-scheme: dark)' srcset='{dark}'>"
    return f"<picture>{dark}<img src='{light}' alt='{html.escape(text)}'></picture>"


def sortable(table: pd.DataFrame) -> str:
    """A table that is sorted by a click on a heading; its index is left out.

    Examples
    --------
    >>> "<td data-value='71.25'>71.2</td>" in sortable(pd.DataFrame({"Accuracy (%)": [71.25]}))
    True
    """
    words = [not pd.api.types.is_numeric_dtype(table[column]) for column in table]
    decimals = [0 if own else _decimals(table[column]) for column, own in zip(table, words, strict=True)]
    heads = [
        f"<th{_kind(own)} scope='col'><button>{html.escape(str(column))}</button></th>"
        for column, own in zip(table, words, strict=True)
    ]
    rows = ["<tr>" + "".join(map(_cell, row, words, decimals)) + "</tr>" for row in table.itertuples(index=False)]
    body = "\n".join(rows)
    return (
        f"<div class='scrolls'><table><thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _decimals(column: pd.Series) -> int:
    """Digits after the point, the same for a whole column: one for percents, three below 1."""
    largest = column.abs().max()
    return 1 if largest >= 10 else 3


def _kind(words: bool) -> str:
    return " class='words'" if words else ""


def _cell(value: Any, words: bool, decimals: int) -> str:
    if isinstance(value, float) and math.isnan(value):
        return f"<td{_kind(words)} data-value=''>–</td>"
    text = str(value)
    if isinstance(value, float):
        text = f"{value:.{decimals}f}"
    return f"<td{_kind(words)} data-value='{html.escape(str(value), quote=True)}'>{html.escape(text)}</td>"
