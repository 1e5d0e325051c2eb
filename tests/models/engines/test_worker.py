"""tests: the order of work on an instance's thread, and its end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from models.base import InstanceFailed, OutOfRoom
from models.engines.jobs import Priority
from models.engines.worker import Worker


@dataclass
class Counting:
    """Steps that give 0, 1, 2, ... and write down when."""

    count: int
    log: list[str] = field(default_factory=list)
    priority: Priority = Priority.RUNNING
    done: bool = False
    made: int = 0
    seconds: float = 0.0  # what a step takes

    def step(self) -> list[int]:
        self.log.append("step")
        time.sleep(self.seconds)
        self.made += 1
        self.done = self.made >= self.count
        return [self.made - 1]


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker("test")
    yield made
    made.close()


class Gate:
    """A job that holds the thread until it is opened."""

    def __init__(self, worker: Worker) -> None:
        self._open, entered = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            loop.call_soon_threadsafe(entered.set)
            assert self._open.wait(10)

        self.task = asyncio.create_task(worker.run(hold, Priority.HEARING))
        self.entered = entered

    async def open(self) -> None:
        self._open.set()
        await self.task


async def test_urgent_work_goes_first(worker: Worker) -> None:
    gate, order = Gate(worker), list[str]()
    await gate.entered.wait()
    names = [("running", Priority.RUNNING), ("first", Priority.FIRST), ("hear", Priority.HEARING)]
    waiting = []
    for name, priority in [*names, ("hear again", Priority.HEARING)]:
        run = worker.run(lambda name=name: order.append(name), priority)  # type: ignore[misc]
        waiting.append(asyncio.create_task(run))
    await asyncio.sleep(0)
    assert worker.waiting == 4
    await gate.open()
    await asyncio.gather(*waiting)
    assert order == ["hear", "hear again", "first", "running"]


async def test_hearing_waits_for_one_step_at_most(worker: Worker) -> None:
    steps = Counting(count=100_000, seconds=0.002)
    async with aclosing(worker.iterate(steps, limit=1_000_000)) as parts:
        await anext(parts)
        for _ in range(20):
            asked = len(steps.log)
            await worker.run(lambda: steps.log.append("hear"), Priority.HEARING)
            # one step may have been under way, one may end between asking and queueing
            assert steps.log.index("hear", asked) - asked <= 3
    assert steps.made < steps.count


async def test_two_answers_take_turns(worker: Worker) -> None:
    gate, log = Gate(worker), list[str]()
    await gate.entered.wait()

    async def drain(steps: Counting) -> list[int]:
        return [part async for part in worker.iterate(steps)]

    class Named(Counting):
        def step(self) -> list[int]:
            log.append(f"{self.count}")
            return super().step()

    tasks = [asyncio.create_task(drain(Named(count))) for count in (4, 5)]
    await asyncio.sleep(0)
    await gate.open()
    assert await asyncio.gather(*tasks) == [[0, 1, 2, 3], [0, 1, 2, 3, 4]]
    assert log == ["4", "5"] * 4 + ["5"]


async def test_cancelled_before_its_turn_it_is_not_done(worker: Worker) -> None:
    gate, done = Gate(worker), list[int]()
    await gate.entered.wait()
    task = asyncio.create_task(worker.run(lambda: done.append(1), Priority.HEARING))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gate.open()
    await worker.run(lambda: None, Priority.RUNNING)
    assert done == []


async def test_closing_stops_the_steps_and_the_queue_is_bounded(worker: Worker) -> None:
    steps = Counting(count=1_000)
    async with aclosing(worker.iterate(steps, limit=5)) as parts:
        assert await anext(parts) == 0
        for _ in range(50):  # nothing is taken meanwhile
            await worker.run(lambda: None, Priority.RUNNING)
        assert steps.made <= 6
        assert [await anext(parts) for _ in range(10)] == list(range(1, 11))
    made = steps.made
    await worker.run(lambda: None, Priority.RUNNING)
    assert steps.made == made < 20


async def test_steps_that_rest_are_stopped_though_the_thread_is_busy(worker: Worker) -> None:
    steps = Counting(count=1_000)
    async with aclosing(worker.iterate(steps, limit=2)) as parts:
        await anext(parts)
        while worker.waiting or steps.made < 3:
            await worker.run(lambda: None, Priority.RUNNING)
        gate = Gate(worker)
        await gate.entered.wait()
    assert not gate.task.done()
    await gate.open()
    assert steps.made == 3


async def test_the_callers_fault_leaves_the_worker_well(worker: Worker) -> None:
    def full() -> None:
        raise OutOfRoom("no")

    with pytest.raises(OutOfRoom):
        await worker.run(full, Priority.HEARING)
    assert await worker.run(lambda: 7, Priority.HEARING) == 7


@pytest.mark.parametrize("fault", [ValueError, TypeError, MemoryError])
async def test_a_job_that_raises_fails_alone(
    worker: Worker, caplog: pytest.LogCaptureFixture, fault: type[Exception]
) -> None:
    gate, steps = Gate(worker), Counting(count=3)
    await gate.entered.wait()

    def broken() -> None:
        raise fault

    async def drain() -> list[int]:
        return [part async for part in worker.iterate(steps)]

    bad = asyncio.create_task(worker.run(broken, Priority.HEARING))
    good = asyncio.create_task(worker.run(lambda: 7, Priority.RUNNING))
    answer = asyncio.create_task(drain())
    await asyncio.sleep(0)
    await gate.open()
    with pytest.raises(InstanceFailed, match=f"{fault.__name__} in .*broken"):
        await bad
    assert (await good, await answer) == (7, [0, 1, 2])
    said = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [("broken" in record.getMessage()) for record in said] == [True]


async def test_steps_that_raise_end_their_own_iteration(worker: Worker) -> None:
    class Broken(Counting):
        def step(self) -> list[int]:
            if self.made:
                raise KeyError
            return super().step()

    parts = worker.iterate(Broken(count=3))
    assert await anext(parts) == 0
    with pytest.raises(InstanceFailed, match=r"KeyError in .*Broken"):
        await anext(parts)
    assert await worker.run(lambda: 7, Priority.RUNNING) == 7


class Trial:
    """A trial that fails so many times."""

    def __init__(self, failures: int) -> None:
        self.left, self.tried = failures, 0

    def __call__(self) -> None:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise RuntimeError


async def until(worker: Worker, *, is_up: bool) -> None:
    async with asyncio.timeout(10):
        while worker.is_up is not is_up:  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.001)


async def test_a_worker_that_cannot_go_on_is_made_anew() -> None:
    def broken() -> None:
        raise RuntimeError

    trial = Trial(failures=3)
    worker = Worker("test", trial, first_delay=0.01)
    threads = set[int | None]()
    await worker.run(lambda: threads.add(threading.get_ident()), Priority.HEARING)
    with pytest.raises(InstanceFailed):
        await worker.run(broken, Priority.HEARING)
    await until(worker, is_up=False)
    with pytest.raises(InstanceFailed, match="made anew"):
        await worker.run(lambda: None, Priority.HEARING)
    await until(worker, is_up=True)
    assert trial.tried == 4
    await worker.run(lambda: threads.add(threading.get_ident()), Priority.HEARING)
    assert len(threads) == 2
    worker.close()


async def test_a_job_that_does_not_end_is_given_up_with_its_thread() -> None:
    worker, held = Worker("test", longest_job=0.05, first_delay=0.01), threading.Event()
    hanging = asyncio.create_task(worker.run(held.wait, Priority.HEARING))
    await until(worker, is_up=False)
    with pytest.raises(InstanceFailed, match="did not end"):
        await hanging
    await until(worker, is_up=True)
    assert await worker.run(lambda: 7, Priority.HEARING) == 7
    held.set()  # the old thread ends by itself, and what it made is nobody's
    assert await worker.run(lambda: 8, Priority.HEARING) == 8
    worker.close()


async def test_a_job_that_ends_its_thread_takes_no_other_with_it(worker: Worker) -> None:
    def leaving() -> None:
        raise SystemExit

    with pytest.raises(InstanceFailed, match="SystemExit"):
        await worker.run(leaving, Priority.HEARING)
    assert await worker.run(lambda: 7, Priority.HEARING) == 7


async def test_a_closed_worker_says_so(worker: Worker) -> None:
    worker.close()
    with pytest.raises(InstanceFailed, match="closed"):
        await worker.run(lambda: None, Priority.HEARING)


async def test_the_event_loop_goes_on(worker: Worker) -> None:
    gate, ticks = Gate(worker), 0
    await gate.entered.wait()
    for _ in range(100):
        await asyncio.sleep(0)
        ticks += 1
    assert ticks == 100
    assert not gate.task.done()
    await gate.open()
