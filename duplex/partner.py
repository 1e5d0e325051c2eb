"""One of a session's two streams, and the work on it, one piece after the other.

A partner is told what to do without waiting (`begin`, `hear`, `flush`, `end`, `answer`, `agree`);
its worker does it in that order and reports events. It knows how far its stream agrees with the
conversation (duplex.context), so whoever asks it for something names the journal it must know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from audio.frame import Samples
from audio.recent import RecentAudio
from duplex import events as happened
from duplex.context import ends_spoken
from duplex.conversation import Note
from duplex.hearing import Hearing
from duplex.informed import WORK_PATIENCE, InformedStream
from duplex.patience import STOP_PATIENCE
from duplex.sounds import Sounds
from models.base import (
    HEAR_CHUNK,
    HEAR_RATE,
    AnswerChunk,
    AnswerOptions,
    BadInput,
    Conversation,
    Instance,
    InstanceFailed,
    OutOfRoom,
    Stream,
)

logger = logging.getLogger(__name__)

# After a stall the sound is taken in pieces of at most this, so that verdicts keep coming.
LONGEST_PIECE = 4 * HEAR_CHUNK

Job = Callable[[], Awaitable[None]]

# Jobs that outlived their partner; kept alive until they end by themselves.
_strays: set[asyncio.Task[None]] = set()


@dataclass(slots=True)
class Surroundings:
    """What a partner needs from its session."""

    recording: RecentAudio
    sounds: Sounds
    opening: Callable[[], Conversation]
    report: Callable[[happened.Event], None]
    make_sound: Callable[[int, AnswerChunk], None]
    room: Callable[[int], Awaitable[None]]  # waits until an answer may be made further
    measure: Callable[[str, float], None]


class Partner:
    """Work on one stream of `instance`. `close` ends it; a partner is never reopened by others."""

    def __init__(self, instance: Instance, around: Surroundings) -> None:
        self.instance = instance
        self.answering: int | None = None  # the answer it is giving
        self.is_lost = False  # left behind: nothing it says counts any more
        self._around = around
        self._stream = InformedStream(instance, around.opening, around.sounds)
        self._hearing: Hearing | None = None
        self._is_hear_queued = False
        self._jobs: asyncio.Queue[Job] = asyncio.Queue(maxsize=256)
        self._job: asyncio.Task[None] | None = None
        self._answer_job: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # ------------------------------------------------------------------ what it may be asked

    def agree(self, journal: tuple[Note, ...]) -> None:
        """Come to know exactly this journal, in the background."""
        self._put(lambda: self._agree(journal))

    def begin(self, segment: int, start: int, journal: tuple[Note, ...]) -> None:
        """Hear a new segment from sample `start` on, knowing this journal."""
        self._put(lambda: self._begin(segment, start, journal))

    def hear(self) -> None:
        """More user audio has been recorded."""
        if not self._is_hear_queued:
            self._is_hear_queued = True
            self._put(self._hear)

    def go_on(self) -> None:
        """The answer that was just cancelled never was: the segment goes on."""
        self._put(self._go_on)

    def flush(self, segment: int, until: int) -> None:
        self._put(lambda: self._flush(segment, until))

    def end(self, segment: int, item_id: str | None) -> None:
        """The segment is over: keep it as this item, or forget it."""
        self._put(lambda: self._end(segment, item_id))

    def renew(self) -> None:
        """The conversation begins otherwise now: open a fresh stream when it is next needed."""
        self._put(self._renew)

    def has_ended(self, segment: int) -> bool:
        """Has a speculative answer already ended this segment (or is about to)?"""
        hearing = self._hearing
        if hearing is None or hearing.segment != segment:
            return False
        return hearing.is_ended or self.answering is not None

    def keep_answered(self, segment: int, item_id: str) -> None:
        """The segment that a speculative answer already ended has become this item."""
        hearing = self._hearing
        if hearing is None or hearing.segment != segment:
            return
        self._stream.context.note(f"{item_id}/0", hearing.before)
        hearing.item_id = item_id
        if hearing.is_ended:
            self._settle(hearing)

    def answer(
        self, response_id: int, options: AnswerOptions, journal: tuple[Note, ...] | None
    ) -> None:
        """Answer what was heard (`journal` None), or what the journal asks."""
        self.answering = response_id
        self._put(lambda: self._answer(response_id, options, journal))

    def cancel_answer(self, response_id: int) -> None:
        """Stop this answer; what it made stays in the stream as dirt until it next agrees."""
        if self.answering != response_id:
            return
        self.answering = None
        if self._answer_job is not None:
            self._answer_job.cancel()

    @property
    def job(self) -> asyncio.Task[None] | None:
        """What it is doing now."""
        return self._job

    # ---------------------------------------------------------------------------- the worker

    async def run(self) -> None:
        """Do the jobs in order until cancelled."""
        try:
            while True:
                job = await self._jobs.get()
                # A task of its own, so that an answer can be cancelled without its worker.
                self._job = asyncio.create_task(self._guard(job), name="partner-job")
                await asyncio.wait({self._job})
                self._job = self._answer_job = None
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
        hearing, self._hearing = self._hearing, None
        answer, self.answering = self.answering, None
        if answer is not None:
            self._around.report(happened.AnswerFailed(answer, reason))
        elif hearing is not None:
            self._around.report(happened.HearingFailed(hearing.segment, reason))

    async def _close(self) -> None:
        job = self._job
        if job is not None:
            job.cancel()
            await asyncio.wait({job}, timeout=STOP_PATIENCE)
        if job is not None and not job.done():
            _strays.add(job)  # an engine that ignores cancellation must not hold up the session
            job.add_done_callback(_strays.discard)
        else:
            await self._stream.close()

    # ------------------------------------------------------------------------------ agreeing

    async def _agree(self, journal: tuple[Note, ...]) -> None:
        began = self._loop.time()
        if await self._stream.agree(journal):
            self._around.measure("catch_up_seconds", self._loop.time() - began)

    async def _renew(self) -> None:
        if self._hearing is None:
            await self._stream.close()

    # ------------------------------------------------------------------------------- hearing

    async def _begin(self, segment: int, start: int, journal: tuple[Note, ...]) -> None:
        self._hearing = Hearing(segment, start, start)
        await self._agree(journal)
        stream = await self._stream.ready()
        self._hearing.before = await stream.mark()
        self._hearing.tokens_before = _num_tokens(stream) if ends_spoken(journal) else 0
        await self._hear()

    async def _hear(self) -> None:
        self._is_hear_queued = False
        hearing = self._hearing
        if hearing is None or hearing.is_ended:
            return
        ready = hearing.ready(self._around.recording.end)
        if ready > hearing.fed:
            until = min(ready, hearing.fed + LONGEST_PIECE)
            await self._take(hearing, until, last=False)
            if ready > until:
                self.hear()

    async def _flush(self, segment: int, until: int) -> None:
        hearing = self._hearing
        if hearing is not None and hearing.segment == segment and not hearing.is_ended:
            await self._take(hearing, max(until, hearing.fed), last=True)

    async def _take(self, hearing: Hearing, until: int, *, last: bool) -> None:
        stream = await self._stream.ready()
        sound: Samples = self._around.recording.slice(hearing.fed, until)
        began = self._loop.time()
        async with asyncio.timeout(WORK_PATIENCE):
            verdict = await stream.hear(sound, last=last)
        if len(sound):
            self._around.measure("hear_rtf", (self._loop.time() - began) * HEAR_RATE / len(sound))
        hearing.fed = until
        if verdict.heard:
            judged = until if last else hearing.start + verdict.heard
            self._around.report(
                happened.VerdictGiven(hearing.segment, verdict, judged / HEAR_RATE, last)
            )

    async def _go_on(self) -> None:
        """The user went on: forget the speculative answer, the segment is open again."""
        await self._stream.clean()
        if self._hearing is not None:
            self._hearing.is_ended = False
        await self._hear()

    async def _end(self, segment: int, item_id: str | None) -> None:
        hearing = self._hearing
        if hearing is None or hearing.segment != segment:
            return
        if item_id is None:
            await self._stream.forget(hearing.before)
        else:
            await self._stream.clean()
            self._stream.context.note(f"{item_id}/0", hearing.before)
            hearing.item_id = item_id
            await self._end_segment(hearing)
        self._hearing = None

    async def _end_segment(self, hearing: Hearing) -> None:
        stream = await self._stream.ready()
        await stream.end_segment()
        hearing.is_ended = True
        embedded = stream.embedded()
        if embedded is not None:
            embedded = embedded[hearing.tokens_before :]
        self._around.sounds.keep_embedded(hearing.segment, embedded)
        if hearing.item_id is not None:
            self._settle(hearing)

    def _settle(self, hearing: Hearing) -> None:
        """An ended segment has become an item."""
        assert hearing.item_id is not None
        self._around.sounds.name(hearing.segment, hearing.item_id)
        self._hearing = None

    # ----------------------------------------------------------------------------- answering

    async def _answer(
        self, response_id: int, options: AnswerOptions, journal: tuple[Note, ...] | None
    ) -> None:
        if self.answering != response_id:
            return  # cancelled before it began
        if journal is not None:
            await self._agree(journal)
        self._answer_job = asyncio.current_task()
        stream = await self._stream.ready()
        before = await stream.mark()
        self._stream.context.dirty = before
        hearing = self._hearing
        if hearing is not None and not hearing.is_ended:
            await self._end_segment(hearing)
        text = await self._give(stream, response_id, options)
        self._stream.context.said = (text, before)
        if self.answering == response_id:
            self.answering = None
            self._around.report(happened.AnswerFinished(response_id))

    async def _give(self, stream: Stream, response_id: int, options: AnswerOptions) -> str:
        text = ""
        async with aclosing(stream.answer(options)) as parts:  # type: ignore[type-var]
            async for part in parts:
                if isinstance(part, AnswerChunk):
                    text += part.text
                    self._around.make_sound(response_id, part)
                else:
                    call = happened.AnswerCallMade(response_id, part.name, part.arguments)
                    self._around.report(call)
                # Nobody has asked for the next part yet, so the engine rests as well.
                await self._around.room(response_id)
        return text


def _num_tokens(stream: Stream) -> int:
    embedded = stream.embedded()
    return 0 if embedded is None else len(embedded)
