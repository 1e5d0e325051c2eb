"""From samples to the prompts that a verdict is asked for, for both kinds of audio encoders.

Everything is a value. A flush is taken back by going on from the HearingState before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from audio.features import STEP
from models.base import HEAR_CHUNK, Samples, Verdict
from models.engines.grammar import Grammar, PromptState
from models.engines.listening import ListeningState, NanoListener
from models.engines.prompt import Array, Feature, Prompt, Vectors, digest, features_of
from models.engines.vita_segment import LONGEST, VERDICT_EVERY, WholeSegment


@dataclass(frozen=True, slots=True)
class Question:
    """How likely is each state behind `line`? `words` and `heard` are those of the verdict.
    `fleeting`: the line will be taken back."""

    line: Prompt
    words: str
    heard: int
    fleeting: bool = False


@dataclass(frozen=True, slots=True)
class HearingState:
    """Where a stream stands: the segment that it hears, and what is known about it."""

    talk: PromptState
    segment: Any = None
    verdict: Verdict | None = None
    question: Question | None = None
    resume: HearingState | None = None

    def answered(self, verdict: Verdict) -> HearingState:
        return replace(self, verdict=verdict, question=None)


class ListeningFrontend(Protocol):
    """Synchronous, for an instance's own thread. Both leave a question where there is a new one."""

    reading_piece: int  # samples that are taken in one go where no verdict is wanted

    def hear(self, state: HearingState, samples: Samples) -> HearingState:
        """Take samples [n] at 16 kHz of the segment."""
        ...

    def flush(self, state: HearingState) -> HearingState:
        """Judge all that was heard."""
        ...


class StreamedFrontend:
    """Nano: each chunk is encoded once, as it fills, and the state follows the sound."""

    reading_piece = HEAR_CHUNK

    def __init__(self, listener: NanoListener, grammar: Grammar) -> None:
        self._listener, self._grammar = listener, grammar

    def hear(self, state: HearingState, samples: Samples) -> HearingState:
        state = state.resume or state
        talk = state.talk
        hearing: ListeningState = self._listener.take(
            state.segment or self._listener.start(), samples
        )
        while self._listener.ready(hearing):
            hearing, vectors = self._listener.encode(hearing)
            talk = self._grammar.heard(talk, features_of("audio", vectors))
        asked = None if talk is state.talk else self._question(talk, hearing)
        return replace(state, talk=talk, segment=hearing, question=asked)

    def flush(self, state: HearingState) -> HearingState:
        if state.segment is None or state.resume is not None:
            return state
        hearing, vectors = self._listener.flush(state.segment)
        flushed = replace(state, segment=hearing, resume=state)
        if len(vectors):
            talk = self._grammar.heard(state.talk, features_of("audio", vectors))
            asked = self._question(talk, hearing, fleeting=True)
            return replace(flushed, talk=talk, question=asked)
        if state.verdict is None:
            return flushed
        return replace(flushed, verdict=replace(state.verdict, heard=hearing.judged))

    def _question(
        self, talk: PromptState, hearing: ListeningState, *, fleeting: bool = False
    ) -> Question:
        line = self._grammar.judged(talk)
        return Question(line, hearing.transcript.words, hearing.judged, fleeting)


@dataclass(frozen=True, slots=True)
class SegmentSamples:
    """Sound of one segment of a VITA checkpoint; `before` is the talk that it goes on from."""

    sound: WholeSegment
    before: PromptState

    def grown(self, samples: Samples) -> SegmentSamples:
        return replace(self, sound=self.sound.grown(samples))


class WholeSegmentFrontend:
    """VITA: a growing segment is encoded anew at every step, and the closing template stands
    between its sound and its state."""

    reading_piece = LONGEST * STEP

    def __init__(self, encode: Callable[[Array], Vectors], grammar: Grammar) -> None:
        """`encode`: features [n, 80] of a segment to vectors [m, width]."""
        self._encode, self._grammar = encode, grammar

    def hear(self, state: HearingState, samples: Samples) -> HearingState:
        if not len(samples):
            return state
        state = self._opened(state.resume or state)
        heard = state.segment or SegmentSamples(WholeSegment.begun(), state.talk)
        received = heard.sound.received
        count = (received + len(samples)) // VERDICT_EVERY * VERDICT_EVERY - received
        for start in range(0, max(0, count), VERDICT_EVERY):
            step = VERDICT_EVERY - heard.sound.received % VERDICT_EVERY
            heard = self._shortened(heard.grown(samples[:step]))
            samples = samples[step:]
            is_last = start + VERDICT_EVERY >= count
            state = self._judge(state, heard) if is_last else state
        heard = state.segment if count > 0 else heard
        return replace(state, segment=heard.grown(samples) if len(samples) else heard)

    def flush(self, state: HearingState) -> HearingState:
        heard: SegmentSamples | None = state.segment
        if heard is None or heard.sound.judged == heard.sound.received:
            return state
        return replace(self._judge(state, heard), resume=state)

    def _opened(self, state: HearingState) -> HearingState:
        """Even the shortest sound opens a turn."""
        talk = replace(self._grammar.opened(state.talk), spoken=True)
        return replace(state, talk=talk)

    def _shortened(self, heard: SegmentSamples) -> SegmentSamples:
        """A long segment is cut where it is quietest: what came before stays as it is."""
        parts = heard.sound.parted()
        if parts is None:
            return heard
        before = self._grammar.heard(heard.before, self._encoded(parts[0]))
        return SegmentSamples(replace(heard.sound, features=parts[1]), before)

    def _judge(self, state: HearingState, heard: SegmentSamples) -> HearingState:
        sound = heard.sound
        talk = self._grammar.heard(heard.before, self._encoded(sound.features))
        judged = replace(heard, sound=replace(sound, judged=sound.received))
        asked = Question(self._grammar.judged(talk), "", sound.received)
        return replace(state, talk=talk, segment=judged, question=asked)

    def _encoded(self, features: Array) -> list[Feature]:
        return features_of("audio", self._encode(features), digest(features))
