"""Caches of conversations that SmolLM2 has read, so that a longer one is read only from where it
differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from models.smollm.chat import Chat
from models.smollm.gguf import Array

PIECE = 32  # tokens read in one go, so that long texts do not hold up other conversations


class ChatNetwork(Protocol):
    """What a reply is computed with, such as models.smollm.network.SmolNetwork."""

    @property
    def chat(self) -> Chat: ...

    def cache(self, capacity: int) -> Any:
        """A conversation of at most so many tokens; `rewind(n)` forgets all but its first n."""
        ...

    def read(self, cache: Any, ids: list[int]) -> Array:
        """Read tokens after those that were read; the scores [vocabulary] of the next, valid until
        the next call. Raises OutOfRoom."""
        ...


@dataclass(slots=True, eq=False)
class CacheSlot:
    """One cache and the tokens that it has read; used by one request at a time, on any thread."""

    cache: Any
    ids: list[int] = field(default_factory=list)
    used: int = 0  # when it was last asked for

    def keep(self, wanted: Sequence[int]) -> int:
        """Forget what differs from `wanted`; how many of its tokens are read already. The last is
        always read again, for its scores."""
        same = common(self.ids, wanted[:-1])
        self.cache.rewind(same)
        del self.ids[same:]
        return same

    def read(self, network: ChatNetwork, ids: Sequence[int]) -> Array:
        """Read tokens; the scores after them. Raises OutOfRoom."""
        scores = network.read(self.cache, list(ids))
        self.ids += ids
        return scores


class CacheSlots:
    """At most so many caches; a request waits for one where all are in use."""

    def __init__(self, network: ChatNetwork, capacity: int, most: int) -> None:
        self._network, self._capacity, self._most = network, capacity, most
        self._idle: list[CacheSlot] = []
        self._made = self._clock = 0
        self._free = asyncio.Semaphore(most)

    @asynccontextmanager
    async def borrowed(self, ids: Sequence[int]) -> AsyncIterator[CacheSlot]:
        """The slot that has read the longest beginning of `ids`. One that would lose another
        conversation is taken only where no more can be made."""
        async with self._free:
            slot = self._chosen(ids)
            self._clock += 1
            slot.used = self._clock
            try:
                yield slot
            finally:
                self._idle.append(slot)

    def _chosen(self, ids: Sequence[int]) -> CacheSlot:
        best = max(self._idle, key=lambda slot: common(slot.ids, ids), default=None)
        if best is None or common(best.ids, ids) < len(best.ids) // 2:
            if self._made < self._most:
                self._made += 1
                return CacheSlot(self._network.cache(self._capacity))
            best = min(self._idle, key=lambda slot: slot.used)
        self._idle.remove(best)
        return best


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))
