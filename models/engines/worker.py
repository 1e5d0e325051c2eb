"""An instance's own thread; urgent work goes before the steps of running answers.

Nothing here blocks the event loop: work goes in through a heap, results come back by
`call_soon_threadsafe`. The heap is bounded by the streams, each of which has one call at a time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

from models.base import InstanceFailed, OutOfRoom

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Part = TypeVar("Part")
AHEAD = 8  # parts of an answer that are made and not yet asked for: hides the way to the loop
HARMLESS = (OutOfRoom, ValueError)  # the caller's fault: the instance is as well as before


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


class _Job(Protocol):
    def run(self) -> None: ...
    def fail(self, error: Exception) -> None: ...


class Worker:
    """One thread with a heap of jobs. Once a job breaks, the worker refuses everything."""

    def __init__(self, name: str) -> None:
        self._heap: list[tuple[int, int, _Job]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._failure: InstanceFailed | None = None
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._heap)

    async def run(self, work: Callable[[], Result], priority: Priority) -> Result:
        """Do `work` on the thread. Cancelled before its turn comes, it is not done at all."""
        call = _Call(work)
        self.put(call, priority)
        return await call.result()

    async def iterate(self, steps: Steps[Part], limit: int = AHEAD) -> AsyncGenerator[Part, None]:
        """What the steps make, at most `limit` parts ahead of the caller. Ends within one step
        after the iterator is closed or its task cancelled."""
        iteration = _Iteration(self, steps, limit)
        self.put(iteration, steps.priority)
        try:
            while (part := await iteration.take()) is not None:
                yield part
        finally:
            await iteration.stop()

    def put(self, job: _Job, priority: Priority) -> None:
        with self._changed:
            if self._failure is None:
                heapq.heappush(self._heap, (priority, next(self._order), job))
                self._changed.notify()
                return
        job.fail(self._failure)

    def close(self) -> None:
        """Refuse what waits and end the thread after the job that it is at."""
        self._refuse(InstanceFailed("instance is closed"))

    def _live(self) -> None:
        while self._turn():
            pass

    def _turn(self) -> bool:
        """One job; a frame of its own, so that nothing of it is kept while waiting."""
        job = self._next()
        if job is None:
            return False
        try:
            job.run()
        except HARMLESS as error:
            job.fail(error)
        except Exception as error:
            logger.exception("an instance's worker broke")
            job.fail(failed := InstanceFailed(f"{type(error).__name__} in the worker"))
            self._refuse(failed)
        return True

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._heap or self._failure)
            return None if self._failure is not None else heapq.heappop(self._heap)[2]

    def _refuse(self, failure: InstanceFailed) -> None:
        with self._changed:
            self._failure = self._failure or failure
            left, self._heap = self._heap, []
            self._changed.notify()
        for _, _, job in left:
            job.fail(failure)


class _Returning:
    """Brings calls back to the event loop on which it was made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def _back(self, call: Callable[..., None], *values: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *values)


class _Call(_Returning, Generic[Result]):
    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__()
        self._work = work
        self._future: asyncio.Future[Result] = self._loop.create_future()

    def run(self) -> None:
        if not self._future.cancelled():
            self._back(self._settle, self._work(), None)

    def fail(self, error: Exception) -> None:
        self._back(self._settle, None, error)

    async def result(self) -> Result:
        return await self._future

    def _settle(self, result: Result, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(result)


class _Iteration(_Returning, Generic[Part]):
    """Steps that are queued again one by one; parked while the caller is `limit` parts behind."""

    def __init__(self, worker: Worker, steps: Steps[Part], limit: int) -> None:
        super().__init__()
        self._worker, self._steps, self._limit = worker, steps, limit
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
            self._worker.put(self, self._steps.priority)

    def fail(self, error: Exception) -> None:
        self._back(self._end, error)

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
            self._worker.put(self, self._steps.priority)
