"""How an answer is spoken: by nano's speech decoder with aligned words, or by any Synthesizer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from models.base import AnswerChunk, AnswerOptions, AnswerUnavailable, Synthesizer
from models.engines.jobs import Priority
from models.engines.leading_silence import LeadingSilenceTrimmer
from models.engines.networks import Networks
from models.engines.speaking import NanoVoice
from models.engines.worker import Worker
from models.synthesizers.recitation import estimated_words
from models.vita.chunker import SpokenChunk


class AnswerSpeech(Protocol):
    """The speech of one answer. Words stand where they are in the sound of the whole answer."""

    def say(self, clause: SpokenChunk) -> AsyncGenerator[AnswerChunk, None]:
        """The sound of one clause after those before it. Raises InstanceFailed."""
        ...

    def end(self) -> AsyncGenerator[AnswerChunk, None]:
        """The rest of the sound and of the words. Raises InstanceFailed."""
        ...


class SpeechSource(Protocol):
    """Speaks the answers of one instance."""

    def begin(self, options: AnswerOptions) -> AnswerSpeech: ...


class NanoSpeechSource:
    """nano's own speech decoder, on the thread of the instance that listens."""

    def __init__(self, networks: Networks, worker: Worker) -> None:
        """Raises ValueError for networks that have no voice."""
        if not networks.speaks:
            raise ValueError("this model has no voice: a synthesizer is wanted")
        self._networks, self._worker = networks, worker

    def begin(self, options: AnswerOptions) -> AnswerSpeech:
        cache = self._networks.speech_cache()
        assert cache is not None
        voice = NanoVoice(self._networks, cache, options.seed, options.speed)
        return _NanoSpeech(voice, self._worker)


class _NanoSpeech:
    """One answer of nano's voice; a clause is spoken until nothing of it is left to say."""

    def __init__(self, voice: NanoVoice, worker: Worker) -> None:
        self._voice, self._worker = voice, worker

    async def say(self, clause: SpokenChunk) -> AsyncGenerator[AnswerChunk, None]:
        self._voice.say(clause)
        async for chunk in self._steps():
            yield chunk

    async def end(self) -> AsyncGenerator[AnswerChunk, None]:
        self._voice.end()
        async for chunk in self._steps():
            yield chunk

    async def _steps(self) -> AsyncGenerator[AnswerChunk, None]:
        async with aclosing(self._worker.iterate(_VoiceSteps(self._voice))) as chunks:
            async for chunk in chunks:
                yield chunk


class _VoiceSteps:
    """The steps of a voice that has something to say, for the worker. Between two clauses no
    thread touches the voice."""

    def __init__(self, voice: NanoVoice) -> None:
        self._voice = voice

    @property
    def done(self) -> bool:
        return not self._voice.busy

    @property
    def priority(self) -> Priority:
        return Priority.RUNNING if self._voice.sounding else Priority.FIRST

    def step(self) -> list[AnswerChunk]:
        return self._voice.step()


class SynthesizedSpeechSource:
    """Any Synthesizer. Where a clause ends is exact; the words inside it are in proportion."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer

    def begin(self, options: AnswerOptions) -> AnswerSpeech:
        return _SynthesizedSpeech(self._synthesizer, options.speed)


class _SynthesizedSpeech:
    """One answer, clause by clause."""

    def __init__(self, synthesizer: Synthesizer, speed: float) -> None:
        self._synthesizer, self._speed = synthesizer, speed
        self._head = LeadingSilenceTrimmer()
        self._made = 0  # samples of the answer

    async def say(self, clause: SpokenChunk) -> AsyncGenerator[AnswerChunk, None]:
        if not any(letter.isalnum() for letter in clause.text):
            yield AnswerChunk(words=estimated_words(clause.text, self._made, self._made))
            return
        start, is_silent = self._made, True
        async for samples in self._synthesizer.synthesize(clause.text.strip(), self._speed):
            is_silent = is_silent and not len(samples)
            if len(kept := self._head.cut(samples)):
                self._made += len(kept)
                yield AnswerChunk(samples=kept)
        if is_silent:
            raise AnswerUnavailable("the synthesizer said nothing")
        yield AnswerChunk(words=estimated_words(clause.text, start, self._made))

    async def end(self) -> AsyncGenerator[AnswerChunk, None]:
        nothing: tuple[AnswerChunk, ...] = ()  # a synthesizer has said all of each clause
        for chunk in nothing:
            yield chunk
