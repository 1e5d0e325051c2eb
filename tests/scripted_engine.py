"""The scripted engine: deterministic, slow, stuck or failing on command; for tests.

Time passes only through the injected `sleep`, so that a virtual-time loop can drive it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.base import (
    HEAR_CHUNK,
    SPEAK_RATE,
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    AnswerUnavailable,
    AssistantText,
    Conversation,
    InstanceFailed,
    Item,
    Mark,
    OutOfRoom,
    Samples,
    UnknownMark,
    UserSound,
    Verdict,
)
from models.engines.exclusive_access import ExclusiveAccess, StreamClosed
from tests.engine_script import (
    UNDECIDED,
    EngineScript,
    ScriptedAnswer,
    ScriptedMemory,
    ScriptedSegment,
)

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
TOKEN_SAMPLES = HEAR_CHUNK // 2  # one token for every 80 ms heard
_MARKS_KEPT = 32


@dataclass(slots=True)
class StreamRecord:
    """What one stream went through, for assertions: every call in order."""

    conversation: Conversation
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def values(self, name: str) -> list[Any]:
        return [value for called, value in self.calls if called == name]


class ScriptedInstance:
    """A models.base.Instance under a Script. `script` may be replaced at any time."""

    def __init__(
        self,
        script: EngineScript | None = None,
        *,
        name: str = "scripted",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = name
        self.script = script or EngineScript()
        self.sleep = sleep
        self.streams: list[ScriptedStream] = []
        self.broken: str | None = None
        self.closed = False
        self._calls: Counter[str] = Counter()

    async def open(self, conversation: Conversation) -> ScriptedStream:
        self.count("open")
        stream = ScriptedStream(self, conversation)
        if stream.room() <= 0:
            raise OutOfRoom(f"{conversation!r:.80} does not fit {self.capacity()} tokens")
        await self.sleep(self.script.open_delay)
        self.streams.append(stream)
        return stream

    def capacity(self) -> int:
        return self.script.capacity

    async def close(self) -> None:
        self.closed = True
        for stream in self.streams:
            await stream.close()

    def breaks(self, reason: str = "broken by script") -> None:
        """Break now: every call raises InstanceFailed until `mended`."""
        self.broken = reason

    def mended(self) -> None:
        self.broken = None

    def count(self, name: str) -> None:
        """Note one call; raise InstanceFailed where the script or an earlier failure says so."""
        if self._calls[name] >= self.script.fail.get(name, 1 << 30):
            self.breaks(f"{name} failed by script")
        self._calls[name] += 1
        if self.closed or self.broken is not None:
            raise InstanceFailed(self.broken or "instance is closed")

    def next_answer(self, memory: ScriptedMemory) -> ScriptedAnswer:
        answers = self.script.answers
        if callable(answers):
            return answers(memory)
        return answers[min(self._calls["answer"], len(answers)) - 1]


class ScriptedStream:
    """A models.base.Stream under its instance's script; `record` says what happened to it."""

    def __init__(self, instance: ScriptedInstance, conversation: Conversation) -> None:
        self.instance = instance
        self.record = StreamRecord(conversation)
        self.memory = ScriptedMemory(items=conversation.items)
        self._guard = ExclusiveAccess()
        self._marks: dict[int, ScriptedMemory] = {}
        self._marked = 0
        self._segments = 0

    @property
    def closed(self) -> bool:
        return self._guard.closed

    async def hear(self, chunk: Samples, *, last: bool = False) -> Verdict:
        with self._call("hear", (chunk.size, last)):
            memory = self._memory_with(chunk, last)
            if memory.judged != self.memory.judged:
                await self._pause(self.instance.script.verdict_delay)
            self.memory = memory
            return self._verdict()

    async def end_segment(self) -> None:
        with self._call("end_segment", None):
            if self.memory.segment is not None:
                turn = (*self.memory.turn, self.memory.segment)
                self.memory = replace(self.memory, turn=turn, segment=None, judged=0)

    async def read(self, item: Item) -> None:
        with self._call("read", item):
            memory = replace(self.memory, items=(*self.memory.items, item))
            self._check_room(memory)
            await self.instance.sleep(self.instance.script.read_delay)
            self.memory = memory

    async def mark(self) -> Mark:
        with self._call("mark", None):
            self._marked += 1
            self._marks[self._marked] = self.memory
            for old in list(self._marks)[:-_MARKS_KEPT]:
                del self._marks[old]
            return Mark(position=_tokens(self.memory), key=self._marked)

    async def rewind(self, mark: Mark) -> None:
        with self._call("rewind", mark):
            if mark.key not in self._marks:
                raise UnknownMark(f"{mark} is not a mark of this stream, or was rewound over")
            self.memory = self._marks[mark.key]
            self._marks = {key: at for key, at in self._marks.items() if key <= mark.key}

    async def answer(self, options: AnswerOptions) -> AsyncIterator[AnswerPart]:
        with self._call("answer", options):
            answer = self.instance.next_answer(self.memory)
            self._settle_turn()
            try:
                async for part in self._speak(answer, options):
                    yield part
            except (asyncio.CancelledError, GeneratorExit):
                self.record.calls.append(("stopped", answer))
                await _ignore_cancellation(self.instance.sleep, answer.stuck)
                raise

    def embedded(self) -> npt.NDArray[np.float32] | None:
        """[tokens, 1]: the mean level of every 80 ms of the user's turn."""
        sound = _turn_samples(self.memory)
        if not sound.size:
            return None
        whole = np.pad(np.abs(sound), (0, -sound.size % TOKEN_SAMPLES))
        level: Samples = whole.reshape(-1, TOKEN_SAMPLES).mean(axis=1, keepdims=True)
        return level

    def room(self) -> int:
        return max(0, self.instance.capacity() - _tokens(self.memory))

    async def close(self) -> None:
        if self._guard.close():
            self.record.calls.append(("close", None))

    @contextmanager
    def _call(self, name: str, value: Any) -> Iterator[None]:
        with self._guard.call(name):
            self.record.calls.append((name, value))
            self.instance.count(name)
            yield

    def _memory_with(self, chunk: Samples, last: bool) -> ScriptedMemory:
        memory = self.memory
        if memory.answered:
            memory = replace(memory, turn=(), answered=False)
        if memory.segment is None:
            segment = ScriptedSegment(self._segments, chunk.astype(np.float32))
            self._segments += 1
        else:
            joined = np.concatenate([memory.segment.samples, chunk.astype(np.float32)])
            segment = replace(memory.segment, samples=joined)
        size = segment.samples.size
        judged = size if last else max(memory.judged, size // HEAR_CHUNK * HEAR_CHUNK)
        memory = replace(memory, segment=segment, judged=judged)
        self._check_room(memory)
        return memory

    def _verdict(self) -> Verdict:
        segment, judged = self.memory.segment, self.memory.judged
        if segment is None or judged == 0:
            return UNDECIDED
        known = replace(segment, samples=segment.samples[:judged])
        return replace(self.instance.script.verdict(known), heard=judged)

    async def _pause(self, seconds: float) -> None:
        try:
            await self.instance.sleep(seconds)
        except asyncio.CancelledError:
            await _ignore_cancellation(self.instance.sleep, self.instance.script.stuck)
            raise

    def _check_room(self, memory: ScriptedMemory) -> None:
        if _tokens(memory) > self.instance.capacity():
            raise OutOfRoom(f"{_tokens(memory)} tokens of {self.instance.capacity()}")

    def _settle_turn(self) -> None:
        """The answer begins: what was heard is history, an answer without words follows it."""
        items, turn = self.memory.items, _whole_turn(self.memory)
        if turn and not self.memory.answered:
            items = (*items, UserSound(samples=_turn_samples(self.memory)))
        self.memory = ScriptedMemory(items=(*items, AssistantText("")), turn=turn, answered=True)

    async def _speak(
        self, answer: ScriptedAnswer, options: AnswerOptions
    ) -> AsyncIterator[AnswerPart]:
        await self.instance.sleep(answer.first_delay)
        for index, part in enumerate(_parts(answer, options)):
            if index:
                await self.instance.sleep(answer.chunk_delay)
            if answer.fail_after is not None and index >= answer.fail_after:
                self.instance.breaks(f"answer failed by script after {index} chunks")
            if answer.unavailable_after is not None and index >= answer.unavailable_after:
                raise AnswerUnavailable(f"unavailable by script after {index} chunks")
            if self.instance.broken is not None:
                raise InstanceFailed(self.instance.broken)
            if self.closed:
                raise StreamClosed("stream was closed under its answer")
            self._remember(part)
            yield part

    def _remember(self, part: AnswerPart) -> None:
        *items, said = self.memory.items
        if isinstance(part, AnswerChunk) and isinstance(said, AssistantText):
            said = AssistantText(said.text + part.text)
            self.memory = replace(self.memory, items=(*items, said))
        elif not isinstance(part, AnswerChunk):
            self.memory = replace(self.memory, items=(*items, part))
        self._check_room(self.memory)


def _parts(answer: ScriptedAnswer, options: AnswerOptions) -> Iterator[AnswerPart]:
    if answer.call is not None and options.tool_choice != "none":
        yield answer.call
        return
    words = answer.words()[: options.max_tokens]
    if not options.speak:
        yield from (AnswerChunk(text=word.text) for word in words)
        return
    sound = answer.sound()[: words[-1].end if words else 0]
    step = max(1, round(answer.chunk_seconds * SPEAK_RATE))
    for start in range(0, sound.size, step):
        begun = tuple(w for w in words if start <= w.start < start + step)
        spans = tuple(replace(w, text=w.text.strip()) for w in begun)
        text = "".join(w.text for w in begun)
        yield AnswerChunk(text=text, samples=sound[start : start + step], words=spans)


async def _ignore_cancellation(sleep: Sleep, seconds: float) -> None:
    """Hold on for so many seconds, however often the task is cancelled meanwhile."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        try:
            return await sleep(left)
        except asyncio.CancelledError:
            continue


def _whole_turn(memory: ScriptedMemory) -> tuple[ScriptedSegment, ...]:
    return memory.turn if memory.segment is None else (*memory.turn, memory.segment)


def _turn_samples(memory: ScriptedMemory) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(s.samples for s in _whole_turn(memory))])


def _tokens(memory: ScriptedMemory) -> int:
    """Room that a memory takes: a token for every 80 ms of sound and for four letters of text."""
    heard = 0 if memory.answered else sum(_sound_tokens(s.samples) for s in memory.turn)
    heard += memory.judged // TOKEN_SAMPLES
    return heard + sum(_item_tokens(item) for item in memory.items)


def _sound_tokens(samples: Samples) -> int:
    return -(-samples.size // TOKEN_SAMPLES)


def _item_tokens(item: Item) -> int:
    if isinstance(item, UserSound):
        return 4 + (0 if item.samples is None else _sound_tokens(item.samples))
    return 4 + len(getattr(item, "text", "")) // 4
