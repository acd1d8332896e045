"""Figures as files: byte-stable PDF, SVG and PNG of exact width, and the data as CSV."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from e2kd_lab.figures.style import styled
from e2kd_lab.system.atomic_write import write_bytes, write_text

EXPORT_DPI, SCREEN_DPI = 300, 150
# Without dates and versions, two exports of a figure are equal.
_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def figure_bytes(figure: Figure, kind: str = "png", *, dpi: int = SCREEN_DPI) -> bytes:
    """Render a figure as the bytes of a file.

    Parameters
    ----------
    figure : Figure
        The figure.
    kind : str
        ``png``, ``pdf`` or ``svg``.
    dpi : int
        Resolution of PNG files and of pixels inside the others.

    Examples
    --------
    >>> figure_bytes(Figure())[:4]
    b'\x89PNG'
    """
    buffer = io.BytesIO()
    with styled():
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return buffer.getvalue()


def export_figure(figure: Figure, path: Path | str, data: pd.DataFrame | None = None) -> list[Path]:
    """Write a figure as PDF, SVG and 300-dpi PNG, and its data as CSV.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : Path or str
        Path of the files without suffix.
    data : DataFrame, optional
        Data of the figure.

    Returns
    -------
    list of Path
        The files, each written completely or not at all.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> [file.name for file in export_figure(Figure(), f"{folder}/empty")]
    ['empty.pdf', 'empty.svg', 'empty.png']
    """
    stem = Path(path)
    files = []
    for kind in ("pdf", "svg", "png"):
        files.append(stem.with_name(f"{stem.name}.{kind}"))
        write_bytes(files[-1], figure_bytes(figure, kind, dpi=EXPORT_DPI))
    if data is not None:
        files.append(stem.with_name(f"{stem.name}.csv"))
        write_text(files[-1], data.to_csv(index=False, lineterminator="\n"))
    return files
