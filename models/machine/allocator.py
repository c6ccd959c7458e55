"""Memory that the networks' layers give back is kept for the next ones.

A layer's maps are megabytes. glibc has the kernel map such pieces anew each time, and fill them with zeros page by page
as they are first touched: a tenth of the time of a detection, a third of that of a training step.
"""

from __future__ import annotations

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Names of mallopt's parameters (malloc.h)."""
_ALL = 2**31 - 1


@cache
def keep_freed() -> bool:
    """Have this process keep what it frees, for as long as it lives; whether its C library can (glibc)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _ALL))
