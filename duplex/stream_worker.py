"""One of a session's streams, and the work on it, one piece after the other.

A worker is told what to do without waiting (`begin`, `hear`, `flush`, `end`, `answer`, `sync`); its
task does it in that order and reports events. It knows how far its stream agrees with the
conversation (duplex.context_sync), so whoever asks it for something names the context it must know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from audio.frame import EMPTY, Samples
from audio.recent import RecentAudio
from duplex import events
from duplex.context_sync import SyncedStream
from duplex.conversation import ContextEntry
from duplex.hearing import Hearing
from duplex.playout import AudioStore, ResponseTasks
from models.base import (
    AnswerChunk,
    AnswerOptions,
    AnswerUnavailable,
    BadInput,
    Conversation,
    FunctionCall,
    Instance,
    InstanceFailed,
    OutOfRoom,
    Stream,
)

logger = logging.getLogger(__name__)

# A closing worker waits so long for its work to stop.
CLOSE_TIMEOUT_S = 0.2

Job: TypeAlias = Callable[[], Awaitable[None]]
WorkerReport: TypeAlias = events.AnswerEvent | events.VerdictGiven | events.HearingFailed

# What closes the streams of workers that have ended, once their last job has ended as well.
_outliving: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class SessionServices:
    """What all workers of a session share, and whom they tell."""

    recording: RecentAudio
    audio_store: AudioStore
    responses: ResponseTasks
    report: Callable[[StreamWorker, WorkerReport, Samples | None], None]
    measure: Callable[[str, float], None]


class StreamWorker:
    """Works on one stream of `instance`. `opening` gives what a fresh stream has to know."""

    def __init__(
        self, instance: Instance, opening: Callable[[], Conversation], services: SessionServices
    ) -> None:
        self.instance = instance
        self.is_left_behind = False  # nothing it says counts any more
        self._services = services
        self._stream = SyncedStream(instance, opening, services.audio_store)
        self._answering: int | None = None  # the answer it is to give
        self._hearing = Hearing(self._stream, services, self._report)
        self._is_hearing = False  # as its owner sees it: a segment has begun and not ended
        self._is_hear_queued = False
        self._jobs: asyncio.Queue[Job] = asyncio.Queue(maxsize=256)
        self._job: asyncio.Task[None] | None = None
        self._generation: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # ------------------------------------------------------------------ what it may be asked

    def sync(self, context: tuple[ContextEntry, ...]) -> None:
        """Come to know exactly this context, in the background."""
        self._put(lambda: self._sync(context))

    def begin(self, segment: int, start: int, context: tuple[ContextEntry, ...]) -> None:
        """Hear a new segment from sample `start` on, knowing this context."""
        self._is_hearing = True
        self._put(lambda: self._begin(segment, start, context))

    def hear(self) -> None:
        """More user audio has been recorded."""
        if self._is_hearing and not self._is_hear_queued:
            self._is_hear_queued = True
            self._put(self._hear)

    def resume_hearing(self) -> None:
        """Forget the answer that was just cancelled and go on hearing its segment."""
        self._put(self._resume)

    def flush(self, segment: int, until: int, silence: int = 0) -> None:
        """Judge what was heard up to sample `until`, with the partial chunk, and as if so many
        samples of silence had followed it."""
        self._put(lambda: self._hearing.flush(segment, until, silence))

    def end(self, segment: int, item_id: str | None) -> None:
        """The segment is over: keep it as this item, or forget it."""
        self._is_hearing = False
        is_answering = self._answering is not None
        is_done = item_id is not None and self._hearing.name(
            segment, item_id, is_answering=is_answering
        )
        if not is_done:
            self._put(lambda: self._hearing.end(segment, item_id))

    def renew(self) -> None:
        """Open a fresh stream when it is next needed: instructions or tools have changed."""
        self._put(self._renew)

    def answer(
        self,
        response_id: int,
        options: AnswerOptions,
        *,
        segment: int | None = None,
        context: tuple[ContextEntry, ...] | None = None,
    ) -> None:
        """Answer this segment, as it was heard, or what the context asks."""
        self._answering = response_id
        self._put(lambda: self._answer(response_id, options, segment, context))

    def cancel_answer(self, response_id: int) -> asyncio.Task[None] | None:
        """Stop this answer. Gives the work that has to stop for it, None where none has begun: an
        answer whose context is still being read is given up when that is done.

        What was made of it is in the stream, unconfirmed, until the stream next syncs.
        """
        if self._answering != response_id:
            return None
        self._answering = None
        if self._hearing.is_named:
            self._put(self._hearing.settle_named)
        if self._generation is not None:
            self._generation.cancel()
        return self._generation

    @property
    def job(self) -> asyncio.Task[None] | None:
        """The work that is being done now."""
        return self._job

    # ---------------------------------------------------------------------------- the worker

    async def run(self) -> None:
        """Do the jobs in order until cancelled."""
        try:
            while True:
                job = await self._jobs.get()
                # A task of its own, so that an answer can be cancelled without its worker.
                self._job = asyncio.create_task(self._guard(job), name="stream-job")
                await asyncio.wait({self._job})
                self._job = self._generation = None
        finally:
            await self._close()

    def _put(self, job: Job) -> None:
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            logger.warning("%s has more work than it can ever do", self.instance.name)
            self._fail("the instance does not keep up")

    async def _guard(self, job: Job) -> None:
        try:
            await job()
        except AnswerUnavailable as error:
            self._fail_answer(error.reason)
        except (InstanceFailed, OutOfRoom, BadInput) as error:
            await self._break(str(error) or type(error).__name__)
        except TimeoutError:
            await self._break("the instance did not answer in time")
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("work on %s failed", self.instance.name)
            await self._break("internal error")

    async def _break(self, reason: str) -> None:
        """The stream is lost: say so, and open a fresh one when it is next needed."""
        self._fail(reason)
        await self._stream.close()

    def _fail(self, reason: str) -> None:
        heard, self._hearing.segment = self._hearing.segment, None
        self._fail_answer(reason)
        if (
            heard is not None and heard.item_id is None
        ):  # the answer was held back, or there is none
            self._report(events.HearingFailed(heard.number, reason))

    def _fail_answer(self, reason: str) -> None:
        answer, self._answering = self._answering, None
        if answer is not None:
            self._report(events.AnswerFailed(answer, reason))

    def _report(self, report: WorkerReport, samples: Samples | None = None) -> None:
        self._services.report(self, report, samples)

    async def _close(self) -> None:
        # A cancelled task keeps the frames that it left, and they all that was heard and read.
        job, self._job, self._generation = self._job, None, None
        while not self._jobs.empty():
            self._jobs.get_nowait()
        if job is not None:
            job.cancel()
        # A task of its own: the stream is given back even where the work ignores its cancellation,
        # and where the session ends while this waits.
        closing = asyncio.create_task(_close_after(job, self._stream), name="stream-closing")
        _outliving.add(closing)
        closing.add_done_callback(_outliving.discard)
        await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT_S)

    # ------------------------------------------------------------------------------ syncing

    async def _sync(self, context: tuple[ContextEntry, ...]) -> None:
        began = self._loop.time()
        if await self._stream.sync(context):
            self._services.measure("catch_up_seconds", self._loop.time() - began)

    async def _renew(self) -> None:
        if self._hearing.segment is None:
            await self._stream.close()

    # ------------------------------------------------------------------------------- hearing

    async def _begin(self, segment: int, start: int, context: tuple[ContextEntry, ...]) -> None:
        self._hearing.open(segment, start)
        await self._sync(context)
        await self._hearing.mark(context)
        await self._hear()

    async def _hear(self) -> None:
        self._is_hear_queued = False
        if await self._hearing.hear():
            self.hear()

    async def _resume(self) -> None:
        await self._hearing.reopen()
        await self._hear()

    # ----------------------------------------------------------------------------- answering

    async def _answer(
        self,
        response_id: int,
        options: AnswerOptions,
        segment: int | None,
        context: tuple[ContextEntry, ...] | None,
    ) -> None:
        if self._answering == response_id:
            await self._hearing.forget_other(segment)
        if self._answering == response_id and context is not None:
            await self._sync(context)
        elif segment is not None and not self._hearing.holds(segment) and not self._stream.is_open:
            raise InstanceFailed("what was said was lost before it was answered")
        if self._answering != response_id:
            return  # cancelled before it began
        self._generation = asyncio.current_task()
        stream = await self._stream.ready()
        before = await stream.mark()
        self._stream.context.unconfirmed = before
        await self._hearing.end_for_answer()
        room = stream.room()
        text, is_cut = await self._give(stream, response_id, options, room)
        self._stream.context.own_answer = (text, before)
        if self._answering == response_id:
            self._answering = None
            self._report(events.AnswerFinished(response_id, is_cut, *self._tokens(stream, room)))

    async def _give(
        self, stream: Stream, response_id: int, options: AnswerOptions, room: int
    ) -> tuple[str, bool]:
        """Hand on an answer as it is made; its text, and whether it was cut at `max_tokens`."""
        text, is_cut = "", False
        async with aclosing(stream.answer(options)) as parts:  # type: ignore[type-var]
            async for part in parts:
                if isinstance(part, FunctionCall):
                    self._report(events.AnswerCallMade(response_id, part.name, part.arguments))
                else:
                    text += part.text
                    is_cut = is_cut or part.cut_short
                    self._report_chunk(response_id, part, self._tokens(stream, room))
                # Nobody has asked for the next part yet, so the engine rests as well.
                await self._services.responses.demand(response_id)
        return text, is_cut

    def _report_chunk(self, response_id: int, chunk: AnswerChunk, tokens: tuple[int, int]) -> None:
        if chunk.text:
            self._report(events.AnswerTextMade(response_id, chunk.text, *tokens))
        samples = EMPTY if chunk.samples is None else chunk.samples
        if len(samples) or chunk.words:  # some words are known only after their sound
            made = events.AnswerSoundMade(response_id, len(samples), chunk.words, chunk.times)
            self._report(made, samples)

    def _tokens(self, stream: Stream, room_before: int) -> tuple[int, int]:
        """Tokens in the stream before the answer, and those that the answer has taken so far."""
        return self.instance.capacity() - room_before, max(0, room_before - stream.room())


async def _close_after(job: asyncio.Task[None] | None, stream: SyncedStream) -> None:
    """Give a stream back once the work on it has ended: its instance keeps it until then."""
    if job is not None:
        await asyncio.wait({job})
    await stream.close()
