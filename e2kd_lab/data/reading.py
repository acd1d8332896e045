"""How the pictures of a data set are read, as a part of its identity.

Runs are named after the content of their data. Where a picture is read otherwise than as it is stored, for instance
turned upright, the same files give other numbers than they gave to versions that did not turn it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from e2kd_lab.data.high_range import is_high_range
from e2kd_lab.data.images import opened, read_all, read_picture
from e2kd_lab.data.masks import decode_mask
from e2kd_lab.data.orientation import orientation_of
from e2kd_lab.data.plain_files import is_plain
from e2kd_lab.system.errors import DataError

# Raised when such pictures are read in yet another way, so that old runs on them are not taken for new ones.
_VERSION = 2
_AT_ONCE = 256
# Masks whose values are looked at: a tool writes all of a set alike, and decoding every one would take long.
_SAMPLE = 64
_known: dict[tuple[str, str], str] = {}


def identified(digest: str, root: Path, pictures: Sequence[Path], masks: Sequence[Path] = ()) -> str:
    """The identity of a data set: the digest of its content and, unless they are none, how many pictures it repairs.

    Headers of all files are read once for each content; pictures are decoded where they may be read otherwise than as
    they are stored, and a few masks for their values.

    Parameters
    ----------
    digest : str
        Digest of names, labels and sizes.
    root : Path
        The folder of the data set.
    pictures : sequence of Path
        All pictures.
    masks : sequence of Path
        Their masks, if there are any.

    Returns
    -------
    str
        The digest alone for ordinary data sets.
    """
    key = str(root), digest
    if key not in _known:
        sample = set(masks[:: -(-len(masks) // _SAMPLE)]) if masks else set()
        counts = {
            "pictures": _count(pictures, lambda path: not is_plain(path) and _is_repaired(path)),
            "masks": _count(masks, lambda path: (path in sample or not is_plain(path, mask=True)) and _is_other(path)),
        }
        _known[key] = reading(counts)
    return digest + _known[key]


def reading(counts: Mapping[str, int]) -> str:
    """The part of an identity that says how many of each kind are read otherwise than as they are stored.

    Examples
    --------
    >>> reading({"pictures": 3, "masks": 0})
    '+reading 2: 3 pictures'
    """
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"+reading {_VERSION}: {found}" if found else ""


def _count(paths: Sequence[Path], judge: Callable[[Path], bool]) -> int:
    """How many files are judged to be read otherwise; one that cannot be read is refused where it is used."""

    def judged(some: Sequence[Path]) -> int:
        count = 0
        for path in some:
            with suppress(OSError, DataError):
                count += judge(path)
        return count

    different = list(dict.fromkeys(paths))
    return sum(read_all(judged, [different[at : at + _AT_ONCE] for at in range(0, len(different), _AT_ONCE)]))


def _is_repaired(path: Path) -> bool:
    """Whether a picture has other pixels than Pillow alone gives it."""
    with opened(path) as image:
        if not is_high_range(image) and (image.format == "TIFF" or orientation_of(image) == 1):
            return False
        plain = np.asarray(image.convert("RGB"))
    return not np.array_equal(plain, read_picture(path).pixels)


def _is_other(path: Path) -> bool:
    """Whether a mask has other pixels than Pillow alone gives it."""
    with opened(path) as image:
        plain = np.asarray(image.convert("L"))
    return not np.array_equal(plain, decode_mask(path).pixels)
