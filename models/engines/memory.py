"""What one stream of a model in this process has heard, read and said; synchronous, on the thread
of its instance.

The stream's past is a value (HearingState); a cache follows it. So a mark is an older value, and
whatever an answer was told or a flush added is gone as soon as the next thing is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.base import (
    Conversation,
    Instructions,
    Item,
    Mark,
    Samples,
    Tool,
    UserImage,
    UserSound,
    Verdict,
)
from models.engines.grammar import Grammar, PromptState
from models.engines.hearing import HearingState, ListeningFrontend
from models.engines.prompt import Array, Prompt, Vectors, digest, features_of
from models.engines.prompt_cache import PromptCache, StreamDecoder
from models.engines.snapshots import Snapshot, Snapshots
from models.word_evidence import corrected

DICTATED = 48  # tokens of a segment's words at most
NOISE = 1  # the place of that state among the scores


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What a memory is made of. `states` are the ids of query, noise, text and, where there is one,
    unfinished; `look` turns a picture into vectors [n, width] for a stream with room for so many
    tokens, and raises BadInput where the model cannot see."""

    grammar: Grammar
    listening: ListeningFrontend
    decoder: StreamDecoder
    states: Sequence[int]
    look: Callable[[UserImage, int], Vectors]
    speech: Any = None  # the memory that the stream's voice needs
    dictation: Dictation | None = None


@dataclass(frozen=True, slots=True)
class Dictation:
    """How a model's own words are read: they end with the token `end`; `text_of` tokens."""

    end: int
    text_of: Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An answer in the making: `asked` is what the model is told before it, `kept` what stays of
    that, `said` the tokens so far."""

    asked: PromptState
    kept: PromptState
    said: tuple[int, ...] = ()


class PromptMemory:
    """One stream's past on one instance."""

    def __init__(self, parts: StreamParts) -> None:
        self._parts, self._grammar = parts, parts.grammar
        self.speech = parts.speech
        self.cache = PromptCache(parts.decoder)
        self.state = HearingState(parts.grammar.begun(""))
        self.tools: tuple[Tool, ...] = ()
        self._answer: OpenAnswer | None = None
        self._dictation, self._never = ("", ""), np.random.default_rng(0)
        self._snapshots = Snapshots[HearingState]()

    # ------------------------------------------------------------------------------ hearing

    def hear(self, samples: Samples) -> Verdict:
        """Take samples [n] of the segment; encode and judge the steps that they fill."""
        return self._judged(self._parts.listening.hear(self.state, samples))

    def flush(self) -> Verdict:
        """Judge all that was heard; `hear` takes that back and goes on from before it."""
        return self._judged(self._parts.listening.flush(self.state))

    def end_segment(self) -> None:
        """Keep what was heard; the next sound begins a segment of its own."""
        if self.state.segment is not None:
            flushed = self._parts.listening.flush(self.state)
            self.cache.check(flushed.talk.line)
            self.state = HearingState(flushed.talk)

    def embedded(self) -> Array | None:
        """The sound of the user's turn as the language model saw it, [n, width]."""
        vectors = [feature.vectors for feature in self.state.talk.turn]
        return self._parts.decoder.array_of(vectors) if vectors else None

    def _judged(self, state: HearingState) -> Verdict:
        """With the verdict that is asked for. Nothing judged yet: no state is likelier."""
        question, states = state.question, self._parts.states
        if question is not None:
            self.cache.read(question.line)
            scores = self._parts.decoder.scores(states)
            words = question.words
            if question.dictation is not None and scores[NOISE] < max(scores):
                words = self._dictated(question.dictation, words)
            verdict = verdict_of(scores, words, question.heard)
            state = state.answered(corrected(verdict) if question.is_recognised else verdict)
        self.state = state
        return state.verdict or verdict_of([0.0] * len(states))

    def _dictated(self, line: Prompt, letters: str) -> str:
        """The words that the model itself gives for sound in which it heard these letters; once
        for the same letters."""
        dictation, decoder = self._parts.dictation, self._parts.decoder
        if dictation is None or self._dictation[0] == letters:
            return self._dictation[1] if dictation else letters
        said: list[int] = []
        while len(said) < DICTATED and line.length + len(said) < decoder.capacity:
            self.cache.read(line.plus(said))
            token = decoder.choose(0.0, self._never, ())
            if token == dictation.end:
                break
            said.append(token)
        self._dictation = letters, dictation.text_of(said).strip()
        return self._dictation[1]

    # ------------------------------------------------------------------------------ reading

    def begin(self, conversation: Conversation) -> Iterator[None]:
        """Read a conversation from its beginning, a piece at each step. Raises OutOfRoom, BadInput
        as `reading` does."""
        self.tools = conversation.tools
        said = " ".join(i.text for i in conversation.items if isinstance(i, Instructions))
        talk = self._grammar.begun(said, conversation.tools)
        for item in conversation.items:
            if not isinstance(item, Instructions):
                talk = yield from self._with(talk, item)
                self.cache.check(talk.line)  # before more is looked at or heard than has room
        yield from self._take(talk)

    def reading(self, item: Item) -> Iterator[None]:
        """Read one item, a piece at each step. Raises OutOfRoom; BadInput for a picture that
        the model cannot see."""
        self.end_segment()
        talk = yield from self._with(self.state.talk, item)
        yield from self._take(talk)

    def _take(self, talk: PromptState) -> Iterator[None]:
        yield from self.cache.filling(talk.line)
        self.state = HearingState(talk)

    def _with(self, talk: PromptState, item: Item) -> Generator[None, None, PromptState]:
        """A talk with one item more."""
        match item:
            case UserSound():
                return (yield from self._with_sound(talk, item))
            case UserImage():
                room = self._parts.decoder.capacity - talk.line.length
                vectors = self._parts.look(item, room)
                yield
                features = features_of("image", vectors, f"{digest(item.pixels)} {len(vectors)}")
                return self._grammar.seen(talk, features, is_frame=item.is_frame)
            case _:
                return self._grammar.read(talk, item)

    def _with_sound(
        self, talk: PromptState, sound: UserSound
    ) -> Generator[None, None, PromptState]:
        if sound.embedded is not None:
            embedded = np.asarray(sound.embedded, np.float32)
            vectors = self._parts.decoder.vectors_of(embedded)
            heard = self._grammar.heard(talk, features_of("audio", vectors, digest(embedded)))
            return self._grammar.recognised(heard, sound.words)
        if sound.samples is None:
            return self._grammar.worded(talk, sound.words)
        state, piece = HearingState(talk), self._parts.listening.reading_piece
        for start in range(0, sound.samples.size, piece):
            state = self._parts.listening.hear(state, sound.samples[start : start + piece])
            self.cache.check(state.talk.line)
            yield
        return self._parts.listening.flush(state).talk

    # ---------------------------------------------------------------------------- answering

    def open_answer(self, told: str, forced: Sequence[int]) -> Iterator[None]:
        """Begin an answer to the open turn, or to none, and read what opens it, a piece at each
        step. `told` is for this answer only; `forced` are its first tokens."""
        self.end_segment()
        talk = self.state.talk
        kept = self._grammar.answering(talk).plus(forced)
        asked = self._grammar.answering(talk, told).plus(forced) if told else kept
        self.cache.check(asked.line)
        self.state, self._answer = HearingState(kept), OpenAnswer(asked, kept)
        return self.cache.reading(asked.line)

    @property
    def is_opened(self) -> bool:
        """Is all read that opens the answer, so that its first token can be chosen?"""
        return self._answer is not None and self.cache.holds(self._answer.asked.line)

    def say(self, token: int) -> None:
        """Read one token of the answer. Raises OutOfRoom."""
        assert self._answer is not None
        answer = replace(self._answer, said=(*self._answer.said, token))
        self.cache.read(answer.asked.line.plus(answer.said))
        self._answer, self.state = answer, HearingState(answer.kept.plus(answer.said))

    def choose(self, temperature: float, random: np.random.Generator, barred: Sequence[int]) -> int:
        """The answer's next token."""
        return self._parts.decoder.choose(temperature, random, barred)

    def end_answer(self) -> None:
        """The answer has ended by itself."""
        talk = self._grammar.answered(self.state.talk)
        self.cache.read(talk.line)
        self.state, self._answer = HearingState(talk), None

    def room(self) -> int:
        return self._parts.decoder.capacity - self.state.talk.line.length

    # -------------------------------------------------------------------------------- marks

    def mark(self) -> Mark:
        return self._snapshots.keep(Snapshot(self.state, self.state.talk.line.length))

    def rewind(self, mark: Mark) -> None:
        """Raises UnknownMark."""
        self.state = self._snapshots.back_to(mark).state


def verdict_of(scores: Sequence[float], words: str = "", heard: int = 0) -> Verdict:
    """From logits or log-probabilities in the order of the state ids."""
    shares = [math.exp(score - max(scores)) for score in scores]
    query, noise, text, unfinished = ([share / sum(shares) for share in shares] + [0.0])[:4]
    return Verdict(query, noise, text, unfinished, words=words, heard=heard)
