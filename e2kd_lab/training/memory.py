"""Memory that the C library shall keep between two training steps."""

from __future__ import annotations

import ctypes
import functools
import sys

# Names of glibc's malloc.h, and the largest values that make sense.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_NEVER, _BLOCK = 2**31 - 1, 2**30


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep what this process frees, in place of giving it back to the system again and again.

    Feature maps and weights are blocks of megabytes, which glibc hands back as soon as a step is done with them. The
    system has to clear every page of them anew at the next step; a tenth to a quarter of a step's time on a CPU goes
    there. The process then keeps the memory of its largest step until it ends. Results do not change.

    Returns
    -------
    bool
        Whether it was glibc and took the advice; other systems are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        advise = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(advise(_M_TRIM_THRESHOLD, _NEVER)) and bool(advise(_M_MMAP_THRESHOLD, _BLOCK))
