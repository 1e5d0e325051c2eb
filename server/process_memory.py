"""How this process holds memory: what a session held goes back to the system when it ends.

The C library keeps freed blocks for the next session unless they are large, and from the first
large one that is freed on it counts ever larger ones as small.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # names of malloc.h
_LARGE: Final = 256 * 1024  # bytes of a block that goes back as soon as it is freed
_AFTER_SESSION_S: Final = 5.0
_TOP: Final = 4 * 2**20  # bytes that may lie unused at the heap's end


def give_back_large_blocks() -> None:
    """For the whole process, from now on; without effect where the C library is not GNU's."""
    try:
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, _TOP)
    except (AttributeError, OSError):
        return


def give_back_freed_blocks() -> None:
    """Once, now: what lies unused between blocks that are used; takes some milliseconds."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return


class FreedMemory:
    """Gives what ended sessions have held back to the system, on a thread, some seconds after one
    has ended and not more often."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def session_ended(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AFTER_SESSION_S, self._begin)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _begin(self) -> None:
        self._timer = None
        asyncio.get_running_loop().run_in_executor(None, give_back_freed_blocks)


def settle() -> None:
    """The models are loaded and will stay: the collector need not look at them again, so that it
    looks at what sessions leave more often, and is done sooner."""
    gc.collect()
    gc.freeze()
