"""One engine for both instances of a pair, or one for each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Topology: TypeAlias = Literal["auto", "dual", "single"]
MEBIBYTE = 2**20
OVERHEAD = 1_024 * MEBIBYTE  # of a process, beside weights and cache
LEAST_STREAMS = 4  # whole conversations that each engine must have room for


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes. `stream`: keys and values of one full stream."""

    weights: int
    stream: int
    is_shared: bool = False  # both engines of a pair map one copy of the weights

    def of(self, engines: int) -> int:
        """What so many engines need at least."""
        copies = 1 if self.is_shared else engines
        return copies * self.weights + engines * (OVERHEAD + LEAST_STREAMS * self.stream)


def is_dual(wish: Topology, needs: Needs, there: int, pairs: int = 1) -> bool:
    """Two engines a pair where that is wished, or where it fits into the memory that is there."""
    if wish != "auto":
        return wish == "dual"
    return needs.of(2 * pairs) <= there
