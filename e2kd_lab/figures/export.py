"""Figures as files: PDF, SVG and PNG of exact width, byte-stable, and the numbers behind them."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from e2kd_lab.figures.style import styled
from e2kd_lab.system.atomic_write import write_bytes, write_text

EXPORT_DPI, SCREEN_DPI = 300, 150
# Dates and program versions would make two exports of one figure differ.
_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def figure_bytes(figure: Figure, kind: str = "png", *, dpi: int = SCREEN_DPI) -> bytes:
    """A figure as the content of a ``png``, ``pdf`` or ``svg`` file."""
    buffer = io.BytesIO()
    with styled():
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return buffer.getvalue()


def export_figure(figure: Figure, path: Path | str, data: pd.DataFrame | None = None) -> list[Path]:
    """Write a figure as PDF, SVG and 300-dpi PNG, and the table behind it as CSV.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : Path or str
        The files' common path without suffix.
    data : DataFrame, optional
        What the figure shows.

    Returns
    -------
    list of Path
        The files, each written completely or not at all.
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
