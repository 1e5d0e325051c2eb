"""The cascade: an engine made of a hearing, a language model and a voice, each chosen by itself.

A speech model judges what is heard (its state tokens), a transcriber writes it down, any language
model replies to the whole conversation, and the reply is spoken clause by clause. A stream keeps
the conversation as text; the language model is sent all of it with each request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.base import (
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    AssistantText,
    Conversation,
    FunctionCall,
    Instance,
    InstanceFailed,
    Item,
    Mark,
    OutOfRoom,
    Samples,
    Tool,
    UserSound,
    Verdict,
)
from models.capabilities import (
    Capabilities,
    Dependent,
    Describing,
    Measuring,
    is_up,
    trouble_of,
)
from models.engines.cascade.language import ChatModel
from models.engines.cascade.past import OpenSegment, Past, fitted, is_users, tool_tokens
from models.engines.cascade.replying import SpokenReply
from models.engines.cascade.speech import SpeechSource
from models.engines.cascade.state_tokens import StateTokenStream
from models.engines.cascade.transcription import TranscriptionQueue
from models.engines.cascade.warming import PrefixWarming
from models.engines.exclusive_access import ExclusiveAccess
from models.engines.snapshots import Snapshot, Snapshots
from models.word_evidence import evidence_of, weighed

logger = logging.getLogger(__name__)
STREAMS = 64  # open at once on one instance
LEAST_ANSWER = 16  # tokens of room without which no answer is asked for


class WordJudge(Protocol):
    """Judges what was said by its words, beside the sound."""

    async def judged(self, conversation: Conversation, verdict: Verdict) -> Verdict:
        """The verdict on a whole segment, of which the state model has judged the sound and the
        words are known; `conversation` is what was said before it. Raises InstanceFailed."""
        ...


class CascadeInstance:
    """A models.base.Instance of parts that others may share, but for `state_model`, which is its
    own. Without `transcription` the words are those that the state model spells. `judge` changes
    the verdict at a pause by the words of the segment; `languages` are those that the transcription
    writes."""

    def __init__(
        self,
        name: str,
        state_model: Instance,
        chat: ChatModel,
        speech: SpeechSource,
        transcription: TranscriptionQueue | None = None,
        judge: WordJudge | None = None,
        languages: tuple[str, ...] = (),
    ) -> None:
        self.name, self._languages = name, languages
        self.state_model, self.chat, self.speech = state_model, chat, speech
        self.transcription, self.judge = transcription, judge
        self._streams: set[CascadeStream] = set()

    @property
    def is_up(self) -> bool:
        return is_up(self.state_model)

    @property
    def trouble(self) -> str | None:
        return trouble_of(self.chat)

    @property
    def capabilities(self) -> Capabilities:
        """Those of the language model, which is what replies; sound of any length becomes words."""
        can = Capabilities(context=self.chat.capacity)
        if isinstance(self.chat, Describing):
            can = self.chat.capabilities
        writes = self.transcription is not None
        return replace(can, languages=can.languages or self._languages, writes_first=writes)

    def fitted(self, item: Item) -> Item:
        """See capabilities.Measuring; a fourth of the room, where the chat model says nothing."""
        if isinstance(self.chat, Measuring):
            return self.chat.fitted(item)
        return fitted(item, self.chat.capacity // 4)

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        """See capabilities.Measuring; half of the room, where the chat model says nothing."""
        if isinstance(self.chat, Measuring):
            return self.chat.num_fitting(tools)
        sizes = accumulate(map(tool_tokens, tools))
        return sum(size <= self.chat.capacity // 2 for size in sizes)

    def watch(self, observe: Callable[[str], None]) -> None:
        if isinstance(self.chat, Dependent):
            self.chat.watch(observe)

    def capacity(self) -> int:
        return self.chat.capacity

    async def open(self, conversation: Conversation) -> CascadeStream:
        """Raises InstanceFailed, OutOfRoom."""
        if len(self._streams) >= STREAMS:
            raise InstanceFailed(f"all {STREAMS} streams are taken")
        stream = CascadeStream(self, conversation.tools)
        for item in conversation.items:
            await stream.read(item)
        self._streams.add(stream)
        return stream

    async def close(self) -> None:
        for stream in list(self._streams):
            await stream.close()
        await self.state_model.close()
        await self.chat.close()
        if self.transcription is not None:
            self.transcription.close()

    def forget(self, stream: CascadeStream) -> None:
        self._streams.discard(stream)


class CascadeStream:
    """A models.base.Stream: what it knows is a Past, beside the state tokens of the open turn."""

    def __init__(self, instance: CascadeInstance, tools: tuple[Tool, ...]) -> None:
        self._instance, self._tools = instance, tools
        self._access = ExclusiveAccess()
        self._states = StateTokenStream(instance.state_model)
        self._past = Past(tokens=sum(tool_tokens(tool) for tool in tools))
        self._turns = 1  # how many turns were ever named
        self._snapshots = Snapshots[tuple[Past, Mark | None]]()
        self._warming = PrefixWarming(instance.chat)
        self._transcript_seconds = 0.0

    # ------------------------------------------------------------------------------ hearing

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        with self._access.call("hear"):
            chunk = np.asarray(chunk, np.float32)
            past = self._past
            if past.segment is None:
                self._warming.begin(Conversation(past.items, self._tools))
            segment = past.segment or OpenSegment()
            self._check_room(replace(past, segment=_grown(segment, chunk)))
            if last:
                segment, verdict = await self._flush(segment, chunk)
            else:
                segment, verdict = await self._take(segment, chunk)
            segment = replace(segment, verdict=verdict)
            self._past = replace(past, segment=segment, is_open=True)
            return verdict

    async def end_segment(self) -> None:
        with self._access.call("end_segment"):
            await self._end_segment()

    def embedded(self) -> npt.NDArray[np.float32] | None:
        return self._states.embedded(self._past.turn)

    async def _take(self, segment: OpenSegment, chunk: Samples) -> tuple[OpenSegment, Verdict]:
        """Hear a chunk; words are those of a transcription that has ended."""
        verdict = await self._judge(segment, chunk, last=False)
        segment, queue = _grown(segment, chunk), self._instance.transcription
        if queue is not None:
            heard = segment.samples[: verdict.heard]
            transcript = await queue.grown(segment.transcript, heard)
            segment = replace(segment, transcript=transcript)
            if transcript.words is None:
                return segment, verdict
            verdict = replace(verdict, words=transcript.words)
            if self._instance.judge is not None:
                verdict = weighed(verdict, evidence_of(verdict.words), is_whole=False)
        return segment, verdict

    async def _flush(self, segment: OpenSegment, chunk: Samples) -> tuple[OpenSegment, Verdict]:
        """Hear a chunk and judge all of the segment, with all of its words; where the transcriber
        fails they are those that the state model spells."""
        queue, grown = self._instance.transcription, _grown(segment, chunk)
        if queue is None:  # letters that are spelled tell little
            return grown, await self._judge(segment, chunk, last=True)
        began = time.perf_counter()
        judging = asyncio.create_task(self._judge(segment, chunk, last=True))
        try:
            transcript, words = await queue.ended(segment.transcript, grown.samples)
            self._transcript_seconds = time.perf_counter() - began
            verdict = replace(await judging, words=words)
        except InstanceFailed:  # of the transcriber, which the log tells; or raised again here
            return grown, await judging
        finally:
            judging.cancel()
            await asyncio.wait({judging})
        grown = replace(grown, transcript=transcript)
        return grown, await self._judged_by_words(verdict)

    async def _judged_by_words(self, verdict: Verdict) -> Verdict:
        judge = self._instance.judge
        if judge is None:
            return verdict
        if not verdict.words:
            return weighed(verdict, evidence_of(""))
        return await judge.judged(Conversation(self._past.items, self._tools), verdict)

    async def _judge(self, segment: OpenSegment, chunk: Samples, *, last: bool) -> Verdict:
        past = self._past
        return await self._states.hear(past.turn, past.items, segment.chunks, chunk, last=last)

    async def _end_segment(self) -> None:
        """Keep what was said as a turn of the user; the next sound begins a segment of its own."""
        past, segment = self._past, self._past.segment
        if segment is None:
            return
        if not self._is_judged(segment):
            segment, verdict = await self._flush(segment, np.zeros(0, np.float32))
            segment = replace(segment, verdict=verdict)
        assert segment.verdict is not None
        await self._states.end_segment(past.turn)
        said = UserSound(words=segment.verdict.words)
        self._past = replace(past.with_item(said), segment=None)

    def _is_judged(self, segment: OpenSegment) -> bool:
        """Is the verdict one on the whole segment, with all of its words?"""
        if segment.verdict is None or segment.verdict.heard < segment.size:
            return False
        is_spelled = self._instance.transcription is None
        return is_spelled or segment.transcript.is_final(segment.samples)

    # ------------------------------------------------------------------------------ reading

    async def read(self, item: Item) -> None:
        with self._access.call("read"):
            await self._end_segment()
            if isinstance(item, UserSound) and not item.words and item.samples is not None:
                item = replace(item, words=await self._words_of(item.samples))
            past = self._past.with_item(_kept(item))
            self._check_room(past)
            if is_users(item):
                self._past = replace(past, is_open=True)
            else:
                self._past = self._closed(past) if isinstance(item, AssistantText) else past

    async def mark(self) -> Mark:
        with self._access.call("mark"):
            inner = await self._states.mark(self._past.turn)
            place = Snapshot((self._past, inner), self._past.all_tokens)
            return self._snapshots.keep(place)

    async def rewind(self, mark: Mark) -> None:
        with self._access.call("rewind"):
            past, inner = self._snapshots.back_to(mark).state
            await self._states.rewind(past.turn, inner)
            self._past = past

    def room(self) -> int:
        return max(0, self._instance.capacity() - self._past.all_tokens)

    async def close(self) -> None:
        if self._access.close():
            warming = self._warming.stop()
            await self._states.close()
            if warming is not None:
                await asyncio.wait({warming})
            self._instance.forget(self)

    async def _words_of(self, samples: Samples) -> str:
        queue = self._instance.transcription
        return "" if queue is None else await queue.words_of(np.asarray(samples, np.float32))

    def _closed(self, past: Past) -> Past:
        """An answer has begun: what is heard next is another turn."""
        self._turns += 1
        return replace(past, turn=self._turns, is_open=False)

    def _check_room(self, past: Past) -> None:
        if past.all_tokens > self._instance.capacity():
            raise OutOfRoom(f"{past.all_tokens} tokens of {self._instance.capacity()}")

    # ---------------------------------------------------------------------------- answering

    async def answer(self, options: AnswerOptions) -> AsyncGenerator[AnswerPart, None]:
        with self._access.call("answer"):
            await self._end_segment()
            self._warming.stop()
            if self.room() < LEAST_ANSWER:
                raise OutOfRoom(f"{self.room()} tokens are left for an answer")
            options = replace(options, max_tokens=min(options.max_tokens, self.room()))
            before, said = self._past, ""
            self._past = self._closed(before)
            calls: list[FunctionCall] = []
            try:
                async with aclosing(self._reply(before, options)) as parts:
                    async for part in parts:
                        if isinstance(part, AnswerChunk):
                            said += part.text
                        else:
                            calls.append(part)
                        yield part
            finally:
                self._keep(said, calls)

    async def _reply(self, past: Past, options: AnswerOptions) -> AsyncGenerator[AnswerPart, None]:
        instance = self._instance
        reply = instance.chat.reply(Conversation(past.items, self._tools), options)
        speech = instance.speech.begin(options) if options.speak else None
        spoken = SpokenReply(reply, speech, self._transcript_seconds)
        self._transcript_seconds = 0.0
        async with aclosing(spoken.parts()) as parts:
            async for part in parts:
                yield part

    def _keep(self, said: str, calls: list[FunctionCall]) -> None:
        """What was answered stays in the stream until a rewind."""
        past = self._past
        items: list[Item] = [AssistantText(said)] if said else []
        for item in (*items, *calls):
            past = past.with_item(item)
        self._past = past


def _grown(segment: OpenSegment, chunk: Samples) -> OpenSegment:
    if not len(chunk):
        return segment
    return replace(segment, chunks=(*segment.chunks, chunk), size=segment.size + len(chunk))


def _kept(item: Item) -> Item:
    """Of a spoken turn the words are kept, and how the model that judges heard it."""
    return replace(item, samples=None) if isinstance(item, UserSound) else item
