"""Chunks of a PNG file, of which Pillow leaves some unread."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LONGEST = 32  # bytes; longer bodies are cut


def png_chunks(path: Path | str) -> Iterator[tuple[bytes, bytes]]:
    """Name of each chunk of a PNG file, and the first bytes of its body; none of another file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            return
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            end = file.tell() + length + 4  # after the checksum
            yield name, file.read(min(length, _LONGEST))
            file.seek(end)
