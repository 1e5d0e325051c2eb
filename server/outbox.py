"""What waits to be sent to one client: bounded, and honest about its age."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


class OutboxFull(Exception):
    """The client reads so slowly that more is waiting than may wait."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One text frame. `sound_of`: the answer whose sound it carries."""

    payload: bytes
    put_at: float
    sound_of: int | None = None


class Outbox:
    """A queue of messages, at most `limit` bytes of them (one message may always wait)."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._waiting: deque[OutboxMessage] = deque()
        self._sending: OutboxMessage | None = None
        self._size = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def age(self) -> float:
        """Seconds for which the oldest message that has not left is waiting."""
        oldest = self._sending or (self._waiting[0] if self._waiting else None)
        return 0.0 if oldest is None else self._clock() - oldest.put_at

    def put(self, payload: bytes, sound_of: int | None = None) -> None:
        """Never blocks. Raises OutboxFull."""
        if self._waiting and self._size + len(payload) > self._limit:
            raise OutboxFull
        self._waiting.append(OutboxMessage(payload, self._clock(), sound_of))
        self._size += len(payload)
        self._filled.set()

    def drop_sound(self, response_id: int) -> None:
        """An answer was cancelled: what of its sound has not left must not leave any more."""
        self._waiting = deque(m for m in self._waiting if m.sound_of != response_id)
        self._size = sum(len(message.payload) for message in self._waiting)

    async def get(self) -> bytes:
        """The next message; it counts as on its way until the next `get`."""
        self._sending = None
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._take()

    def get_nowait(self) -> bytes | None:
        return self._take() if self._waiting else None

    def _take(self) -> bytes:
        self._sending = message = self._waiting.popleft()
        self._size -= len(message.payload)
        return message.payload
