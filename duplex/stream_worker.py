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
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from audio.frame import EMPTY, Samples
from audio.recent import RecentAudio
from duplex import events
from duplex.audio_store import AudioStore
from duplex.context_sync import WORK_TIMEOUT_S, SyncedStream, ends_spoken
from duplex.conversation import ContextEntry
from duplex.playout import ResponseTasks
from models.base import (
    HEAR_AHEAD,
    HEAR_CHUNK,
    HEAR_RATE,
    AnswerChunk,
    AnswerOptions,
    BadInput,
    Conversation,
    FunctionCall,
    Instance,
    InstanceFailed,
    Mark,
    OutOfRoom,
    Stream,
)

logger = logging.getLogger(__name__)

# After a stall the sound is taken in pieces of at most this, so that verdicts keep coming.
MAX_PIECE = 4 * HEAR_CHUNK
# A closing worker waits so long for its work to stop.
CLOSE_TIMEOUT_S = 0.2

Job: TypeAlias = Callable[[], Awaitable[None]]
WorkerReport: TypeAlias = events.AnswerEvent | events.VerdictGiven | events.HearingFailed

# Jobs that outlived their worker; kept alive until they end by themselves.
_outliving: set[asyncio.Task[None]] = set()


class HeardState(Enum):
    """How far a heard segment is on its way to an item of the conversation."""

    OPEN = "open"  # the stream hears it
    NAMED = "named"  # it has become an item, while the stream is about to end it
    ENDED = "ended"  # the stream has ended it, for an answer that is not confirmed


@dataclass(slots=True)
class HeardSegment:
    """The segment that the stream hears; positions are samples of user audio at 16 kHz.

    `tokens_before` counts embeddings of the same turn, from segments before this one.
    """

    number: int
    start: int
    fed: int
    before: Mark = field(default_factory=lambda: Mark(0))
    tokens_before: int = 0
    silence: int = 0  # samples that stood in for sound that did not come
    state: HeardState = HeardState.OPEN
    item_id: str | None = None
    embedded: npt.NDArray[np.float32] | None = None  # [tokens, width], once it has ended

    def ready(self, recorded: int) -> int:
        """As far as the stream can encode whole chunks: a piece that ends with a chunk would have
        to wait for the next one before the encoder sees beyond it."""
        whole = max(0, recorded - self.start - HEAR_AHEAD) // HEAR_CHUNK
        return self.start + whole * HEAR_CHUNK + HEAR_AHEAD if whole else self.start


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
        self._heard: HeardSegment | None = None
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
        """The answer that was just cancelled never was: its segment goes on."""
        self._put(self._resume)

    def flush(self, segment: int, until: int, silence: int = 0) -> None:
        """Judge what was heard up to sample `until`, with the partial chunk, and as if so many
        samples of silence had followed it."""
        self._put(lambda: self._flush(segment, until, silence))

    def end(self, segment: int, item_id: str | None) -> None:
        """The segment is over: keep it as this item, or forget it."""
        self._is_hearing = False
        heard = self._heard
        is_answered = heard is not None and (
            heard.state is HeardState.ENDED or self._answering is not None
        )
        if item_id is None or heard is None or heard.number != segment or not is_answered:
            self._put(lambda: self._end(segment, item_id))
            return
        # Its answer ends the segment, or has ended it already: there is no more work to queue.
        self._stream.context.add(f"{item_id}/0", heard.before)
        heard.item_id = item_id
        if heard.state is HeardState.ENDED:
            self._keep(heard)
        else:
            heard.state = HeardState.NAMED

    def renew(self) -> None:
        """The conversation begins otherwise now: open a fresh stream when it is next needed."""
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
        if self._heard is not None and self._heard.state is HeardState.NAMED:
            self._put(self._settle_named)
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
        heard, self._heard = self._heard, None
        answer, self._answering = self._answering, None
        if answer is not None:
            self._report(events.AnswerFailed(answer, reason))
        elif heard is not None:
            self._report(events.HearingFailed(heard.number, reason))

    def _report(self, report: WorkerReport, samples: Samples | None = None) -> None:
        self._services.report(self, report, samples)

    async def _close(self) -> None:
        job = self._job
        if job is not None:
            job.cancel()
            await asyncio.wait({job}, timeout=CLOSE_TIMEOUT_S)
        if job is not None and not job.done():
            _outliving.add(job)  # an engine that ignores cancellation must not hold up the session
            job.add_done_callback(_outliving.discard)
        else:
            await self._stream.close()
        # A cancelled task keeps the frames that it left, and they all that was heard and read.
        self._job = self._generation = None
        while not self._jobs.empty():
            self._jobs.get_nowait()

    # ------------------------------------------------------------------------------ syncing

    async def _sync(self, context: tuple[ContextEntry, ...]) -> None:
        began = self._loop.time()
        if await self._stream.sync(context):
            self._services.measure("catch_up_seconds", self._loop.time() - began)

    async def _renew(self) -> None:
        if self._heard is None:
            await self._stream.close()

    # ------------------------------------------------------------------------------- hearing

    async def _begin(self, segment: int, start: int, context: tuple[ContextEntry, ...]) -> None:
        self._heard = HeardSegment(segment, start, start)
        await self._sync(context)
        stream = await self._stream.ready()
        self._heard.before = await stream.mark()
        self._heard.tokens_before = _num_embedded(stream) if ends_spoken(context) else 0
        await self._hear()

    async def _hear(self) -> None:
        self._is_hear_queued = False
        heard = self._heard
        if heard is None or heard.state is not HeardState.OPEN:
            return
        ready = heard.ready(self._services.recording.end)
        if ready > heard.fed:
            until = min(ready, heard.fed + MAX_PIECE)
            await self._take(heard, until, last=False)
            if ready > until:
                self.hear()

    async def _flush(self, segment: int, until: int, silence: int) -> None:
        is_last = False
        while not is_last:
            heard = self._heard
            if heard is None or heard.number != segment or heard.state is not HeardState.OPEN:
                return
            end = max(until, heard.fed)
            is_last = end <= heard.fed + MAX_PIECE
            if is_last:
                await self._take(heard, end, last=True, silence=silence)
            else:
                await self._take(heard, heard.fed + MAX_PIECE, last=False)

    async def _take(self, heard: HeardSegment, until: int, *, last: bool, silence: int = 0) -> None:
        stream = await self._stream.ready()
        sound = self._services.recording.slice(heard.fed, until)
        if silence:
            sound = np.concatenate((sound, np.zeros(silence, np.float32)))
            heard.silence += silence
        began = self._loop.time()
        async with asyncio.timeout(WORK_TIMEOUT_S):
            verdict = await stream.hear(sound, last=last)
        if len(sound):
            seconds = self._loop.time() - began
            self._services.measure("hear_rtf", seconds * HEAR_RATE / len(sound))
        heard.fed = until
        if verdict.heard:
            judged = until if last else heard.start + verdict.heard - heard.silence
            self._report(events.VerdictGiven(heard.number, verdict, judged / HEAR_RATE, last))

    async def _resume(self) -> None:
        """The user went on: forget the speculative answer, the segment is open again."""
        await self._stream.drop_unconfirmed()
        if self._heard is not None:
            self._heard.state = HeardState.OPEN
        await self._hear()

    async def _end(self, segment: int, item_id: str | None) -> None:
        heard = self._heard
        if heard is None or heard.number != segment:
            return
        if item_id is None:
            await self._stream.rewind(heard.before)
        else:
            await self._stream.drop_unconfirmed()
            self._stream.context.add(f"{item_id}/0", heard.before)
            heard.item_id = item_id
            await self._end_segment(heard)
        self._heard = None

    async def _end_segment(self, heard: HeardSegment) -> None:
        """No more sound belongs to the segment; keep what the language model saw of it."""
        stream = await self._stream.ready()
        await stream.end_segment()
        heard.state = HeardState.ENDED
        embedded = stream.embedded()
        heard.embedded = None if embedded is None else embedded[heard.tokens_before :]
        if heard.item_id is not None:
            self._keep(heard)

    def _keep(self, heard: HeardSegment) -> None:
        """An ended segment has become an item."""
        assert heard.item_id is not None
        self._services.audio_store.keep_embedded(heard.item_id, heard.embedded)
        self._heard = None

    # ----------------------------------------------------------------------------- answering

    async def _answer(
        self,
        response_id: int,
        options: AnswerOptions,
        segment: int | None,
        context: tuple[ContextEntry, ...] | None,
    ) -> None:
        if self._answering == response_id and self._heard and self._heard.number != segment:
            await self._forget_heard()
        if self._answering == response_id and context is not None:
            await self._sync(context)
        if self._answering != response_id:
            return  # cancelled before it began
        self._generation = asyncio.current_task()
        stream = await self._stream.ready()
        before = await stream.mark()
        self._stream.context.unconfirmed = before
        heard = self._heard
        if heard is not None and heard.state is not HeardState.ENDED:
            await self._end_segment(heard)
        room = stream.room()
        text, is_cut = await self._give(stream, response_id, options, room)
        self._stream.context.own_answer = (text, before)
        if self._answering == response_id:
            self._answering = None
            self._report(events.AnswerFinished(response_id, is_cut, *self._tokens(stream, room)))

    async def _forget_heard(self) -> None:
        """The answer is not to what the stream was hearing: another stream hears that now."""
        heard, self._heard = self._heard, None
        if heard is not None and heard.state is HeardState.OPEN:
            await self._stream.rewind(heard.before)

    async def _settle_named(self) -> None:
        """A segment became an item because an answer was to end it, and that answer never did."""
        if self._heard is not None and self._heard.state is HeardState.NAMED:
            await self._end_segment(self._heard)

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


def _num_embedded(stream: Stream) -> int:
    embedded = stream.embedded()
    return 0 if embedded is None else len(embedded)
