"""How this process holds memory: what a session held goes back to the system when it ends.

The C library keeps freed blocks for the next session unless they are large, and from the first
large one that is freed on it counts ever larger ones as small.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # names of malloc.h
_LARGE: Final = 256 * 1024  # bytes of a block that goes back as soon as it is freed
_TOP: Final = 4 * 2**20  # bytes that may lie unused at the heap's end


def give_back_large_blocks() -> None:
    """For the whole process, from now on; without effect where the C library is not GNU's."""
    try:
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _TOP)
    except (AttributeError, OSError):
        return


def settle() -> None:
    """The models are loaded and will stay: the collector need not look at them again, so that it
    looks at what sessions leave more often, and is done sooner."""
    gc.collect()
    gc.freeze()
