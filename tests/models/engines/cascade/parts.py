"""A cascade whose parts do what a test tells them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from benchmarks.scripted_chat import ReplyRule, ScriptedChat
from models.base import SPEAK_RATE, InstanceFailed, Samples, Verdict
from models.engines.cascade.chat_endpoint import ChatEndpoint, ChatSettings
from models.engines.cascade.instance import CascadeInstance, WordJudge
from models.engines.cascade.speech import SynthesizedSpeechSource
from models.engines.cascade.transcription import TranscriptionQueue
from tests.engine_script import EngineScript, ScriptedSegment
from tests.scripted_engine import ScriptedInstance

WORD_SECONDS = 0.2


class ToneSynthesizer:
    """A models.base.Synthesizer: each word is a tone of WORD_SECONDS."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def synthesize(self, text: str, speed: float = 1.0) -> AsyncGenerator[Samples, None]:
        self.said.append(text)
        count = len(text.split()) * round(WORD_SECONDS * SPEAK_RATE)
        yield (0.3 * np.sin(np.arange(count) * 0.1)).astype(np.float32)


class ListedTranscriber:
    """A models.base.Transcriber that gives `words`, and notes how much it was given."""

    def __init__(self, words: str = "where is paris") -> None:
        self.words = words
        self.heard: list[int] = []

    def transcribe(self, samples: Samples) -> str:
        self.heard.append(len(samples))
        return self.words


class FailingTranscriber(ListedTranscriber):
    """A ListedTranscriber that fails while there is a `reason`."""

    reason = ""

    def transcribe(self, samples: Samples) -> str:
        if self.reason:
            raise InstanceFailed(self.reason)
        return super().transcribe(samples)


def query(segment: ScriptedSegment) -> Verdict:
    return Verdict(query=0.97, noise=0.01, text=0.01, unfinished=0.01, words="(spelled)")


@asynccontextmanager
async def scripted_cascade(
    rule: ReplyRule | None = None,
    transcriber: ListedTranscriber | None = None,
    judge: WordJudge | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[CascadeInstance, CascadeInstance, ScriptedChat]]:
    """A pair of instances and the address that replies for both."""
    async with ScriptedChat(rule) as address:
        given: dict[str, Any] = {"style": "", "first_patience": 2.0, "next_patience": 2.0}
        chat = ChatEndpoint(ChatSettings(address.url, "scripted", **(given | settings)))
        queue = TranscriptionQueue(transcriber or ListedTranscriber())
        speech = SynthesizedSpeechSource(ToneSynthesizer())
        pair = [
            CascadeInstance(
                name,
                ScriptedInstance(EngineScript(verdict=query), name=name),
                chat,
                speech,
                queue,
                judge,
            )
            for name in "ab"
        ]
        yield pair[0], pair[1], address
        for instance in pair:
            await instance.close()
