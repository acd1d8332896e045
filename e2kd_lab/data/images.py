"""Reading image files with PIL, and saying clearly when one cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image as PILImage
from PIL import UnidentifiedImageError
from torch import from_numpy
from torchvision import tv_tensors

from e2kd_lab.errors import DataError


def read_image(path: Path) -> tv_tensors.Image:
    """Decode an image file to RGB.

    Parameters
    ----------
    path : Path
        JPEG or PNG file.

    Returns
    -------
    tv_tensors.Image
        uint8, (3, H, W).

    Raises
    ------
    DataError
        If the file is missing, truncated or no image.
    """
    return tv_tensors.Image(from_numpy(_decode(path, "RGB")).permute(2, 0, 1).contiguous())


def read_mask(path: Path) -> tv_tensors.Mask:
    """Decode a soft segmentation mask.

    Parameters
    ----------
    path : Path
        8-bit greyscale PNG, 0 outside to 255 inside the object.

    Returns
    -------
    tv_tensors.Mask
        uint8, (1, H, W).

    Raises
    ------
    DataError
        If the file is missing, truncated or no image.
    """
    return tv_tensors.Mask(from_numpy(_decode(path, "L"))[None])


def _decode(path: Path, mode: Literal["RGB", "L"]) -> np.ndarray:
    try:
        with PILImage.open(path) as image:
            # A copy: arrays over PIL's own buffer are read-only, which torch does not know.
            return np.array(image.convert(mode))
    except FileNotFoundError:
        raise DataError(f"Image {path} is not there.") from None
    except UnidentifiedImageError as error:
        raise DataError(f"Image {path} is no image that can be decoded; expected JPEG or PNG.") from error
    except (OSError, SyntaxError, ValueError, PILImage.DecompressionBombError) as error:
        # PIL reports damaged data as OSError ("image file is truncated") and damaged PNG chunks as SyntaxError.
        raise DataError(f"Image {path} is truncated or damaged and cannot be decoded: {error}.") from error
