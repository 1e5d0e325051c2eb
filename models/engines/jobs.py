"""Jobs of an instance's thread, and the way of their results to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

Result = TypeVar("Result")
Part = TypeVar("Part")


class Priority(IntEnum):
    """What goes first: hearing and verdicts, then the way to an answer's first sound."""

    HEARING = 0
    FIRST = 1
    RUNNING = 2


class Steps(Protocol[Part]):
    """Long work in small pieces: `step` does one and gives what it made; `done` ends it."""

    @property
    def done(self) -> bool: ...
    @property
    def priority(self) -> Priority: ...

    def step(self) -> list[Part]: ...


class Job(Protocol):
    def run(self) -> None: ...
    def fail(self, error: Exception) -> None: ...


Put: TypeAlias = Callable[["Job", Priority], None]


class _Returning:
    """Brings calls back to the event loop on which it was made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def _back(self, call: Callable[..., None], *values: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *values)


class Call(_Returning, Generic[Result]):
    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__()
        self._work = work
        self._future: asyncio.Future[Result] = self._loop.create_future()

    def run(self) -> None:
        if not self._future.cancelled():
            self._back(self._settle, self._work(), None)

    def fail(self, error: Exception) -> None:
        self._back(self._settle, None, error)

    def __str__(self) -> str:
        return _name(self._work)

    async def result(self) -> Result:
        return await self._future

    def _settle(self, result: Result, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(result)


class Iteration(_Returning, Generic[Part]):
    """Steps that are queued again one by one; parked while the caller is `limit` parts behind."""

    def __init__(self, put: Put, steps: Steps[Part], limit: int) -> None:
        super().__init__()
        self._put, self._steps, self._limit = put, steps, limit
        self._parts: asyncio.Queue[Part | Exception | None] = asyncio.Queue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._lock = threading.Lock()
        self._ahead = 0  # parts made and not yet taken
        self._parked = False
        self._stopping = False

    def run(self) -> None:
        if self._stopping:
            return self._back(self._end, None)
        parts = self._steps.step()
        for part in parts:
            self._back(self._parts.put_nowait, part)
        if self._steps.done:
            return self._back(self._end, None)
        if not self._park(len(parts)):
            self._put(self, self._steps.priority)

    def fail(self, error: Exception) -> None:
        with self._lock:
            self._stopping = True
        self._back(self._end, error)

    def __str__(self) -> str:
        return type(self._steps).__qualname__

    async def take(self) -> Part | None:
        """The next part; None after the last. Raises what broke the steps."""
        part = await self._parts.get()
        if isinstance(part, Exception):
            raise part
        self._unpark(taken=1)
        return part

    async def stop(self) -> None:
        """No further step begins; waits until the one in progress is over."""
        with self._lock:
            self._stopping = True
            is_idle, self._parked = self._parked, False
        if is_idle:  # nothing of it is queued: the work of others need not be waited for
            self._end(None)
        await self._ended

    def _end(self, error: Exception | None) -> None:
        self._parts.put_nowait(error)
        if not self._ended.done():
            self._ended.set_result(None)

    def _park(self, made: int) -> bool:
        with self._lock:
            self._ahead += made
            self._parked = self._ahead >= self._limit and not self._stopping
            return self._parked

    def _unpark(self, taken: int) -> None:
        with self._lock:
            self._ahead -= taken
            again = self._parked and self._ahead < self._limit
            self._parked = self._parked and not again
        if again:
            self._put(self, self._steps.priority)


def _name(work: Any) -> str:
    """What a piece of work is, for the log: the name of the innermost function or generator."""
    while isinstance(work, partial):
        inner = work.args[0] if work.args else None
        work = inner if callable(inner) or hasattr(inner, "__qualname__") else work.func
    return str(getattr(work, "__qualname__", type(work).__name__))
