"""One answer of a stream in single steps: a token or a code each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.base import AnswerChunk, AnswerPart, FunctionCall
from models.engines.jobs import Priority

CODES_A_TOKEN = 4  # steps of speech for each of text, once there is sound


class AnswerWriter(Protocol):
    """Decodes the words of one answer; `done` at its end, `call` if it was a call, `is_cut` if it
    may not be longer."""

    @property
    def done(self) -> bool: ...
    @property
    def call(self) -> FunctionCall | None: ...
    @property
    def is_cut(self) -> bool: ...
    def step(self) -> str:
        """Read one token: what it adds to the text. Raises OutOfRoom."""
        ...


class AnswerVoice(Protocol):
    """Text in as it is written, sound and word times out, a code at each step."""

    done: bool
    sounding: bool  # a first sound has left

    @property
    def busy(self) -> bool:
        """Is there anything to speak now?"""
        ...

    def write(self, text: str) -> None: ...

    def end(self) -> None:
        """The text is complete."""
        ...

    def step(self) -> Sequence[AnswerChunk]: ...


class Answer:
    """Steps of a Worker. Text goes first until something can be spoken; then the first sound;
    then both in turn, speech before text."""

    def __init__(
        self, writer: AnswerWriter, voice: AnswerVoice | None, codes_a_token: int = CODES_A_TOKEN
    ) -> None:
        self._writer, self._voice = writer, voice
        self._turns = codes_a_token + 1
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
        elif self._writer.done or not self._begun or self._count % self._turns:
            parts = list[AnswerPart](voice.step())
        else:
            parts = self._write()
        self._begun = self._begun or (bool(parts) if voice is None else voice.sounding)
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
        if self._writer.is_cut:
            parts.append(AnswerChunk(cut_short=True))
        return parts
