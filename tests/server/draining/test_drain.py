"""What a drain waits for, and in which order it ends the calls."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from duplex import actions
from models.base import AnswerOptions
from server.admission import Admission
from server.config import DrainSettings
from server.draining.drain import Drain, Leaving

STARTED = actions.ResponseStarted(1, "item", None, AnswerOptions())
ENDED = actions.ResponseEnded(1, actions.ResponseStatus.COMPLETED)


async def has_come(due: asyncio.Task[None]) -> bool:
    """Whether the call has to end, once everything that was ready has run."""
    for _ in range(5):
        await asyncio.sleep(0)
    return due.done()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([actions.ShowState("speaking", "listening")], [actions.ShowState("silent", "listening")]),
        ([actions.ShowState("paused", "listening")], [actions.ShowState("silent", "listening")]),
        ([actions.ShowState("silent", "preparing")], [actions.ShowState("silent", "listening")]),
        ([actions.ShowState("silent", "speaking")], [actions.ShowState("silent", "listening")]),
        ([STARTED], [ENDED]),  # an answer beside the conversation, or one that only writes
    ],
)
async def test_a_call_ends_when_nobody_speaks(
    before: list[actions.Notice], after: list[actions.Notice]
) -> None:
    call = Leaving()
    due = asyncio.create_task(call.due())
    for notice in before:
        call.follow(notice)
    call.ask(patience=60)
    assert not await has_come(due)
    for notice in after:
        call.follow(notice)
    assert await has_come(due)


async def test_a_call_without_a_drain_goes_on() -> None:
    call = Leaving()
    due = asyncio.create_task(call.due())
    assert not await has_come(due)
    due.cancel()


async def test_who_begins_to_speak_meanwhile_is_waited_for() -> None:
    call = Leaving()
    assert not call.may_end  # nobody has asked
    call.ask(patience=60)
    await call.due()
    assert call.may_end
    call.follow(actions.ShowState("speaking", "listening"))
    assert not call.may_end
    call.follow(actions.ShowState("silent", "listening"))
    assert call.may_end


async def test_patience_ends() -> None:
    call = Leaving()
    call.follow(STARTED)
    call.ask(patience=0.01)
    async with asyncio.timeout(2):
        await call.due()
    assert call.may_end


async def test_it_waits_for_the_last_call() -> None:
    admission = Admission()
    drain = Drain(DrainSettings(seconds=60), admission)
    with drain.watching():
        drain.begin()
        assert admission.is_draining and drain.num_calls == 1
        await asyncio.sleep(0.01)
        assert not drain.ended.is_set()
    async with asyncio.timeout(2):
        await drain.ended.wait()


async def test_calls_are_ended_one_after_the_other() -> None:
    drain = Drain(DrainSettings(seconds=0, stagger=0.3), Admission())
    clock = asyncio.get_running_loop().time
    with ExitStack() as open_calls:
        calls = [open_calls.enter_context(drain.watching()) for _ in range(3)]
        drain.begin()
        moments = []
        for call in calls:
            await call.due()
            moments.append(clock())
    assert moments[1] - moments[0] > 0.05 and moments[2] - moments[1] > 0.05
    async with asyncio.timeout(2):
        await drain.ended.wait()


async def test_a_drain_that_is_given_up_never_ends() -> None:
    drain = Drain(DrainSettings(seconds=60), Admission())
    with drain.watching():
        drain.begin()
        await drain.stop()
    assert not drain.ended.is_set()
