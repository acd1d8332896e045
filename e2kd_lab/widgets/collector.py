"""Garbage collection in a kernel that draws."""

from __future__ import annotations

import functools
import gc


@functools.cache
def spare_what_is_loaded() -> None:
    """Exempt all existing objects from garbage collection, once per process.

    Figures are reference cycles, so the collector runs often while a panel draws. A full collection also traverses the
    several hundred thousand objects of the imported libraries, which never go away: 0.2 to 0.3 s in which a slider
    hangs.
    """
    gc.collect()
    gc.freeze()
