"""Links that save a picture's files where the browser runs, and buttons that copy them."""

from __future__ import annotations

import base64
import csv
import html
import io
import zipfile
from collections.abc import Mapping

# Content type of each suffix that panels write.
_TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "svg": "image/svg+xml",
    "png": "image/png",
    "zip": "application/zip",
}
# The clipboard of browsers takes no files without https, but on this machine: then text is copied as from a field.
_COPY_TEXT = """(async b => { const text = b.dataset.text; try {
if (navigator.clipboard) await navigator.clipboard.writeText(text);
else { const t = document.createElement('textarea'); t.value = text; document.body.append(t); t.select();
const done = document.execCommand('copy'); t.remove(); if (!done) throw 0; }
b.nextElementSibling.textContent = ' copied'; } catch { b.nextElementSibling.textContent = ' the browser refused'; }
})(this)"""
_COPY_PICTURE = """(async b => { try { const link = b.closest('div').querySelector('a[download$=png]');
await navigator.clipboard.write([new ClipboardItem({'image/png': (async () => (await fetch(link.href)).blob())()})]);
b.nextElementSibling.textContent = ' copied'; }
catch { b.nextElementSibling.textContent = ' the browser refused: right-click the picture to copy it'; }
})(this)"""


def download_menu(exports: Mapping[str, Mapping[str, bytes]], *, caption: str = "") -> str:
    """HTML of a menu: a link for each file, one for all of them, and buttons to copy picture, table and caption.

    Parameters
    ----------
    exports : mapping
        The bytes of each file by suffix, by name without suffix. What can be copied is the first picture and table.
    caption : str
        A caption to copy, or none.

    Examples
    --------
    >>> menu = download_menu({"bars": {"png": b"...", "csv": b"method,value"}})
    >>> 'download="bars.csv"' in menu, "Copy table" in menu, "Copy caption" in menu
    (True, True, False)
    """
    files = {f"{name}.{suffix}": content for name, own in exports.items() for suffix, content in own.items()}
    first = next(iter(exports))
    links = [_link(f"{first}.zip", _zipped(files), "all as ZIP")] if len(files) > 1 else []
    links += [_link(name, content, _title(name, exports)) for name, content in files.items()]
    buttons = [_button("Copy figure", _COPY_PICTURE)] if any(name.endswith(".png") for name in files) else []
    table = next((content for name, content in files.items() if name.endswith(".csv")), None)
    if table is not None:
        buttons.append(_button("Copy table", _COPY_TEXT, _tab_separated(table)))
    if caption:
        buttons.append(_button("Copy caption", _COPY_TEXT, caption))
    return f"<div style='line-height: 2'>Save: {' · '.join(links)}<br>{' '.join(buttons)}</div>"


def _title(name: str, exports: Mapping[str, Mapping[str, bytes]]) -> str:
    return name if len(exports) > 1 else name.rpartition(".")[2].upper()


def _link(name: str, content: bytes, title: str) -> str:
    kind = _TYPES.get(name.rpartition(".")[2], "text/plain;charset=utf-8")
    data = base64.b64encode(content).decode()
    return f'<a download="{html.escape(name)}" href="data:{kind};base64,{data}">{html.escape(title)}</a>'


def _button(title: str, script: str, text: str = "") -> str:
    code, told = html.escape(script), html.escape(text).replace("\n", "&#10;").replace("\t", "&#9;")
    return f'<button onclick="{code}" data-text="{told}">{title}</button><span role="status"></span>'


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # dated 1980, so that it is stable
    return buffer.getvalue()


def _tab_separated(table: bytes) -> str:
    """A CSV file as spreadsheets paste it."""
    rows = csv.reader(io.StringIO(table.decode(), newline=""))
    return "\n".join("\t".join(" ".join(cell.split()) for cell in row) for row in rows)
