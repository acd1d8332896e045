"""Python's garbage collector in a kernel that draws."""

from __future__ import annotations

import functools
import gc


@functools.cache
def spare_what_is_loaded() -> None:
    """Take all objects that exist now out of the collector's rounds, once a process.

    Figures are cycles of objects, so that the collector runs often while a panel draws. Each of its full rounds also
    walks through what the imported libraries hold for ever, several hundred thousand objects: a fifth to a third of a
    second, in which a slider hangs.
    """
    gc.collect()
    gc.freeze()
