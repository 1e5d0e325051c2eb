"""The segment that one stream hears, from its onset to the item that it becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from duplex.context_sync import WORK_TIMEOUT_S, SyncedStream, ends_spoken
from duplex.conversation import ContextEntry
from duplex.events import VerdictGiven
from models.base import HEAR_AHEAD, HEAR_CHUNK, HEAR_RATE, Mark, Stream

if TYPE_CHECKING:
    from duplex.stream_worker import SessionServices

# After a stall the sound is taken in pieces of at most this, so that verdicts keep coming.
MAX_PIECE = 4 * HEAR_CHUNK
# Where more sound than this waits, in samples, hearing takes at most half of the instance's time:
# who sends faster than is spoken delays nobody else.
MAX_WAITING = 2 * HEAR_RATE


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


class Hearing:
    """Feeds one stream the sound of one segment at a time and reports its verdicts.

    `segment` is the one that is heard or waits to become an item; None between segments.
    """

    def __init__(
        self,
        stream: SyncedStream,
        services: SessionServices,
        report: Callable[[VerdictGiven], None],
    ) -> None:
        self.segment: HeardSegment | None = None
        self._stream = stream
        self._services = services
        self._report = report
        self._loop = asyncio.get_running_loop()

    def holds(self, number: int | None) -> bool:
        """Does the stream hear this segment, or wait for it to become an item?"""
        return self.segment is not None and self.segment.number == number

    @property
    def is_open(self) -> bool:
        """True while the stream hears a segment."""
        return self.segment is not None and self.segment.state is HeardState.OPEN

    def open(self, number: int, start: int) -> None:
        """Segment `number` begins at sample `start`; `mark` must follow before any sound."""
        self.segment = HeardSegment(number, start, start)

    async def mark(self, context: tuple[ContextEntry, ...]) -> None:
        """The stream knows `context`: what it hears from here on is the segment."""
        assert self.segment is not None
        stream = await self._stream.ready()
        self.segment.before = await stream.mark()
        self.segment.tokens_before = _num_embedded(stream) if ends_spoken(context) else 0

    async def hear(self) -> bool:
        """Hear the next whole chunks that were recorded; True if more of them are left."""
        heard = self.segment
        if heard is None or not self.is_open:
            return False
        ready = heard.ready(self._services.recording.end)
        if ready <= heard.fed:
            return False
        until = min(ready, heard.fed + MAX_PIECE)
        await self._take(heard, until, last=False)
        return ready > until

    async def flush(self, number: int, until: int, silence: int) -> None:
        """Judge all up to sample `until`, and as if so many samples of silence had followed."""
        is_last = False
        while not is_last:
            heard = self.segment
            if heard is None or heard.number != number or not self.is_open:
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
        seconds = self._loop.time() - began
        if len(sound):
            self._services.measure("hear_rtf", seconds * HEAR_RATE / len(sound))
        heard.fed = until
        if verdict.heard:
            judged = until if last else heard.start + verdict.heard - heard.silence
            self._report(VerdictGiven(heard.number, verdict, judged / HEAR_RATE, last))
        if not last and self._services.recording.end - until > MAX_WAITING:
            await asyncio.sleep(seconds)

    # -------------------------------------------------------------------------- its end

    def name(self, number: int, item_id: str, *, is_answering: bool) -> bool:
        """The segment has become this item. True if nothing is left to do: its answer, which is
        being given, ends the segment or has ended it already."""
        heard = self.segment
        if heard is None or heard.number != number:
            return False
        if heard.state is not HeardState.ENDED and not is_answering:
            return False
        self._stream.context.add(f"{item_id}/0", heard.before)
        heard.item_id = item_id
        if heard.state is HeardState.ENDED:
            self._keep(heard)
        else:
            heard.state = HeardState.NAMED
        return True

    async def end(self, number: int, item_id: str | None) -> None:
        """The segment is over: keep it as this item, or forget it."""
        heard = self.segment
        if heard is None or heard.number != number:
            return
        if item_id is None:
            await self._stream.rewind(heard.before)
        else:
            await self._stream.drop_unconfirmed()
            self._stream.context.add(f"{item_id}/0", heard.before)
            heard.item_id = item_id
            await self._end(heard)
        self.segment = None

    async def end_for_answer(self) -> None:
        """The answer to the segment begins: no more sound belongs to it."""
        if self.segment is not None and self.segment.state is not HeardState.ENDED:
            await self._end(self.segment)

    async def settle_named(self) -> None:
        """The segment became an item because an answer was to end it, and that answer never did."""
        if self.is_named and self.segment is not None:
            await self._end(self.segment)

    @property
    def is_named(self) -> bool:
        """True while the segment is an item that the stream has not ended."""
        return self.segment is not None and self.segment.state is HeardState.NAMED

    async def reopen(self) -> None:
        """The user went on: forget the speculative answer, the segment goes on."""
        await self._stream.drop_unconfirmed()
        if self.segment is not None:
            self.segment.state = HeardState.OPEN

    async def forget_other(self, number: int | None) -> None:
        """An answer is not to what the stream was hearing: another stream hears that now."""
        heard = self.segment
        if heard is None or heard.number == number:
            return
        self.segment = None
        if heard.state is HeardState.OPEN:
            await self._stream.rewind(heard.before)

    async def _end(self, heard: HeardSegment) -> None:
        """End the segment in the stream; keep what the language model saw of it."""
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
        self.segment = None


def _num_embedded(stream: Stream) -> int:
    embedded = stream.embedded()
    return 0 if embedded is None else len(embedded)
