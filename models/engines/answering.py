"""models.engines: one answer of an embedded stream in single steps: a token or a code each."""

from __future__ import annotations

from models.base import AnswerChunk, AnswerOptions, AnswerPart
from models.engines.bundle import Bundle
from models.engines.language import DecoderCache
from models.engines.memory import Memory
from models.engines.speaking import Voice, speech_cache
from models.engines.worker import Priority
from models.engines.writing import Writer

CODES_A_TOKEN = 3  # steps of speech for each of text, once there is sound


class Answer:
    """Steps of a Worker. Text goes first until something can be spoken; then the first sound;
    then both in turn, speech before text."""

    def __init__(
        self, bundle: Bundle, memory: Memory, options: AnswerOptions, cache: DecoderCache | None
    ) -> None:
        self._writer = Writer(bundle, memory, options)
        self._voice: Voice | None = None
        if options.speak and bundle.voice is not None:
            cache = cache or speech_cache(bundle, bundle.voice)
            self._voice = Voice(bundle, bundle.voice, cache, options.seed)
        self._begun = False
        self._count = 0
        self.done = False

    @property
    def priority(self) -> Priority:
        return Priority.RUNNING if self._begun else Priority.FIRST

    def step(self) -> list[AnswerPart]:
        """Raises OutOfRoom."""
        self._count += 1
        voice = self._voice
        if voice is None or not voice.busy:
            parts = self._write()
        elif self._writer.done or not self._begun or self._count % (CODES_A_TOKEN + 1):
            parts = list[AnswerPart](voice.step())
        else:
            parts = self._write()
        sounding = parts if voice is None else voice.sounding
        self._begun = self._begun or bool(sounding)
        self.done = self._writer.done and (voice is None or voice.done)
        return parts

    def _write(self) -> list[AnswerPart]:
        text = self._writer.step()
        if self._voice is not None:
            self._voice.write(text)
            if self._writer.done:
                self._voice.end()
        parts: list[AnswerPart] = [AnswerChunk(text=text)] if text else []
        if self._writer.call is not None:
            parts.append(self._writer.call)
        return parts
