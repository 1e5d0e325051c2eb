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
from models.engines.pinyin_speller import PinyinSpeller, SpelledChinese
from models.engines.prompt import Array, Feature, Prompt, Vectors, digest, features_of
from models.engines.segment_words import (
    FOREIGN,
    SURE,
    UNHEARD,
    Recogniser,
    SegmentWords,
    encode,
    is_resting,
    recognise,
    take,
)
from models.engines.vita_segment import LONGEST, VERDICT_EVERY, WholeSegment
from models.vita.pinyin_letters import looks_like_pinyin

# Of voices that nano's own encoder knows it is at least so sure, and of others (0.36 to 0.66 with
# neural ones) it never is.
KNOWN_VOICE = 0.8
UNSPELT = (0, 0)


@dataclass(frozen=True, slots=True)
class Question:
    """How likely is each state behind `line`? `words` and `heard` are those of the verdict.
    `fleeting`: the line will be taken back. `is_recognised`: the words are a recogniser's, not
    letters. `dictation`: the model's own words are what it says behind this line; they are wanted
    instead of `words`."""

    line: Prompt
    words: str
    heard: int
    fleeting: bool = False
    is_recognised: bool = False
    dictation: Prompt | None = None


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


@dataclass(frozen=True, slots=True)
class StreamedSegment:
    """One segment as nano's own encoder and as the recogniser heard it so far. `before`: the talk
    that it goes on from; `spelling`: the Chinese of so many closed parts and samples of the open
    one as `spelled` says; `flushed`: samples that the last flush judged."""

    heard: ListeningState
    before: PromptState
    words: SegmentWords = UNHEARD
    spelling: SpelledChinese | None = None
    spelled: tuple[int, int] = UNSPELT
    flushed: int = 0

    @property
    def chinese(self) -> SpelledChinese | None:
        """What the speller spelled, unless the model's own encoder is sure of its letters: it knows
        the voices that it was raised on better, and no others."""
        own, spelling = self.heard.transcript.certainty, self.spelling
        if spelling is None or own >= KNOWN_VOICE or own > spelling.certainty:
            return None
        return spelling

    @property
    def is_no_chinese(self) -> bool:
        """It was spelled, and that was no pinyin: only a pause is worth another try."""
        return self.spelling is None and self.spelled != UNSPELT

    @property
    def rests(self) -> bool:
        """Nobody has spoken since the last flush."""
        return bool(self.flushed) and is_resting(self.words, self.heard.received - self.flushed)


class StreamedFrontend:
    """Nano: each chunk is encoded once, as it fills, and the state follows the sound.

    With a recogniser its words of the segment stand behind the sound at a pause, for the verdict
    and for the answer. While somebody speaks the sound is judged alone: the first words of talk
    are often those of a question. Where the sound is not English they are left out, and the model's
    own words are asked for (`dictates`: it has learned to give them). Where it is Chinese in a
    voice that the model's own encoder does not know, the segment is judged and answered as the
    `speller` spelled it, as soon as it is known to be foreign.
    """

    reading_piece = HEAR_CHUNK

    def __init__(
        self,
        listener: NanoListener,
        grammar: Grammar,
        recogniser: Recogniser | None = None,
        speller: PinyinSpeller | None = None,
        *,
        dictates: bool = False,
    ) -> None:
        self._listener, self._grammar = listener, grammar
        self._recogniser, self._speller, self._dictates = recogniser, speller, dictates

    def hear(self, state: HearingState, samples: Samples) -> HearingState:
        state = state.resume or state
        talk = state.talk
        segment: StreamedSegment = state.segment or StreamedSegment(self._listener.start(), talk)
        hearing, words = self._listener.take(segment.heard, samples), segment.words
        while self._listener.ready(hearing):
            hearing, vectors = self._listener.encode(hearing)
            talk = self._grammar.heard(talk, features_of("audio", vectors))
        if self._recogniser is not None:
            words = take(words, samples)
            words = recognise(words, self._recogniser) if words.is_due else words
        segment = self._spelled_on(replace(segment, heard=hearing, words=words))
        if talk is state.talk:
            return replace(state, segment=segment, question=None)
        if segment.rests:
            told = self._told(talk, segment, quiet=segment.words.unread)
        else:
            told = self._told(talk, segment, quiet=0) if segment.chinese else talk
        asked = self._question(told, segment, fleeting=told is not talk)
        return replace(state, talk=talk, segment=segment, question=asked)

    def flush(self, state: HearingState) -> HearingState:
        segment: StreamedSegment | None = state.segment
        if segment is None or state.resume is not None:
            return state
        hearing, vectors = self._listener.flush(segment.heard)
        talk, segment = state.talk, self._heard_again(segment)
        flushed = replace(segment, heard=hearing)
        resume = replace(state, segment=replace(segment, flushed=segment.heard.received))
        if len(vectors):
            talk = self._grammar.heard(talk, features_of("audio", vectors))
        is_told = bool(self._english(flushed) or flushed.chinese or self._dictates)
        if talk is state.talk and (state.verdict is None or not is_told):
            verdict = replace(state.verdict, heard=hearing.judged) if state.verdict else None
            return replace(state, segment=flushed, resume=resume, verdict=verdict)
        talk = self._told(talk, flushed, quiet=flushed.words.unread)
        asked = self._question(talk, flushed, fleeting=True)
        if self._dictates and not asked.is_recognised:
            asked = replace(asked, dictation=self._grammar.dictated(talk))
        return replace(state, talk=talk, segment=flushed, resume=resume, question=asked)

    def _heard_again(self, segment: StreamedSegment) -> StreamedSegment:
        """With the words, or the Chinese, of all that was heard."""
        if self._recogniser is None:
            return segment
        if self._speller and segment.words.is_foreign and not segment.is_no_chinese:
            again = self._spelled(
                replace(segment, words=encode(segment.words, self._recogniser)), self._speller
            )
            if again.spelling is not None:
                return again
        segment = replace(segment, words=recognise(segment.words, self._recogniser))
        if self._speller is None or self._english(segment):
            return segment
        return self._spelled(segment, self._speller)

    def _spelled_on(self, segment: StreamedSegment) -> StreamedSegment:
        """With the Chinese so far, where enough is new of what is known to be foreign."""
        if self._speller is None or self._recogniser is None or segment.is_no_chinese:
            return segment
        if not segment.words.is_spelling_due:
            return segment
        words = encode(segment.words, self._recogniser)
        return self._spelled(replace(segment, words=words), self._speller)

    def _spelled(self, segment: StreamedSegment, speller: PinyinSpeller) -> StreamedSegment:
        """With the Chinese of what was heard, once for the same sound."""
        heard = len(segment.words.frames), segment.words.read
        if heard == segment.spelled:
            return segment
        return replace(segment, spelling=speller.spell(segment.words.encoded), spelled=heard)

    def _told(self, talk: PromptState, segment: StreamedSegment, *, quiet: int) -> PromptState:
        """With the recogniser's words behind the sound, or with Chinese in its place and `quiet`
        samples of silence behind that."""
        english, spelling = self._english(segment), segment.chinese
        if spelling is None or english or self._speller is None:
            return self._grammar.recognised(talk, english)
        vectors = self._speller.vectors(spelling, quiet)
        return self._grammar.heard(segment.before, features_of("audio", vectors))

    def _question(self, talk: PromptState, segment: StreamedSegment, *, fleeting: bool) -> Question:
        """What is asked behind this talk; its words are the recogniser's, or letters."""
        hearing, english = segment.heard, self._english(segment)
        spelling = segment.chinese if fleeting else None
        return Question(
            self._grammar.judged(talk),
            english or (spelling.letters if spelling else hearing.transcript.words),
            hearing.judged,
            fleeting,
            is_recognised=bool(english),
        )

    def _english(self, segment: StreamedSegment) -> str:
        """The recogniser's words, unless it is unsure of them and nano's own letters say why."""
        words = segment.words
        if words.certainty >= SURE:
            return words.text
        is_foreign = words.certainty < FOREIGN or looks_like_pinyin(segment.heard.transcript.text)
        return "" if is_foreign else words.text


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
