"""Plays trials through a server, some at a time, and keeps their records."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from benchmarks.scene import Trial
from server.call.caller import Caller
from server.call.conversation import CallFailed
from server.call.record import CallRecord

Judge = Callable[[Trial, CallRecord, Caller], Awaitable[None]]

_AT_ONCE = 4  # reference calls; any server takes so many


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CallerLine:
    """Where calls go."""

    url: str
    key: str | None = None
    model: str = "nano"
    process: int | None = None  # of a server of our own


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial whose call could not be made or broke."""

    trial: Trial
    reason: str


async def play(
    line: CallerLine, trials: Iterable[Trial], judge: Judge, *, sessions: int
) -> list[Failure]:
    """Play all trials with so many calls at a time; `judge` sees each record, its line still open.

    The driver's own sounds are built as they are needed, so a long list costs no memory.
    """
    failures: list[Failure] = []
    waiting = iter(trials)

    async def one_line(start: float) -> None:
        await asyncio.sleep(start)  # calls that begin together would all speak together
        for trial in waiting:
            try:
                await _play_one(line, trial, judge)
            except CallFailed as failure:
                failures.append(Failure(trial, str(failure)))

    async with asyncio.TaskGroup() as group:
        for number in range(sessions):
            group.create_task(one_line(number * 0.37))
    return failures


async def together(jobs: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results of calls that are made afterwards, some at a time, in their order."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(job: Coroutine[Any, Any, Result]) -> Result:
        async with places:
            return await job

    return list(await asyncio.gather(*(one(job) for job in jobs)))


async def _play_one(line: CallerLine, trial: Trial, judge: Judge) -> None:
    async with Caller(line.url, trial.script, key=line.key, model=line.model) as caller:
        record = await caller.run()
        await judge(trial, record, caller)
