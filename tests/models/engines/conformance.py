"""What the conformance suite puts into engines, and how it takes what they say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.scripted_chat import ScriptedChat, ScriptedReply
from models.base import (
    AnswerChunk,
    AnswerOptions,
    AnswerPart,
    Samples,
    SpokenWord,
    Stream,
    Verdict,
)
from models.engines.cascade import assembly as cascade
from models.engines.cascade.chat_endpoint import ChatEndpoint, ChatSettings
from models.engines.cascade.instance import CascadeInstance
from models.engines.cascade.transcription import TranscriptionQueue
from models.engines.embedded import load
from models.engines.smollm.chat_model import SmolChatModel
from models.engines.smollm.judging import SmolJudge
from tests.engine_script import ScriptedAnswer, ScriptedMemory, ScriptedSegment
from tests.models.smollm import small_model

SHORT = AnswerOptions(max_tokens=8, seed=1)


def sound(seconds: float, seed: int = 0) -> Samples:
    """Something that changes all the time, [n] at 16 kHz."""
    count = round(seconds * 16_000)
    random = np.random.default_rng(seed)
    tone = np.sin(np.cumsum(np.interp(np.arange(count), [0, count], [0.02, 0.9])))
    return (0.2 * tone + 0.05 * random.standard_normal(count)).astype(np.float32)


def scripted_verdict(segment: ScriptedSegment) -> Verdict:
    """Another one for every sound."""
    share = float(np.abs(segment.samples).sum() % 1)
    return Verdict(query=share, noise=1 - share)


def scripted_answer(memory: ScriptedMemory) -> ScriptedAnswer:
    heard = sum(s.samples.size for s in memory.turn) + memory.judged
    return ScriptedAnswer(text=f"I know {len(memory.items)} things and heard {heard} samples.")


class CountingTranscriber:
    """Words that depend on every sample."""

    def transcribe(self, samples: Samples) -> str:
        return f"there are {len(samples)} samples of {float(np.abs(samples).sum()):.3f}"


def told_what_was_said(body: Any) -> ScriptedReply:
    """A reply that depends on all that the request holds."""
    size = len(orjson.dumps([body["messages"], body.get("seed"), body["temperature"]]))
    return ScriptedReply([f"I was told {size} ", "letters ", "by you, ", "and I am glad."])


@asynccontextmanager
async def cascades(folder: Path) -> AsyncIterator[list[CascadeInstance]]:
    async with ScriptedChat(told_what_was_said) as address:
        chat = ChatEndpoint(ChatSettings(address.url, "scripted", capacity=400, style=""))
        parts = cascade.load(folder, [chat], CountingTranscriber())
        yield [cascade.assemble(parts, name) for name in "ab"]
        await chat.close()


def smollm(folder: Path, small: Path) -> list[CascadeInstance]:
    """nano's folder, and a small random model of SmolLM2's form."""
    chat = SmolChatModel(small_model.load(small_model.write(small)), capacity=400)
    queue = TranscriptionQueue(CountingTranscriber())
    parts = cascade.CascadeParts(load(folder), (chat,), queue, judge=SmolJudge(chat))
    return [cascade.assemble(parts, name) for name in "ab"]


@dataclass
class Said:
    """A whole answer."""

    text: str = ""
    samples: list[Samples] = field(default_factory=list)
    words: list[SpokenWord] = field(default_factory=list)

    @property
    def sound(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self.samples])

    def same_as(self, other: Said) -> bool:
        alike = self.text == other.text and self.words == other.words
        return alike and np.array_equal(self.sound, other.sound)

    def add(self, part: AnswerPart) -> None:
        assert isinstance(part, AnswerChunk)
        self.text += part.text
        self.words += part.words
        if part.samples is not None:
            self.samples.append(part.samples)


async def answer_of(stream: Stream, options: AnswerOptions = SHORT) -> Said:
    said = Said()
    async for part in stream.answer(options):
        said.add(part)
    return said


async def hear_in(stream: Stream, samples: Samples, sizes: Sequence[int]) -> list[Verdict]:
    """Hear all samples in portions of these sizes, over and over."""
    verdicts, start, turn = [], 0, 0
    while start < samples.size:
        size = sizes[turn % len(sizes)]
        verdicts.append(await stream.hear(samples[start : start + size]))
        start, turn = start + size, turn + 1
    return verdicts


def close_to(first: Verdict, second: Verdict) -> bool:
    names = ("query", "noise", "text", "unfinished")
    near = all(abs(getattr(first, n) - getattr(second, n)) < 1e-4 for n in names)
    return near and first.heard == second.heard and first.words == second.words
