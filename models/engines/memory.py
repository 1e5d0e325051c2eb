"""What one stream of nano has heard, read and said; everything here is
synchronous and runs on the instance's thread.

The language cache is one line of tokens. All else is an immutable State, so a mark is a State, a
length and, after a flush, the few rows that going on would overwrite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.base import (
    HEAR_CHUNK,
    AssistantText,
    BadInput,
    Conversation,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Mark,
    OutOfRoom,
    Samples,
    Tool,
    UserImage,
    UserSound,
    UserText,
    Verdict,
)
from models.engines.bundle import BLIND
from models.engines.listening import ListeningState, NanoListener
from models.engines.networks import Networks
from models.engines.snapshots import Snapshot, Snapshots
from models.vita.images import Pixels, normalise, tiles
from models.vita.nano_prompt import CUT, END

Array = npt.NDArray[np.float32]
PIECE = 32  # tokens read in one go, so that long texts do not hold up other streams


@dataclass(frozen=True, slots=True)
class NanoState:
    """Where a stream stands, beside its language cache.

    open      a user turn has begun and is not answered yet
    spoken    there is sound in it
    vectors   that sound as the language model saw it; kept until the next turn
    hearing   the segment, None between segments
    verdict   of the segment so far
    answering an answer has begun and not ended
    resume    State and cache length from before a flush
    """

    open: bool = False
    spoken: bool = False
    vectors: tuple[Array, ...] = ()
    hearing: ListeningState | None = None
    verdict: Verdict | None = None
    answering: bool = False
    resume: tuple[NanoState, int] | None = None


class NanoMemory:
    """One stream's past on one instance."""

    def __init__(self, networks: Networks, listener: NanoListener) -> None:
        """All that a stream ever allocates."""
        self._networks, self._listener = networks, listener
        self._prompt, self._states = networks.prompt, networks.config.model.states.ids
        self.cache = networks.token_cache()
        self.speech = networks.speech_cache()
        self.state = NanoState()
        self.tools: tuple[Tool, ...] = ()
        self._places = Snapshots[NanoState]()

    # ------------------------------------------------------------------------------ hearing

    def hear(self, samples: Samples) -> Verdict:
        """Take samples [n] of the segment; encode and judge the chunks that they fill."""
        self._take_back_flush()
        hearing = self._listener.take(self.state.hearing or self._listener.start(), samples)
        self.state = replace(self.state, hearing=hearing)
        while self._listener.ready(hearing):
            hearing, vectors = self._listener.encode(hearing)
            self._read_sound(hearing, vectors)
        return self._verdict()

    def flush(self) -> Verdict:
        """Judge the partial chunk too; `hear` takes that back and goes on from before it."""
        if self.state.hearing is None or self.state.resume is not None:
            return self._verdict()
        before = self.state, self.cache.length
        hearing, vectors = self._listener.flush(self.state.hearing)
        if len(vectors):
            self._read_sound(hearing, vectors)
        elif self.state.verdict is not None:
            verdict = replace(self.state.verdict, heard=hearing.judged)
            self.state = replace(self.state, hearing=hearing, verdict=verdict)
        self.state = replace(self.state, resume=before)
        return self._verdict()

    def end_segment(self) -> None:
        """Keep what was heard; the next sound begins a segment of its own."""
        self.flush()
        self.state = replace(self.state, hearing=None, verdict=None, resume=None)

    def embedded(self) -> Array | None:
        vectors = self.state.vectors
        return np.concatenate(vectors) if vectors else None

    def _take_back_flush(self) -> None:
        if self.state.resume is not None:
            self.state, length = self.state.resume
            self.cache.rewind(length)

    def _read_sound(self, hearing: ListeningState, vectors: Array) -> None:
        opening = self._opening()
        opened = self.state if self.state.open else replace(self.state, vectors=())
        logits = self.cache.read(np.concatenate((self._embed(opening), vectors)))
        self.state = replace(
            opened,
            open=True,
            spoken=True,
            answering=False,
            hearing=hearing,
            vectors=(*opened.vectors, vectors),
            verdict=self._judge(logits, hearing),
        )

    def _judge(self, logits: Array, hearing: ListeningState) -> Verdict:
        scores = logits[list(self._states)].astype(np.float64)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        words = hearing.transcript.words
        return _verdict_of([float(share) for share in shares], words, hearing.judged)

    def _verdict(self) -> Verdict:
        """Nothing judged yet: no state is likelier than another."""
        if self.state.verdict is not None:
            return self.state.verdict
        count = len(self._states)
        return _verdict_of([1 / count] * count)

    # ------------------------------------------------------------------------------ reading

    def begin(self, conversation: Conversation) -> Iterator[None]:
        """Read a conversation from its beginning, a piece at each step."""
        self.tools = conversation.tools
        said = [i.text for i in conversation.items if isinstance(i, Instructions)]
        yield from self._read_ids(self._prompt.opening(" ".join(said), conversation.tools))
        for item in conversation.items:
            if not isinstance(item, Instructions):
                yield from self.reading(item)

    def reading(self, item: Item) -> Iterator[None]:
        """Read one item, a piece at each step. Raises OutOfRoom; BadInput for an image
        that the model cannot see."""
        if self.state.hearing is not None:
            self.end_segment()
        prompt = self._prompt
        match item:
            case Instructions(text):
                yield from self._read_ids(prompt.opening(text))
            case UserText(text):
                yield from self._read_user(self._embed(prompt.typed(text)))
            case UserSound():
                yield from self._read_user_sound(item)
            case AssistantText(text, cut):
                yield from self._read_answer(prompt.answer(text, cut=cut))
            case FunctionCall():
                yield from self._read_answer(prompt.call(item))
            case FunctionOutput(_, output):
                yield from self._read_ids(self._closing() + prompt.result(output))
                self.state = NanoState(open=True)
            case UserImage(pixels):
                yield from self._read_image(pixels)

    def answer_ids(self) -> list[int]:
        """Begin an answer to the open turn, or to none: its state token, and what stands before."""
        if self.state.hearing is not None:
            self.end_segment()
        turn = self.state if self.state.open else NanoState()
        ids = self._closing() + self._prompt.state(turn.spoken)
        self.state = replace(turn, open=False, answering=True)
        return ids

    def say(self, ids: Sequence[int]) -> Array:
        """Read tokens of an answer; gives the logits [vocabulary] after them."""
        return self.cache.read(self._embed(ids))

    def end_answer(self) -> None:
        self.cache.read(self._embed([self._prompt.ids[END]]))
        self.state = replace(self.state, answering=False)

    def room(self) -> int:
        return self.cache.capacity - self.cache.length

    def _read_image(self, pixels: Pixels) -> Iterator[None]:
        vision = self._networks.config.model.vision
        if vision is None:
            raise BadInput(BLIND)
        seen = self._networks.look(normalise(tiles(pixels, 1, vision.image)))
        yield
        yield from self._read_user(np.concatenate((self._embed(self._prompt.image()), seen)))

    def _read_user(self, vectors: Array) -> Iterator[None]:
        """What stands in a turn of the user, besides sound."""
        yield from self._read_vectors(np.concatenate((self._embed(self._opening()), vectors)))
        opened = self.state if self.state.open else NanoState()
        self.state = replace(opened, open=True)

    def _read_user_sound(self, sound: UserSound) -> Iterator[None]:
        if sound.embedded is not None:
            vectors = np.asarray(sound.embedded, np.float32)
            yield from self._read_vectors(np.concatenate((self._embed(self._opening()), vectors)))
            opened = self.state if self.state.open else NanoState()
            kept = (*opened.vectors, vectors)
            self.state = replace(opened, open=True, spoken=True, vectors=kept)
        elif sound.samples is not None:
            for start in range(0, sound.samples.size, HEAR_CHUNK):
                self.hear(sound.samples[start : start + HEAR_CHUNK])
                yield
            self.end_segment()
        else:
            yield from self._read_user(self._embed(self._prompt.typed(sound.words)))

    def _read_answer(self, ids: list[int]) -> Iterator[None]:
        yield from self._read_ids(self.answer_ids() + ids)
        self.state = replace(self.state, answering=False)

    def _read_ids(self, ids: list[int]) -> Iterator[None]:
        return self._read_vectors(self._embed(ids))

    def _read_vectors(self, vectors: Array) -> Iterator[None]:
        if len(vectors) > self.room():
            raise OutOfRoom(f"{len(vectors)} tokens, {self.room()} left")
        for start in range(0, len(vectors), PIECE):
            self.cache.read(vectors[start : start + PIECE])
            yield

    def _closing(self) -> list[int]:
        """What ends an answer that was broken off and never taken back."""
        ids = self._prompt.ids
        return [ids[CUT], ids[END]] if self.state.answering else []

    def _opening(self) -> list[int]:
        return [] if self.state.open else [*self._closing(), *self._prompt.user()]

    def _embed(self, ids: Sequence[int]) -> Array:
        return self._networks.table[np.asarray(ids, np.int64)]

    # -------------------------------------------------------------------------------- marks

    def mark(self) -> Mark:
        resume, length = self.state.resume, self.cache.length
        rows = () if resume is None else self.cache.rows(resume[1])
        return self._places.keep(Snapshot(self.state, length, rows))

    def rewind(self, mark: Mark) -> None:
        """Raises UnknownMark."""
        place = self._places.back_to(mark)
        self.state = place.state
        self.cache.rewind(place.length, place.rows)


def _verdict_of(shares: Sequence[float], words: str = "", heard: int = 0) -> Verdict:
    """`shares` in the order of StateTokens.ids."""
    query, noise, text, unfinished = (*shares, 0.0)[:4]
    return Verdict(query, noise, text, unfinished, words=words, heard=heard)
