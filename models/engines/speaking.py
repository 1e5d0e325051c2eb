"""The voice of one answer of nano, a code at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from models.base import AnswerChunk, SpokenWord
from models.engines.leading_silence import LeadingSilenceTrimmer
from models.engines.networks import Networks, SpeechCache
from models.vita.chunker import Chunker, SpokenChunk
from models.vita.code_stream import CodeStream
from models.vita.letters import spell
from models.vita.spoken_chunk import START, CodeChoice, SpokenChunkDecoder

PAUSES = " ,.?!"
FIRST_CODES = 6  # 150 ms: how much is known before the first sound leaves
NEXT_CODES = 10
SLOWER = 0.75  # of the speed that is asked for, where the model itself wants to be slow


@dataclass(slots=True)
class _RunningChunk:
    """One spoken chunk being made. `before`: codes of the answer before it; `given`: words of it
    that were reported; `spans`: first and last code of each word that was said."""

    recital: SpokenChunkDecoder
    stream: CodeStream
    before: int
    code: int = START
    given: int = 0
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)

    def note(self) -> None:
        """One code more was said: which word does it belong to?"""
        spelling, place = self.recital.spelling, self.recital.place
        if spelling.letters[place] not in PAUSES:
            code, word = self.before + len(self.recital.codes) - 1, spelling.owner[place]
            self.spans[word] = self.spans.get(word, (code, code))[0], code + 1

    def finished(self, over: bool) -> list[SpokenWord]:
        """Words whose end is known and that were not reported yet. A word that the voice leapt
        over is there too, with no length: what was heard must read as what was said."""
        spelling = self.recital.spelling
        count = len(spelling.words) if over else spelling.owner[self.recital.place]
        said = self.before + len(self.recital.codes)
        at = self.spans.get(count, (said, said))[0]  # where the word after them began
        words = []
        for index in reversed(range(self.given, count)):
            start, end = self.spans.get(index, (at, at))
            at = start
            span = self.stream.sample_of(start), self.stream.sample_of(end)
            words.append(SpokenWord(spelling.words[index], *span))
        self.given = max(self.given, count)
        return words[::-1]


class NanoVoice:
    """Text in as it is written, sound and word times out. `step` makes one code, or begins one
    spoken chunk."""

    def __init__(
        self, networks: Networks, cache: SpeechCache, seed: int | None, speed: float = 1.0
    ) -> None:
        """`speed`: of the words; the pitch stays. Raises ValueError if it is not positive."""
        self._networks, self._cache, self._speed = networks, cache, speed
        self._choice = CodeChoice() if seed is None else CodeChoice(seed=seed)
        self._chunker = Chunker()
        self._waiting: deque[SpokenChunk] = deque()
        self._stream = CodeStream(networks.acoustics, speed=speed)
        self._head = LeadingSilenceTrimmer()
        self._running: _RunningChunk | None = None
        self._pending: list[int] = []
        self._words: list[SpokenWord] = []
        self._codes = 0  # of the answer
        self._written = False
        self.done = False
        self.sounding = False  # a first sound has left

    @property
    def busy(self) -> bool:
        """Is there anything to speak now?"""
        return not self.done and (bool(self._running or self._waiting) or self._written)

    def slow_down(self) -> None:
        """Speak the answer, which has not begun, at SLOWER of the speed."""
        assert not self._codes
        self._stream = CodeStream(self._networks.acoustics, speed=SLOWER * self._speed)

    def write(self, text: str) -> None:
        self._waiting.extend(self._chunker.feed(text))

    def say(self, chunk: SpokenChunk) -> None:
        """Speak a chunk that somebody else has cut."""
        self._waiting.append(chunk)

    def end(self) -> None:
        """The text is complete."""
        self._waiting.extend(self._chunker.flush())
        self._written = True

    def step(self) -> list[AnswerChunk]:
        if self._running is None and not self._waiting:
            return self._finish()
        if self._running is None:
            self._begin(self._waiting.popleft())
            return []
        return self._speak(self._running)

    def _begin(self, chunk: SpokenChunk) -> None:
        spelling = spell(chunk.text, chunk.inside)
        if not spelling.letters:
            return
        self._cache.begin(spelling.ids)
        self._running = _RunningChunk(
            SpokenChunkDecoder(spelling, self._choice), self._stream, self._codes
        )
        self._cache.expect(START, urgent=not self.sounding)

    def _speak(self, running: _RunningChunk) -> list[AnswerChunk]:
        code = self._next_code(running)
        self._words += running.finished(over=code is None)
        if code is None:
            self._running = None
            # Where nothing follows yet, what is known leaves: the rest may be long in coming.
            return self._sound(flush=False) if self._pending and not self._waiting else []
        self._codes += 1
        self._pending.append(code)
        enough = NEXT_CODES if self.sounding else FIRST_CODES
        return self._sound(flush=False) if len(self._pending) >= enough else []

    def _next_code(self, running: _RunningChunk) -> int | None:
        if self._cache.full:
            return None
        code = running.recital.take(*self._cache.advance(running.code))
        if code is not None:
            running.code = code
            running.note()
            self._cache.expect(code, urgent=not self.sounding)
        return code

    def _sound(self, flush: bool) -> list[AnswerChunk]:
        samples = self._head.cut(self._stream.feed(self._pending))
        self._pending = []
        if flush:
            samples = np.concatenate((samples, self._head.cut(self._stream.flush())))
        elif not self._head.is_over:
            return []
        words, self._words = tuple(self._head.moved(word) for word in self._words), []
        self.sounding = self.sounding or samples.size > 0
        return [AnswerChunk(samples=samples, words=words)] if samples.size or words else []

    def _finish(self) -> list[AnswerChunk]:
        self.done = True
        return self._sound(flush=True) if self._codes else []
