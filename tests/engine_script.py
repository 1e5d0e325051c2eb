"""What a scripted instance is told to do (see scripted.py)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from models.base import SPEAK_RATE, FunctionCall, Item, Samples, SpokenWord, Verdict

_WORD = re.compile(r"[一-鿿]\s*|[^\s一-鿿]+\s*")

QUERY = Verdict(query=0.97, noise=0.01, text=0.01, unfinished=0.01)
NOISE = Verdict(query=0.01, noise=0.97, text=0.01, unfinished=0.01)
UNFINISHED = Verdict(query=0.02, noise=0.01, text=0.01, unfinished=0.96)
UNDECIDED = Verdict(query=0.25, noise=0.25, text=0.25, unfinished=0.25)


@dataclass(frozen=True, slots=True)
class ScriptedSegment:
    """A segment as far as it was judged: its number on this stream and its sound, [n] at 16 kHz.

    Numbers count every segment that the stream ever began; a rewind does not give one back, but
    going on in a segment after a rewind into it keeps its number.
    """

    number: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class ScriptedMemory:
    """All that a scripted stream knows at one moment; a mark is one of these."""

    items: tuple[Item, ...] = ()
    turn: tuple[ScriptedSegment, ...] = ()  # whole segments of the user's latest turn
    segment: ScriptedSegment | None = None
    judged: int = 0  # samples of the segment that the last verdict covered
    answered: bool = False  # `turn` is history already


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """One answer: words of equal length spoken as a tone, or a function call.

    `stuck`: seconds for which the answer ignores its cancellation. `fail_after`: chunks after
    which the instance breaks; `unavailable_after`: after which something outside of it fails.
    Delays and lengths in seconds, `tone` in Hz.
    """

    text: str = "This is the answer."
    tone: float = 440.0
    word_seconds: float = 0.3
    chunk_seconds: float = 0.2
    first_delay: float = 0.0
    chunk_delay: float = 0.0
    call: FunctionCall | None = None
    stuck: float = 0.0
    fail_after: int | None = None
    unavailable_after: int | None = None

    def words(self) -> tuple[SpokenWord, ...]:
        """The spoken words; their texts joined (with the spaces that follow) are `text`."""
        step = round(self.word_seconds * SPEAK_RATE)
        pieces = _WORD.findall(self.text)
        return tuple(SpokenWord(p, i * step, (i + 1) * step) for i, p in enumerate(pieces))

    def sound(self) -> Samples:
        """The whole sound, [n] at 24 kHz."""
        count = len(self.words()) * round(self.word_seconds * SPEAK_RATE)
        phase = np.arange(count) * (2 * np.pi * self.tone / SPEAK_RATE)
        sound: Samples = (0.3 * np.sin(phase)).astype(np.float32)
        return sound


VerdictRule: TypeAlias = Callable[[ScriptedSegment], Verdict]
AnswerRule: TypeAlias = Callable[[ScriptedMemory], ScriptedAnswer]
TimedVerdicts: TypeAlias = Sequence[tuple[float, Verdict]]


@dataclass(frozen=True, slots=True)
class EngineScript:
    """What an instance does.

    verdict       rule for the segment so far (see `timed` for tables)
    answers       a rule, or a list taken in order by the answers of the instance (last repeats)
    *_delay       seconds before open, read and each verdict
    stuck         seconds for which a hearing ignores its cancellation
    fail          method name -> calls of it that succeed before the instance breaks
    capacity      tokens of a fresh stream
    """

    verdict: VerdictRule = field(default=lambda _: QUERY)
    answers: Sequence[ScriptedAnswer] | AnswerRule = (ScriptedAnswer(),)
    open_delay: float = 0.0
    read_delay: float = 0.0
    verdict_delay: float = 0.0
    stuck: float = 0.0
    fail: Mapping[str, int] = field(default_factory=dict)
    capacity: int = 2048


def timed(*segments: TimedVerdicts) -> VerdictRule:
    """Verdicts by segment number and seconds heard: the last row reached rules, the last table
    serves all later segments; before the first row the verdict is undecided."""

    def rule(segment: ScriptedSegment) -> Verdict:
        table = segments[min(segment.number, len(segments) - 1)]
        heard = segment.samples.size / 16_000
        reached = [verdict for seconds, verdict in table if seconds <= heard + 1e-9]
        return reached[-1] if reached else UNDECIDED

    return rule
