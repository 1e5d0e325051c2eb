"""From a language model's reply to an answer that is heard: clauses, their sound, their words."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from models.base import AnswerChunk, AnswerPart, AnswerTimes, FunctionCall
from models.engines.cascade.language import ReplyEnd, ReplyPart
from models.engines.cascade.speech import AnswerSpeech
from models.engines.cascade.spoken_text import SpokenText
from models.vita.chunker import Chunker, Cuts, SpokenChunk

FIRST_WORDS = 3  # of the first clause, which ends here at the latest


@dataclass(slots=True)
class _Clock:
    """When the stages of an answer were reached, in seconds after `began`."""

    began: float
    transcript: float
    first_token: float | None = None
    first_clause: float | None = None

    def now(self) -> float:
        return time.perf_counter() - self.began

    def times(self) -> AnswerTimes:
        """Of an answer whose first sound leaves now."""
        now = self.now()
        first_token = self.first_token if self.first_token is not None else now
        clause = self.first_clause if self.first_clause is not None else now
        return AnswerTimes(self.transcript, first_token, clause, now)


class SpokenReply:
    """One answer in the making. A task reads the reply as it comes, so that its sender never has
    to wait; a clause is spoken when the caller asks for more."""

    def __init__(
        self,
        reply: AsyncGenerator[ReplyPart, None],
        speech: AnswerSpeech | None,
        transcript_seconds: float = 0.0,
    ) -> None:
        """`speech` None: the answer is text only, and is given as it was written."""
        self._reply, self._speech = reply, speech
        self._clock = _Clock(time.perf_counter(), transcript_seconds)
        self._parts: asyncio.Queue[ReplyPart | Exception | None] = asyncio.Queue()
        self._text = SpokenText()
        self._chunker = Chunker(Cuts(first_words=FIRST_WORDS))
        self._clauses: deque[SpokenChunk] = deque()
        self._calls: list[FunctionCall] = []
        self._is_read = False  # the reply has ended
        self._has_sounded = False
        self._end = ReplyEnd()

    async def parts(self) -> AsyncGenerator[AnswerPart, None]:
        """Text as it is written, sound as it is spoken, calls, and a mark at the end where the
        reply ran into its limit of tokens. Raises InstanceFailed."""
        reading = asyncio.create_task(self._read(), name="reply")
        try:
            while not self._is_read or self._clauses:
                for part in await self._written(wait=not self._clauses):
                    yield part
                if self._clauses and self._speech is not None:
                    async with aclosing(self._speech.say(self._clauses.popleft())) as sounds:
                        async for sound in sounds:
                            yield self._timed(sound)
                            for part in await self._written(wait=False):
                                yield part
            if self._speech is not None and self._clock.first_clause is not None:
                async with aclosing(self._speech.end()) as sounds:
                    async for sound in sounds:
                        yield self._timed(sound)
            for call in self._calls:
                yield call
            if self._end.reason == "length":
                yield AnswerChunk(cut_short=True)
        finally:
            reading.cancel()
            await asyncio.wait({reading})  # the stream of the reply is closed then

    async def _read(self) -> None:
        """Put the reply's parts, and what ends it, where they are taken from."""
        try:
            async with aclosing(self._reply) as parts:
                async for part in parts:
                    self._parts.put_nowait(part)
        except Exception as error:
            self._parts.put_nowait(error)
        else:
            self._parts.put_nowait(None)

    async def _written(self, *, wait: bool) -> list[AnswerPart]:
        """What was written since; waits for something if `wait`. Raises what broke the reply."""
        found: list[AnswerPart] = []
        while not self._is_read and (not self._parts.empty() or (wait and not found)):
            part = await self._parts.get()
            if isinstance(part, Exception):
                self._is_read = True
                raise part
            if self._clock.first_token is None:
                self._clock.first_token = self._clock.now()
            found += self._taken(part)
            wait = wait and not self._clauses
        return found

    def _taken(self, part: ReplyPart | None) -> list[AnswerPart]:
        """Take one part of the reply, None at its end; the text to show."""
        match part:
            case FunctionCall():
                self._calls.append(part)
                return []
            case ReplyEnd():
                self._end = part
                return []
            case None:
                self._is_read = True
        text = part or ""
        if self._speech is not None:
            text = self._text.end() if part is None else self._text.feed(text)
            self._clauses += self._chunker.feed(text)
            if part is None:
                self._clauses += self._chunker.flush()
            if self._clauses and self._clock.first_clause is None:
                self._clock.first_clause = self._clock.now()
        return [AnswerChunk(text=text)] if text else []

    def _timed(self, chunk: AnswerChunk) -> AnswerChunk:
        """The chunk; the first with sound says where the time went."""
        if self._has_sounded or chunk.samples is None or not len(chunk.samples):
            return chunk
        self._has_sounded = True
        return AnswerChunk(chunk.text, chunk.samples, chunk.words, times=self._clock.times())
