"""Figures as files: byte-stable PDF, SVG and PNG of exact width, and the data as CSV."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from e2kd_lab.figures.dark_ground import on_ground
from e2kd_lab.figures.options import PAGES, current_options
from e2kd_lab.figures.style import SELECTION, data_of, styled
from e2kd_lab.system.atomic_write import write_bytes
from e2kd_lab.system.errors import RunError, note
from e2kd_lab.system.paths import readable

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

    Returns
    -------
    bytes
        The file; a PDF has the page of the options that the figure was drawn with (see `FigureOptions`).

    Examples
    --------
    >>> figure_bytes(Figure())[:4]
    b'\x89PNG'
    """
    buffer = io.BytesIO()
    with styled():
        FigureCanvasAgg(figure)
        figure.savefig(
            buffer, format=kind, dpi=dpi, metadata=_METADATA[kind], bbox_inches=_page(figure) if kind == "pdf" else None
        )
    return buffer.getvalue()


def _page(figure: Figure) -> Bbox | None:
    """The page around a figure, in inches from its lower left corner; None for a page of the figure's size."""
    page = PAGES[getattr(figure, "options", current_options()).page]
    if page is None:
        return None
    width, height = figure.get_size_inches()
    across, down = page if width <= page[0] else page[::-1]
    if width > across or height > down:
        note(
            f"A figure of {width:.3g} x {height:.3g} in does not fit on a page of {across:.3g} x {down:.3g} in; its "
            "PDF is as large as the figure. Expected a smaller width, or page='tight'."
        )
        return None
    return Bbox.from_bounds((width - across) / 2, (height - down) / 2, across, down)


def screen_png(figure: Figure) -> bytes:
    """Render a figure as PNG for the screen, in a fraction of the time of `figure_bytes`: drawn once, packed lightly.

    Parameters
    ----------
    figure : Figure
        The figure.

    Examples
    --------
    >>> screen_png(Figure())[:4]
    b'\x89PNG'
    """
    before = figure.dpi
    figure.dpi = SCREEN_DPI
    try:
        with styled(getattr(figure, "options", None)), on_ground(figure):
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
    finally:
        figure.dpi = before
    return canvas_png(canvas)


def canvas_png(canvas: FigureCanvasAgg) -> bytes:
    """What is drawn on a canvas as PNG, packed lightly."""
    return light_png(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))


def light_png(picture: Image.Image) -> bytes:
    """A picture as PNG, packed lightly: for the screen, where time counts more than size."""
    pixels = np.asarray(picture.convert("RGB"))
    height, width, _ = pixels.shape
    # Each row as its difference to the one above (filter 2). To try all filters, as Pillow does, takes as long as all
    # the rest.
    rows = np.full((height, 1 + 3 * width), 2, np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    rows[1:, 1:] -= pixels.reshape(height, -1)[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    # Only equal neighbours are looked for: a quarter faster, and hardly larger.
    packing = zlib.compressobj(1, strategy=zlib.Z_RLE)
    packed = packing.compress(rows.tobytes()) + packing.flush()
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def export_figure(
    figure: Figure, path: Path | str, data: pd.DataFrame | None = None, *, overwrite: bool = True
) -> list[Path]:
    """Write a figure as PDF, SVG and 300-dpi PNG, and its data as CSV.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : Path or str
        Path of the files without suffix.
    data : DataFrame, optional
        Data of the figure; bars and curves over shots know theirs, a row for each number that they show.
    overwrite : bool
        Replace files of this name. If False, a number is added to the name where they show something else.

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
    return export_files(figure_contents(figure, data), path, overwrite=overwrite)


def figure_contents(figure: Figure, data: pd.DataFrame | None = None) -> dict[str, bytes]:
    """What `export_figure` writes: the bytes of each file by its suffix."""
    with _without_selection(figure):
        contents = {kind: figure_bytes(figure, kind, dpi=EXPORT_DPI) for kind in ("pdf", "svg", "png")}
    own = data_of(figure)
    data = data if own is None else own
    if data is not None:
        contents["csv"] = data.to_csv(index=False, lineterminator="\n").encode()
    return contents


@contextmanager
def _without_selection(figure: Figure) -> Iterator[None]:
    """Hide what a panel has picked."""
    chosen = [artist for artist in figure.findobj() if artist.get_gid() == SELECTION and artist.get_visible()]
    try:
        for artist in chosen:
            artist.set_visible(False)
        yield
    finally:
        for artist in chosen:
            artist.set_visible(True)


def export_files(contents: Mapping[str, bytes], path: Path | str, *, overwrite: bool = True) -> list[Path]:
    """Write files that differ in their suffix only.

    Parameters
    ----------
    contents : mapping of str to bytes
        Content of each file by its suffix, such as ``png``.
    path, overwrite
        See `export_figure`.

    Raises
    ------
    RunError
        If a file cannot be written, or one of that name not be read.

    Returns
    -------
    list of Path
        The files.
    """
    stem = Path(path)
    for number in itertools.count(1):
        name = stem.name if number == 1 else f"{stem.name}_{number}"
        files = {stem.with_name(f"{name}.{suffix}"): content for suffix, content in contents.items()}
        with readable(stem.parent, RunError):
            if overwrite or all(file.read_bytes() == content for file, content in files.items() if file.exists()):
                break
    for file, content in files.items():
        write_bytes(file, content)
    return list(files)
