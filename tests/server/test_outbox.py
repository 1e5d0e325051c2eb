"""The queue to one client: bounded, aged, and without sound of a cancelled answer."""

from __future__ import annotations

import asyncio

import pytest

from server.outbox import Outbox, OutboxFull
from server.realtime.budget import TokenBucket


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_order_and_age() -> None:
    clock = Clock()
    outbox = Outbox(100, clock)
    assert outbox.age == 0
    outbox.put(b"a")
    clock.now = 3.0
    outbox.put(b"b")
    assert outbox.age == 3.0
    assert await outbox.get() == b"a"
    clock.now = 5.0
    assert outbox.age == 5.0  # on its way is not gone
    assert await outbox.get() == b"b"
    assert outbox.age == 2.0


async def test_waits_for_the_next() -> None:
    outbox = Outbox(100, Clock())
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(b"a")
    assert await waiting == b"a"


def test_bound_in_bytes() -> None:
    outbox = Outbox(10, Clock())
    outbox.put(b"x" * 50)  # one may always wait
    with pytest.raises(OutboxFull):
        outbox.put(b"y")
    assert outbox.get_nowait() == b"x" * 50
    outbox.put(b"y" * 10)
    with pytest.raises(OutboxFull):
        outbox.put(b"z")


def test_sound_of_a_cancelled_answer_is_taken_back() -> None:
    outbox = Outbox(12, Clock())
    for payload, answer in ((b"one1", 1), (b"two2", 2), (b"text", None)):
        outbox.put(payload, answer)
    outbox.drop_sound(1)
    outbox.put(b"more", None)  # there is room again
    assert [outbox.get_nowait() for _ in range(4)] == [b"two2", b"text", b"more", None]


def test_allowance() -> None:
    clock = Clock()
    allowance = TokenBucket(10, 10, clock)
    assert [allowance.take() for _ in range(10)] == [0.0] * 10  # a burst of one second
    assert allowance.take() == pytest.approx(0.1)
    clock.now = 1.0
    assert allowance.take() == 0.0
