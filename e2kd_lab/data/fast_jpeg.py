"""JPEG files decoded by simplejpeg, where it is installed: by libjpeg-turbo as in Pillow, straight into an array."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

HAS_SIMPLEJPEG = find_spec("simplejpeg") is not None


def decode_jpeg(path: Path, height: int, width: int) -> np.ndarray | None:
    """Decode an RGB JPEG.

    Parameters
    ----------
    path : Path
        The file.
    height, width : int
        Size of the result in pixels: the picture's, or a half, a quarter or an eighth of it, rounded up.

    Returns
    -------
    ndarray or None
        uint8 (height, width, 3), the pixels that Pillow gives. None if simplejpeg is not installed or refuses the file,
        so that Pillow should read it, or say what is wrong.
    """
    if not HAS_SIMPLEJPEG:
        return None
    import simplejpeg

    try:
        pixels = simplejpeg.decode_jpeg(path.read_bytes(), min_height=height, min_width=width)
    except (OSError, ValueError):
        return None
    return pixels if pixels.shape == (height, width, 3) else None
