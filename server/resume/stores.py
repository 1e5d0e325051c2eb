"""server.resume: where conversations wait for their clients: this process's memory, or Redis.

An entry is a few named fields of bytes that expire together. Whoever takes an entry leaves a mark
in its place, so that the server which wrote it cannot bring it back: it may not know yet that its
client has gone on elsewhere. A store never blocks the event loop; one that is down or slow raises
StoreFailed after a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Fields: TypeAlias = dict[str, bytes]

STORE_SECONDS = 2.0  # for one request
TAKEN_SECONDS = 86_400.0  # for which it is known that an entry was taken
CONNECTIONS = 16
PREFIX = "antiphon:resume:"
_TAKEN = "taken"  # the only field of an entry that was taken


class StoreFailed(Exception):
    """The store did not do it; the text says why and holds nothing that was said."""


class AlreadyTaken(Exception):
    """Somebody has taken the entry: nothing is written to it any more."""


class SnapshotStore(Protocol):
    async def put(self, place: str, changed: Mapping[str, bytes | None], seconds: float) -> None:
        """Set fields of an entry (None: take it out); it expires in `seconds`. Raises StoreFailed,
        and AlreadyTaken where the entry was taken before."""
        ...

    async def get(self, place: str) -> Fields:
        """Empty where there is no such entry. Raises StoreFailed."""
        ...

    async def take(self, place: str) -> bool:
        """Take the entry out for good; True for exactly one of those who ask. Raises
        StoreFailed."""
        ...

    async def give_back(self, place: str, fields: Fields, seconds: float) -> None:
        """Put an entry where one was taken, so that it can be taken again. Raises StoreFailed."""
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
        self._taken: dict[str, float] = {}  # until when it is known, the oldest first

    async def put(self, place: str, changed: Mapping[str, bytes | None], seconds: float) -> None:
        self._sweep()
        if place in self._taken:
            raise AlreadyTaken
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
        if self._entries.pop(place, None) is None:
            return False
        self._taken[place] = self._clock() + TAKEN_SECONDS
        return True

    async def give_back(self, place: str, fields: Fields, seconds: float) -> None:
        self._taken.pop(place, None)
        await self.put(place, fields, seconds)

    async def close(self) -> None:
        self._entries.clear()

    def _sweep(self) -> None:
        now = self._clock()
        for place in [p for p, entry in self._entries.items() if entry.expires_at <= now]:
            del self._entries[place]
        while self._taken and next(iter(self._taken.values())) <= now:
            del self._taken[next(iter(self._taken))]
        size = sum(entry.size for entry in self._entries.values())
        while size > self._limit:
            place = next(iter(self._entries))
            size -= self._entries.pop(place).size


# Each is one step for Redis, whoever else asks meanwhile. KEYS[1] is the entry, a hash.
# Arguments: milliseconds, how many fields go, these, then names and values in turns. (A store that
# is full takes no mark, and gives the entry out nevertheless: hence pcall.)
_PUT = """
if redis.call('HEXISTS', KEYS[1], 'taken') == 1 then return 0 end
local gone = tonumber(ARGV[2])
for i = 3, 2 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 3 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""
_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[1], 'taken') == 1 then return 0 end
redis.call('DEL', KEYS[1])
redis.pcall('HSET', KEYS[1], 'taken', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""


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
        self._put = self._redis.register_script(_PUT)
        self._take = self._redis.register_script(_TAKE)

    async def put(self, place: str, changed: Mapping[str, bytes | None], seconds: float) -> None:
        gone = [name for name, value in changed.items() if value is None]
        kept = [each for pair in changed.items() if pair[1] is not None for each in pair]
        arguments = [_milliseconds(seconds), len(gone), *gone, *kept]
        if not await self._asked(self._put([PREFIX + place], arguments)):
            raise AlreadyTaken

    async def get(self, place: str) -> Fields:
        found = await self._asked(self._redis.hgetall(PREFIX + place))
        fields = {name.decode(): value for name, value in found.items()}
        return {} if _TAKEN in fields else fields

    async def take(self, place: str) -> bool:
        asked = self._take([PREFIX + place], [_milliseconds(TAKEN_SECONDS)])
        return bool(await self._asked(asked))

    async def give_back(self, place: str, fields: Fields, seconds: float) -> None:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(PREFIX + place)
        pipeline.hset(PREFIX + place, mapping=fields)
        pipeline.pexpire(PREFIX + place, _milliseconds(seconds))
        await self._asked(pipeline.execute())

    async def close(self) -> None:
        await self._redis.aclose()

    async def _asked(self, request: Any) -> Any:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await request
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreFailed(f"the store did not answer: {type(error).__name__}") from error


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def open_store(url: str, limit: int, clock: Callable[[], float]) -> SnapshotStore:
    """The store of `resume.store`. Raises ModuleNotFoundError where redis-py is not installed."""
    return MemoryStore(limit, clock) if url == "memory" else RedisStore(url)
