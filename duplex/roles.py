"""Who generates and who monitors: a session's workers, swaps and replacements.

Roles belong to the session. The monitor's answer makes it the generator; an instance that does not
stop is left behind and a fresh stream takes its part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from duplex.conversation import ContextEntry
from duplex.leases import Lease
from duplex.stream_worker import SessionServices, StreamWorker
from models.base import AnswerOptions, Conversation

# An instance that does not stop for so long is left behind.
STOP_TIMEOUT_S = 0.2
# One that was left behind and goes on for so long takes no new sessions until it stops. A busy
# machine is late by less, and a new call is not to be refused for that.
UNHEALTHY_AFTER_S = 1.0
TICK_S = 0.05


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
        """The conversation begins otherwise now."""
        for worker in (self._generator, self.monitor):
            worker.renew()

    def swap(self) -> None:
        """The monitor is the generator now."""
        self._generator, self.monitor = self.monitor, self._generator

    # ------------------------------------------------------------------------------ answers

    def answer(
        self,
        response_id: int,
        options: AnswerOptions,
        segment: int | None,
        context: tuple[ContextEntry, ...],
    ) -> None:
        """The monitor answers this segment as it has heard it, or else what the context asks."""
        self._services.responses.open(response_id, self.monitor, own_stream=False)
        if segment is None:
            self.monitor.answer(response_id, options, context=context)
        else:
            self.monitor.answer(response_id, options, segment=segment)

    def answer_apart(
        self, response_id: int, options: AnswerOptions, conversation: Conversation
    ) -> None:
        """Another context than the session's: a stream of its own, gone with the answer."""
        worker = StreamWorker(self.monitor.instance, lambda: conversation, self._services)
        self._start(worker)
        self._services.responses.open(response_id, worker, own_stream=True)
        worker.answer(response_id, options)

    def cancel(self, response_id: int, *, rewind: bool) -> None:
        """Stop an answer; with `rewind` it never was, and its segment goes on."""
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
        """Nothing of this worker counts any more, and it does no more work."""
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
        """Let nothing of this worker count; its instance is out of rotation until it stops."""
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
