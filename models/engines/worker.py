"""An instance's own thread; urgent work goes before the steps of running answers.

Nothing here blocks the event loop: work goes in through a heap, results come back by
`call_soon_threadsafe`. The heap is bounded by the streams, each of which has one call at a time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TypeVar

from models.base import BadInput, InstanceFailed, OutOfRoom
from models.engines.jobs import Call, Iteration, Job, Priority, Steps

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Part = TypeVar("Part")
AHEAD = 8  # parts of an answer that are made and not yet asked for: hides the way to the loop
HARMLESS = (OutOfRoom, BadInput)  # the caller's fault: the stream is as well as before
# A job that takes longer is given up with its thread: no step of any model takes so long.
LONGEST_JOB = 120.0
# After a failed job the worker is tried out, at most once in so many seconds.
TRIAL_PERIOD = 1.0
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds between the trials of a worker that is down


class Worker:
    """One thread with a heap of jobs. A job that raises fails alone and is logged once.

    `trial` is work that always succeeds on a worker that is well; it runs on the thread after a
    job has failed. Where it fails too, or where a job outlasts LONGEST_JOB, the worker
    is down: it refuses all jobs until a new thread has passed the trial.
    """

    def __init__(
        self,
        name: str,
        trial: Callable[[], None] | None = None,
        *,
        longest_job: float = LONGEST_JOB,
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self.name = name
        self._trial, self._longest_job, self._first_delay = trial, longest_job, first_delay
        self._heap: list[tuple[int, int, Job]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed: InstanceFailed | None = None
        self._down: InstanceFailed | None = None
        self._running: tuple[Job, float] | None = None  # and since when
        self._tried_at = -TRIAL_PERIOD
        self._shift = 0  # which thread works; those before it were given up
        self._begin_shift()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._heap)

    @property
    def is_up(self) -> bool:
        """Does it take jobs?"""
        self._give_up_hanging_job()
        return self._refusal is None

    @property
    def _refusal(self) -> InstanceFailed | None:
        return self._closed or self._down

    async def run(self, work: Callable[[], Result], priority: Priority) -> Result:
        """Do `work` on the thread. Cancelled before its turn comes, it is not done at all.

        Raises what the work raises if it is OutOfRoom or BadInput, else InstanceFailed.
        """
        call = Call(work)
        self.put(call, priority)
        return await call.result()

    async def iterate(self, steps: Steps[Part], limit: int = AHEAD) -> AsyncGenerator[Part, None]:
        """What the steps make, at most `limit` parts ahead of the caller. Ends within one step
        after the iterator is closed or its task cancelled."""
        iteration = Iteration(self.put, steps, limit)
        self.put(iteration, steps.priority)
        try:
            while (part := await iteration.take()) is not None:
                yield part
        finally:
            await iteration.stop()

    def put(self, job: Job, priority: Priority) -> None:
        self._give_up_hanging_job()
        with self._changed:
            refusal = self._refusal
            if refusal is None:
                heapq.heappush(self._heap, (priority, next(self._order), job))
                self._changed.notify_all()
                return
        job.fail(refusal)

    def close(self) -> None:
        """Refuse what waits and end the thread after the job that it is at."""
        with self._changed:
            self._closed = self._closed or InstanceFailed("instance is closed")
        self._refuse_waiting(self._closed)

    # --------------------------------------------------------------------------- the thread

    def _begin_shift(self, *, is_down: bool = False) -> None:
        self._shift += 1
        work = partial(self._live, self._shift, is_down=is_down)
        threading.Thread(target=work, name=self.name, daemon=True).start()

    def _live(self, shift: int, *, is_down: bool) -> None:
        if is_down and not self._recover(shift):
            return
        while self._turn(shift):
            pass

    def _turn(self, shift: int) -> bool:
        """One job; a frame of its own, so that nothing of it is kept while waiting. False when
        this thread has nothing more to do."""
        job = self._next(shift)
        if job is None:
            return False
        failed = self._do(job)
        with self._changed:
            if shift != self._shift:
                return False  # given up meanwhile
            self._running = None
        return not failed or self._passes_trial(shift)

    def _do(self, job: Job) -> bool:
        """Run it; True if it failed and that was not its caller's fault."""
        try:
            job.run()
        except HARMLESS as error:
            job.fail(error)
        except BaseException as error:
            logger.exception("%s: %s failed", self.name, job)
            job.fail(InstanceFailed(f"{type(error).__name__} in {job}"))
            return True
        return False

    def _next(self, shift: int) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._heap or self._refusal or shift != self._shift)
            if self._refusal is not None or shift != self._shift:
                return None
            job = heapq.heappop(self._heap)[2]
            self._running = (job, time.monotonic())
            return job

    # ------------------------------------------------------------------- down, and up again

    def _passes_trial(self, shift: int) -> bool:
        now = time.monotonic()
        if self._trial is None or now - self._tried_at < TRIAL_PERIOD:
            return True
        self._tried_at = now
        try:
            self._trial()
        except BaseException:
            logger.exception("%s: the worker cannot go on; it is made anew", self.name)
            self._go_down(shift, "the instance failed and is being made anew")
            return False
        return True

    def _give_up_hanging_job(self) -> None:
        with self._changed:
            running, shift = self._running, self._shift
        if running is None or time.monotonic() - running[1] < self._longest_job:
            return
        job = running[0]
        logger.error("%s: %s does not end; the worker is made anew", self.name, job)
        if self._go_down(shift, "the instance hung and is being made anew"):
            job.fail(InstanceFailed(f"{job} did not end"))

    def _go_down(self, shift: int, reason: str) -> bool:
        """Refuse everything and let a new thread try; False if that was done already."""
        with self._changed:
            if shift != self._shift or self._closed is not None:
                return False
            self._down, self._running = InstanceFailed(reason), None
            self._begin_shift(is_down=True)
        self._refuse_waiting(self._down)
        return True

    def _recover(self, shift: int) -> bool:
        """Try until the trial is passed; False if the worker was closed meanwhile."""
        delay = self._first_delay
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closed is not None, delay):
                    return False
            try:
                if self._trial is not None:
                    self._trial()
                break
            except BaseException:
                logger.exception("%s: the new worker failed its trial", self.name)
                delay = min(2 * delay, LONGEST_DELAY)
        with self._changed:
            if shift != self._shift:
                return False
            self._down = None
        logger.warning("%s: the worker is up again", self.name)
        return True

    def _refuse_waiting(self, failure: InstanceFailed) -> None:
        with self._changed:
            left, self._heap = self._heap, []
            self._changed.notify_all()
        for _, _, job in left:
            job.fail(failure)
