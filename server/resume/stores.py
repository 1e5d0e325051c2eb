"""server.resume: where conversations wait for their clients: this process's memory, or Redis.

An entry is a few named fields of bytes that expire together. A store never blocks the event loop;
one that is down or slow raises StoreFailed after a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Fields: TypeAlias = dict[str, bytes]

STORE_SECONDS = 2.0  # for one request
CONNECTIONS = 16
PREFIX = "antiphon:resume:"


class StoreFailed(Exception):
    """The store did not do it; the text says why and holds nothing that was said."""


class SnapshotStore(Protocol):
    async def put(self, place: str, changed: Mapping[str, bytes | None], seconds: float) -> None:
        """Set fields of an entry (None: take it out); it expires in `seconds`. Raises
        StoreFailed."""
        ...

    async def get(self, place: str) -> Fields:
        """Empty where there is no such entry. Raises StoreFailed."""
        ...

    async def take(self, place: str) -> bool:
        """Take the entry out; True for exactly one of those who ask. Raises StoreFailed."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Entry:
    fields: Fields = field(default_factory=dict)
    expires_at: float = 0.0

    @property
    def size(self) -> int:
        return sum(map(len, self.fields.values()))


class MemoryStore:
    """Holds at most `limit` bytes; what has been untouched for longest goes first."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    async def put(self, place: str, changed: Mapping[str, bytes | None], seconds: float) -> None:
        entry = self._entries.pop(place, None) or _Entry()
        for name, value in changed.items():
            if value is None:
                entry.fields.pop(name, None)
            else:
                entry.fields[name] = value
        if entry.size > self._limit:
            raise StoreFailed("one conversation is larger than the whole store")
        entry.expires_at = self._clock() + seconds
        self._entries[place] = entry
        self._sweep()

    async def get(self, place: str) -> Fields:
        self._sweep()
        entry = self._entries.get(place)
        return {} if entry is None else dict(entry.fields)

    async def take(self, place: str) -> bool:
        self._sweep()
        return self._entries.pop(place, None) is not None

    async def close(self) -> None:
        self._entries.clear()

    def _sweep(self) -> None:
        now = self._clock()
        for place in [p for p, entry in self._entries.items() if entry.expires_at <= now]:
            del self._entries[place]
        size = sum(entry.size for entry in self._entries.values())
        while size > self._limit:
            place = next(iter(self._entries))
            size -= self._entries.pop(place).size


class RedisStore:
    """Redis or Valkey, by `redis://`, `rediss://` or `unix://`. An entry is a hash."""

    def __init__(self, url: str) -> None:
        from redis import __version__
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.driver_info import DriverInfo

        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=STORE_SECONDS,
            socket_timeout=STORE_SECONDS,
            socket_connect_timeout=STORE_SECONDS,
            # Else each connection looks on the disk for the version.
            driver_info=DriverInfo(lib_version=__version__),
        )
        self._redis: Any = Redis.from_pool(pool)

    async def put(self, place: str, changed: Mapping[str, bytes | None], seconds: float) -> None:
        kept = {name: value for name, value in changed.items() if value is not None}
        gone = [name for name, value in changed.items() if value is None]
        pipeline = self._redis.pipeline(transaction=True)
        if gone:
            pipeline.hdel(PREFIX + place, *gone)
        if kept:
            pipeline.hset(PREFIX + place, mapping=kept)
        pipeline.pexpire(PREFIX + place, round(seconds * 1000))
        await self._asked(pipeline.execute())

    async def get(self, place: str) -> Fields:
        found = await self._asked(self._redis.hgetall(PREFIX + place))
        return {name.decode(): value for name, value in found.items()}

    async def take(self, place: str) -> bool:
        return bool(await self._asked(self._redis.delete(PREFIX + place)))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _asked(self, request: Any) -> Any:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await request
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreFailed(f"the store did not answer: {type(error).__name__}") from error


def open_store(url: str, limit: int, clock: Callable[[], float]) -> SnapshotStore:
    """The store of `resume.store`. Raises ModuleNotFoundError where redis-py is not installed."""
    return MemoryStore(limit, clock) if url == "memory" else RedisStore(url)
