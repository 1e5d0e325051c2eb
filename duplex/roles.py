"""Which instance does what: the pairs of this process, leases on them, and a session's roles.

Roles belong to the session. The monitor's answer makes it the generator; an instance that does not
stop is left behind, is out of rotation until it stops, and a fresh stream takes its part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from duplex.actions import StartAnswer
from duplex.context_sync import readable
from duplex.conversation import ContextEntry
from duplex.stream_worker import SessionServices, StreamWorker
from models.base import (
    Conversation,
    Instance,
    Instructions,
    UserText,
)
from models.capabilities import capabilities_of, is_up

# An instance that does not stop for so long is left behind.
STOP_TIMEOUT_S = 0.2
# One that was left behind and goes on for so long takes no new sessions until it stops. A busy
# machine is late by less, and a new call is not to be refused for that.
UNHEALTHY_AFTER_S = 1.0
TICK_S = 0.05
# An answer to nothing is the one to a greeting; no item of the conversation says so.
GREETING = "hello"
GREETED = ContextEntry("greeting", UserText(GREETING))


class NoCapacity(Exception):
    """Every pair has as many sessions as it may have."""


@dataclass(slots=True, eq=False)
class Outage:
    """One piece of work that its instance does not stop. It lasts until that very work has ended.

    While it lasts no running session moves to the instance; once it is `is_unhealthy`, the
    instance's pair takes no new sessions either.
    """

    instance: Instance
    is_unhealthy: bool = False


@dataclass(slots=True, eq=False)
class Pair:
    """Two resident instances. Which of them generates is each session's own affair."""

    first: Instance
    second: Instance
    num_sessions: int = 0
    outages: list[Outage] = field(default_factory=list)

    @property
    def instances(self) -> tuple[Instance, Instance]:
        return (self.first, self.second)

    @property
    def is_healthy(self) -> bool:
        is_broken = any(outage.is_unhealthy for outage in self.outages)
        return not is_broken and all(is_up(instance) for instance in self.instances)

    def is_responsive(self, instance: Instance) -> bool:
        """True if the instance stops when it is told to, as far as is known."""
        return all(outage.instance is not instance for outage in self.outages)

    def is_usable(self, instance: Instance) -> bool:
        """Can streams be opened on this instance, and does it stop when it is told to?"""
        return is_up(instance) and self.is_responsive(instance)


class Lease:
    """A session's claim on a pair, given back once."""

    def __init__(self, pool: PairPool, pair: Pair) -> None:
        self._pool = pool
        self._is_held = True
        self.pair = pair
        # Sessions alternate who begins, so that both instances work under load.
        first, second = pair.instances
        self.roles = (first, second) if pair.num_sessions % 2 else (second, first)

    def replacement(self, lost: Instance, generator: Instance) -> Instance:
        """Where a fresh monitor stream may be opened when a stream on `lost` failed or did not
        stop: on another instance, of this pair first, else on the generator's own, else on `lost`
        itself, of which perhaps only that stream is broken. One that is down or unresponsive is
        passed over; where all are, the generator's own."""
        pairs = sorted(self._pool.pairs, key=lambda pair: pair is not self.pair)
        others = [(pair, one) for pair in pairs for one in pair.instances]
        others.sort(key=lambda other: (other[1] is lost, other[1] is generator))
        usable = (one for pair, one in others if pair.is_usable(one))
        return next(usable, generator)

    def mark_unresponsive(self, instance: Instance) -> Outage:
        """Work on this instance did not stop in time; whoever waits for it ends the outage."""
        outage = Outage(instance)
        self._pool.pair_of(instance, self.pair).outages.append(outage)
        return outage

    def mark_recovered(self, outage: Outage) -> None:
        """End this outage, since its work has stopped; others of the instance may last."""
        outages = self._pool.pair_of(outage.instance, self.pair).outages
        if outage in outages:
            outages.remove(outage)

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self.pair.num_sessions -= 1


class PairPool:
    """All pairs of this process."""

    def __init__(self, pairs: Sequence[Pair], sessions_per_pair: int) -> None:
        self.pairs = list(pairs)
        self.sessions_per_pair = sessions_per_pair

    @property
    def capacity(self) -> int:
        return self.sessions_per_pair * sum(pair.is_healthy for pair in self.pairs)

    @property
    def num_sessions(self) -> int:
        return sum(pair.num_sessions for pair in self.pairs)

    @property
    def room(self) -> int:
        """Sessions that could still be leased now."""
        return sum(
            max(0, self.sessions_per_pair - pair.num_sessions)
            for pair in self.pairs
            if pair.is_healthy
        )

    def pair_of(self, instance: Instance, default: Pair) -> Pair:
        """The pair that this instance belongs to: a session may have moved beyond its own."""
        return next((pair for pair in self.pairs if instance in pair.instances), default)

    def lease(self) -> Lease:
        """The least busy healthy pair. Raises NoCapacity."""
        free = [
            pair
            for pair in self.pairs
            if pair.is_healthy and pair.num_sessions < self.sessions_per_pair
        ]
        if not free:
            raise NoCapacity("every pair is taken")
        pair = min(free, key=lambda pair: pair.num_sessions)
        pair.num_sessions += 1
        return Lease(self, pair)


def expect_stop(job: asyncio.Task[None], timeout: float, then: Callable[[], None]) -> None:
    """Call `then` unless `job` ends within `timeout` seconds. They are counted in ticks: a tick of
    a loop that is itself late counts as one, so work is not blamed for what it could not do."""
    loop = asyncio.get_running_loop()

    def check(ticks: int) -> None:
        if job.done():
            return
        if ticks:
            loop.call_later(TICK_S, check, ticks - 1)
        else:
            then()

    check(round(timeout / TICK_S))


def _is_said(content: object) -> bool:
    """True for everything but instructions: somebody has said or shown it."""
    return not isinstance(content, Instructions)


class Roles:
    """The generator, the monitor, and workers for single answers.

    `opening` gives how a conversation begins; `on_monitor_unresponsive` is called when the monitor
    does not stop: the core then asks for its replacement.
    """

    def __init__(
        self,
        lease: Lease,
        services: SessionServices,
        opening: Callable[[], Conversation],
        on_monitor_unresponsive: Callable[[], None],
    ) -> None:
        self._lease, self._services, self._opening = lease, services, opening
        self._on_monitor_unresponsive = on_monitor_unresponsive
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[StreamWorker, asyncio.Task[None]] = {}
        first, second = lease.roles
        self._generator = StreamWorker(first, opening, services)
        self.monitor = StreamWorker(second, opening, services)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Let both workers work in `group`, knowing an empty conversation."""
        self._group = group
        for worker in (self._generator, self.monitor):
            self._start(worker)
            worker.sync(())

    def close(self) -> None:
        """The session ends: nobody is replaced any more."""
        self._group = None

    def release(self) -> None:
        """Let go of tasks that have ended, and of the frames that they keep."""
        self._tasks.clear()

    def renew(self) -> None:
        """Open fresh streams when they are next needed: instructions or tools have changed."""
        for worker in (self._generator, self.monitor):
            worker.renew()

    def swap(self) -> None:
        """The monitor is the generator now."""
        self._generator, self.monitor = self.monitor, self._generator

    # ------------------------------------------------------------------------------ answers

    def start_answer(self, action: StartAnswer) -> None:
        """The monitor answers, and is the generator then unless the answer is held back; an answer
        to another context than the session's gets a stream of its own, gone with it."""
        if action.out_of_band or action.items is not None:
            self._answer_apart(action)
            return
        response_id, segment = action.response_id, action.segment
        self._services.responses.open(response_id, self.monitor, own_stream=False)
        if segment is None:
            is_said = any(_is_said(entry.content) for entry in action.context)
            context = action.context if is_said else (*action.context, GREETED)
            self.monitor.answer(response_id, action.options, context=context)
        else:
            self.monitor.answer(response_id, action.options, segment=segment)
        if not action.speculative:
            self.swap()

    def _answer_apart(self, action: StartAnswer) -> None:
        conversation = self._conversation_of(action)
        worker = StreamWorker(self.monitor.instance, lambda: conversation, self._services)
        self._start(worker)
        self._services.responses.open(action.response_id, worker, own_stream=True)
        worker.answer(action.response_id, action.options)

    def _conversation_of(self, action: StartAnswer) -> Conversation:
        contents, opening = action.items, self._opening()
        if contents is None:
            frames = capabilities_of(self.monitor.instance).frames
            contents = tuple(entry.content for entry in readable(action.context, frames))
        items = tuple(map(self._services.audio_store.resolve, contents))
        if not any(map(_is_said, items)):
            items = (*items, UserText(GREETING))
        return Conversation(opening.items + items, opening.tools)

    def cancel(self, response_id: int, *, rewind: bool) -> None:
        """Stop an answer; with `rewind` its stream forgets it, too, and goes on hearing its
        segment."""
        task = self._services.responses.cancel(response_id)
        if task is None:
            return
        worker = task.worker
        generation = worker.cancel_answer(response_id)
        if rewind:
            self._services.responses.close(response_id)
            worker.resume_hearing()
        if generation is not None:
            expect_stop(generation, STOP_TIMEOUT_S, partial(self._on_unresponsive, worker))

    def dismiss(self, worker: StreamWorker) -> None:
        """Drop all that this worker still reports, and end its work."""
        worker.is_left_behind = True
        task = self._tasks.pop(worker, None)
        if task is not None:
            task.cancel()

    # ------------------------------------------------------------------------- replacements

    def replace_monitor(self) -> None:
        """A fresh stream on another instance monitors; the old one is left behind."""
        self.monitor = self._replacement(self.monitor)

    def _replacement(self, worker: StreamWorker) -> StreamWorker:
        self._leave(worker)
        instance = self._lease.replacement(worker.instance, self._generator.instance)
        fresh = StreamWorker(instance, self._opening, self._services)
        self._start(fresh)
        return fresh

    def _leave(self, worker: StreamWorker) -> None:
        """Dismiss a worker; its instance is out of rotation until the work has stopped."""
        job = worker.job
        if job is not None:
            outage = self._lease.mark_unresponsive(worker.instance)
            job.add_done_callback(lambda _: self._lease.mark_recovered(outage))
            expect_stop(job, UNHEALTHY_AFTER_S, lambda: setattr(outage, "is_unhealthy", True))
        self.dismiss(worker)

    def _on_unresponsive(self, worker: StreamWorker) -> None:
        """An instance that does not stop leaves this session's lease."""
        if worker.is_left_behind or self._group is None:
            return
        self._services.measure("unresponsive_instances", 1.0)
        if worker is self.monitor:
            self._on_monitor_unresponsive()
        elif worker is self._generator:
            self._generator = self._replacement(worker)

    def _start(self, worker: StreamWorker) -> None:
        if self._group is None:
            return
        work = worker.run()
        try:
            self._tasks[worker] = self._group.create_task(work, name="stream-worker")
        except RuntimeError:  # the group is closing: the session is over
            work.close()
