"""Image files that are stored plainly: upright, with 8 bits a channel. Told by the headers of JPEG and PNG.

By hand, as Pillow takes many times as long for a header, and decodes a PNG to say how it is turned.
"""

from __future__ import annotations

from pathlib import Path

from e2kd_lab.data.png_chunks import png_chunks

_JPEG, _SCAN, _APP1 = b"\xff\xd8", 0xDA, 0xE1
# Places of bits and kind of colour in IHDR, and the kind that is grey without transparency.
_DEPTH, _COLOUR, _GREY = 8, 9, 0
# Chunks of PNG, and beginnings of their bodies, that may say how a picture is turned.
_TURNING = ((b"eXIf", b""), *((name, key) for name in (b"tEXt", b"zTXt", b"iTXt") for key in (b"Raw profile", b"XML:")))


def is_plain(path: Path, *, mask: bool = False) -> bool:
    """Whether a file surely is a plain JPEG or PNG, or a plain grey PNG for a mask; False where only decoding can tell.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    return (not mask and _is_plain_jpeg(path)) or _is_plain_png(path, mask)


def _is_plain_jpeg(path: Path) -> bool:
    """Whether no segment before the pixels has EXIF or XMP; Pillow decodes JPEG of 8 bits alone."""
    with path.open("rb") as file:
        if file.read(2) != _JPEG:
            return False
        while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != _APP1:
            if head[1] == _SCAN:
                return True
            file.seek(int.from_bytes(head[2:], "big") - 2, 1)
    return False


def _is_plain_png(path: Path, mask: bool) -> bool:
    """Whether its values have no high range, and no chunk turns it; chunks after the pixels may."""
    plain = False
    for name, body in png_chunks(path):
        if name == b"IHDR" and len(body) > _COLOUR:
            grey, sixteen = body[_COLOUR] == _GREY, body[_DEPTH] == 16
            plain = (grey and not sixteen) if mask else not (grey and sixteen)
        elif (mask and name == b"tRNS") or any(name == kind and body.startswith(key) for kind, key in _TURNING):
            return False
    return plain
