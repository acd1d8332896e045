"""Mutations of pictures: bit depth, palettes, orientation, frames, and files that claim more than they hold."""

import io
import struct
import zlib

import numpy as np
from endurance.mutations import OF_BYTES
from PIL import Image


def _stored(picture, form=None, extra=lambda rng: {}):
    """Store a picture in another mode or format, if its bytes are one."""

    def mutate(rng, content):
        try:
            with Image.open(io.BytesIO(content)) as image:
                values = np.asarray(image.convert("L"))
        except Exception:  # damaged by an earlier mutation
            return content
        written = io.BytesIO()
        picture(rng, values).save(written, format=form or rng.choice(("PNG", "TIFF")), **extra(rng))
        return written.getvalue()

    return mutate


def _floats(rng, values):
    pixels = values.astype(np.float32) * rng.choice((1.0, 1 / 255, 257.0, -1.0, 1e30))
    pixels[0, 0] = rng.choice((0.0, 1.0, np.nan, np.inf, -1.0))
    return Image.fromarray(pixels)


def _palette(rng, values):
    image = Image.fromarray(values).quantize(rng.choice((1, 2, 16, 256)))
    if rng.random() < 0.5:
        image.putpalette(rng.randbytes(rng.choice((3, 30, 768))))
    return image


def _exif(rng):
    exif = Image.Exif()
    exif[0x0112] = rng.choice((*range(1, 9), 0, 9, 65535))
    written = bytearray(exif.tobytes())
    if rng.random() < 0.5:
        written[rng.randrange(len(written))] ^= 1 << rng.randrange(8)
    return {"exif": bytes(written)}


def _chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _stated_by_png(rng, content):
    """A grey PNG of 16 bits that states its bits, perhaps wrongly."""
    png = _stored(_sixteen_bits, form="PNG")(rng, content)
    if not png.startswith(b"\x89PNG"):
        return content
    body = rng.choice((b"", *(bytes([bits]) for bits in (0, 8, 9, 12, 16, 17, 255)), bytes(99)))
    return png[:33] + _chunk(b"sBIT", body) + png[33:]


def _stated_by_tiff(rng):
    """Tags of TIFF that state a range: MaxSampleValue, and whether 0 is white."""
    return {"tiffinfo": {281: rng.choice((0, 1, 255, 1000, 4095, 65535)), 262: rng.choice((0, 1, 2))}}


def _sixteen_bits(rng, values):
    return Image.fromarray(values.astype(np.uint16) * rng.choice((1, 16, 257)))


def _bomb(rng, _):
    """A small PNG file that claims or holds many pixels, text or frames."""
    side = rng.choice((1, 9000, 9500, 30_000, 2**31 - 1))
    depth, colour = rng.choice(((1, 0), (8, 2), (16, 0), (16, 6), (8, 3), (3, 9)))
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, rng.choice((1, side)), depth, colour, 0, 0, 0))
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 2_000_000)) if rng.random() < 0.5 else b""
    pixels = _chunk(b"IDAT", zlib.compress(bytes(rng.choice((10, 100_000)))))
    return b"\x89PNG\r\n\x1a\n" + header + text + pixels + _chunk(b"IEND", b"")


OF_PICTURES = {
    **OF_BYTES,
    "16 bits": _stored(_sixteen_bits),
    "stated by PNG": _stated_by_png,
    "stated by TIFF": _stored(_sixteen_bits, form="TIFF", extra=_stated_by_tiff),
    "32 bits": _stored(
        lambda rng, values: Image.fromarray(values.astype(np.int32) - rng.choice((0, 300))), form="TIFF"
    ),
    "floats": _stored(_floats, form="TIFF"),
    "palette": _stored(_palette),
    "1 bit": _stored(lambda rng, values: Image.fromarray(values).convert("1")),
    "cmyk": _stored(lambda rng, values: Image.fromarray(values).convert("CMYK"), form="JPEG"),
    "alpha": _stored(lambda rng, values: Image.merge("LA", [Image.fromarray(values * rng.choice((0, 1)))] * 2)),
    "turned": _stored(lambda rng, values: Image.fromarray(values), form="PNG", extra=_exif),
    "frames": _stored(
        lambda rng, values: Image.fromarray(values),
        form="GIF",
        extra=lambda rng: {"save_all": True, "append_images": [Image.new("L", (rng.choice((1, 12)), 8))]},
    ),
    "bomb": _bomb,
}
