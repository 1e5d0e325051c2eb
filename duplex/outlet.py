"""The sound of answers on its way out: kept until it may leave, ducked, remembered for echo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np

from audio.echo import EchoGuard
from audio.frame import Samples
from audio.gain import Ducker
from duplex.actions import SendAudio
from models.base import SPEAK_RATE, SpokenWord

# So much of an answer is made before it may leave, then as much as leaves: an interruption wastes
# no more than that, and many answers share a machine evenly.
MADE_AHEAD = 3 * SPEAK_RATE


@dataclass(frozen=True, slots=True)
class AnswerSound:
    """Samples [n] of an answer that leave now, 24 kHz, and the words that begin in them."""

    response_id: int
    samples: Samples
    words: tuple[SpokenWord, ...] = ()


@dataclass(slots=True)
class _Answer:
    pieces: list[Samples] = field(default_factory=list)
    words: list[SpokenWord] = field(default_factory=list)
    begins: int = 0  # position of the first piece
    sent: list[Samples] = field(default_factory=list)
    num_waiting: int = 0  # samples made that have not left
    has_room: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, samples: int) -> None:
        self.num_waiting += samples
        if self.num_waiting < MADE_AHEAD:
            self.has_room.set()
        else:
            self.has_room.clear()


class AnswerOutlet:
    """Holds what was made of each answer until the session lets it go."""

    def __init__(self) -> None:
        self._answers: dict[int, _Answer] = {}
        self._ducker = Ducker()
        self._echo = EchoGuard()

    def open(self, response_id: int) -> None:
        self._answers[response_id] = _Answer()

    def make(self, response_id: int, samples: Samples, words: tuple[SpokenWord, ...]) -> None:
        answer = self._answers.get(response_id)
        if answer is not None:
            answer.pieces.append(samples)
            answer.words.extend(words)
            answer.count(len(samples))

    async def room(self, response_id: int) -> None:
        """Wait until so little of an answer is left that more of it should be made."""
        answer = self._answers.get(response_id)
        if answer is not None and answer.num_waiting:
            await answer.has_room.wait()

    def send(self, action: SendAudio, now: float) -> AnswerSound:
        """Take [start, start+count) out, at the gain of this moment. `now`: session time."""
        answer = self._answers[action.response_id]
        samples = self._cut(answer, action.count)
        if action.start == 0:
            self._ducker.reset()
        if action.ducked:
            self._ducker.duck()
        else:
            self._ducker.restore()
        samples = self._ducker.process(samples)
        answer.sent.append(samples)
        answer.count(-action.count)
        self._echo.played(samples, now)
        end = action.start + action.count
        words = tuple(word for word in answer.words if action.start <= word.start < end)
        return AnswerSound(action.response_id, samples, words)

    def close(self, response_id: int) -> Samples:
        """Forget an answer; give what was sent of it."""
        answer = self._answers.pop(response_id, None)
        if answer is not None:
            answer.has_room.set()
        if answer is None or not answer.sent:
            return np.zeros(0, np.float32)
        return np.concatenate(answer.sent)

    def arrived(self, samples: int, now: float) -> None:
        """So much of the microphone (16 kHz) has come in; it is judged later."""
        self._echo.arrived(samples, now)

    def is_echo(self, samples: Samples) -> bool:
        """Is this window of the microphone (16 kHz) our own output coming back?"""
        return self._echo.heard(samples).is_echo

    def _cut(self, answer: _Answer, count: int) -> Samples:
        taken: list[Samples] = []
        while count:
            piece = answer.pieces[0]
            taken.append(piece[:count])
            if len(piece) <= count:
                answer.pieces.pop(0)
            else:
                answer.pieces[0] = piece[count:]
            count -= len(taken[-1])
        return taken[0] if len(taken) == 1 else np.concatenate(taken)
