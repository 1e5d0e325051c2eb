"""models.engines: one answer of a VITA checkpoint as single steps, in the lanes of its instance."""

from __future__ import annotations

from models.base import AnswerChunk, AnswerPart
from models.engines.lanes import Lanes
from models.engines.vita_speaking import VitaVoice
from models.engines.vita_writing import VitaWriter
from models.engines.worker import Priority

CODES_A_TOKEN = 4  # steps of speech for each of text, once there is sound


class VitaAnswer:
    """Steps of a Worker. Text goes first until something can be spoken; then the first sound;
    then both in turn, speech before text."""

    def __init__(self, lanes: Lanes, writer: VitaWriter, voice: VitaVoice | None) -> None:
        self._lanes, self._writer, self._voice = lanes, writer, voice
        self._begun = False
        self._count = 0
        self.done = False

    @property
    def priority(self) -> Priority:
        return Priority.RUNNING if self._begun else Priority.FIRST

    def step(self) -> list[AnswerPart]:
        """Raises OutOfRoom."""
        with self._lanes.lane(self.priority):
            parts = self._step()
        voice = self._voice
        self._begun = self._begun or (bool(parts) if voice is None else voice.sounding)
        self.done = self._writer.done and (voice is None or voice.done)
        return parts

    def _step(self) -> list[AnswerPart]:
        self._count += 1
        voice = self._voice
        if voice is None or not voice.busy:
            return self._write()
        if self._writer.done or not self._begun or self._count % (CODES_A_TOKEN + 1):
            return list[AnswerPart](voice.step())
        return self._write()

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
