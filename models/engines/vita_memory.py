"""What one stream of a VITA checkpoint has heard, read and said.

VITA's encoder looks at a whole segment, and its state token stands behind the turn's closing. So a
verdict is: encode the segment anew, read it and the closing behind the cached prefix, look at the
scores of the state tokens. The closing stays in the line until something else than an answer comes:
an answer then begins one token later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.base import (
    AssistantText,
    BadInput,
    Conversation,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Mark,
    Samples,
    Tool,
    UserImage,
    UserSound,
    UserText,
    Verdict,
)
from models.engines.kv_cache import KvCache
from models.engines.snapshots import Snapshot, Snapshots
from models.engines.speech_batcher import SpeechBatchers
from models.engines.vita_segment import VERDICT_EVERY, WholeSegment
from models.engines.vita_speaking import TEXT_VECTORS
from models.vita.images import MOST_TILES, normalise, tiles
from models.vita.network import Vita
from models.vita.prompt import VitaPrompt

PIECE = 256  # tokens read in one go, so that long texts do not hold up other streams


@dataclass(frozen=True, slots=True)
class Told:
    """Something was said to the model for one answer only, from `start` of the line on. The answer
    is in `said` behind its `opening` tokens; `plain` opens it without what was told."""

    start: int
    opening: int
    plain: tuple[int, ...]
    said: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VitaState:
    """Where a stream stands, beside its line of tokens.

    open      a user turn has begun and is not answered yet
    spoken    there is sound in it
    vectors   the turn's ended segments as the language model saw them
    closed    tokens in the line without the turn's closing, where that was read already
    """

    open: bool = False
    spoken: bool = False
    vectors: tuple[Tensor, ...] = ()
    segment: WholeSegment | None = None
    verdict: Verdict | None = None
    answering: bool = False
    closed: int | None = None
    told: Told | None = None


class VitaMemory:
    """One stream's past on one instance; synchronous."""

    def __init__(
        self, model: Vita, prompt: VitaPrompt, capacity: int, rooms: SpeechBatchers
    ) -> None:
        """All that a stream ever allocates for itself; its voice has a row of a room."""
        self._model, self._prompt = model, prompt
        self.line = KvCache(model.language, capacity)
        self.speech = None
        if model.speech is not None:
            self.speech = rooms.line(model.speech, TEXT_VECTORS, model.speech.config.max_codes)
        self.state = VitaState()
        self.tools: tuple[Tool, ...] = ()
        self._places = Snapshots[VitaState]()

    # ------------------------------------------------------------------------------ hearing

    def hear(self, samples: Samples) -> Verdict:
        """Take samples [n] of the segment; judge it at every whole step."""
        if not len(samples):
            return self._verdict()
        segment = self.state.segment or self._begin_segment()
        self.state = replace(self.state, verdict=segment.settled)
        while len(samples):
            count = VERDICT_EVERY - segment.received % VERDICT_EVERY
            segment = segment.grown(samples[:count])
            samples = samples[count:]
            self.state = replace(self.state, segment=segment)
            if segment.received % VERDICT_EVERY == 0:
                segment = self._judge(self._shortened(segment), settle=True)
        return self._verdict()

    def flush(self) -> Verdict:
        """Judge all that was heard."""
        segment = self.state.segment
        if segment is not None and segment.judged != segment.received:
            self._judge(segment, settle=False)
        return self._verdict()

    def end_segment(self) -> None:
        """Keep what was heard; the next sound begins a segment of its own."""
        self.flush()
        segment = self.state.segment
        if segment is not None:
            heard = () if segment.vectors is None else (segment.vectors,)
            vectors = (*self.state.vectors, *heard)
            self.state = replace(self.state, segment=None, verdict=None, vectors=vectors)

    def embedded(self) -> npt.NDArray[np.float32] | None:
        parts = list(self.state.vectors)
        if self.state.segment is not None and self.state.segment.vectors is not None:
            parts.append(self.state.segment.vectors)
        if not parts:
            return None
        joined: npt.NDArray[np.float32] = torch.cat(parts).float().cpu().numpy()
        return joined

    def _begin_segment(self) -> WholeSegment:
        self._open_turn()
        segment = WholeSegment.begun(self.line.length)
        self.state = replace(self.state, spoken=True, segment=segment)
        return segment

    def _shortened(self, segment: WholeSegment) -> WholeSegment:
        """A long segment is cut where it is quietest: what came before stays as it is."""
        parts = segment.parted()
        if parts is None:
            return segment
        vectors = self._model.hear(self._tensor(parts[0]))
        self.line.require(len(vectors), segment.start)
        self.line.rewind(segment.start)
        self.line.read(vectors)
        kept = (*self.state.vectors, vectors)
        segment = replace(segment, features=parts[1], start=self.line.length, vectors=None)
        self.state = replace(self.state, segment=segment, vectors=kept, closed=None)
        return segment

    def _judge(self, segment: WholeSegment, *, settle: bool) -> WholeSegment:
        closing = self._embed(self._prompt.closing())
        vectors = self._model.hear(self._tensor(segment.features))
        self.line.require(len(vectors) + len(closing), segment.start)
        self.line.rewind(segment.start)
        logits = self.line.read(torch.cat((vectors, closing)))
        verdict = self._scored(logits, segment.received)
        segment = replace(
            segment,
            judged=segment.received,
            vectors=vectors,
            settled=verdict if settle else segment.settled,
        )
        closed = segment.start + len(vectors)
        self.state = replace(self.state, segment=segment, verdict=verdict, closed=closed)
        return segment

    def _scored(self, logits: Tensor, heard: int) -> Verdict:
        scores = logits[list(self._prompt.states.ids)].double().softmax(-1)
        query, noise, text = scores.tolist()
        return Verdict(query, noise, text, heard=heard)

    def _verdict(self) -> Verdict:
        """Nothing judged yet: no state is likelier than another."""
        return self.state.verdict or Verdict(1 / 3, 1 / 3, 1 / 3)

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
        """Read one item, a piece at each step. Raises OutOfRoom; BadInput for an image that the
        checkpoint cannot see."""
        if self.state.segment is not None:
            self.end_segment()
        prompt = self._prompt
        match item:
            case Instructions(text):
                self._reopen()
                yield from self._read_ids(prompt.opening(text))
            case UserText(text):
                yield from self._read_user(self._embed(prompt.encode(text)))
            case UserSound():
                yield from self._read_sound(item)
            case UserImage():
                yield from self._read_user(self._seen(item))
            case FunctionOutput(_, output):
                yield from self._read_user(self._embed(prompt.result(output)))
            case AssistantText(text):
                yield from self._read_answer(prompt.encode(text))
            case FunctionCall():
                yield from self._read_answer(prompt.call(item))

    def answer_ids(self, told: str = "") -> list[int]:
        """Begin an answer: what opens it, up to its state token. `told` is for this answer only."""
        if self.state.segment is not None:
            self.end_segment()
        if not self.state.open:
            self._open_turn()
        if told:
            return self._told_ids(told)
        ids = [] if self.state.closed is not None else self._prompt.closing()
        ids += self._prompt.state(self.state.spoken)
        self.state = replace(self.state, open=False, answering=True, closed=None)
        return ids

    def say(self, ids: Sequence[int]) -> Tensor:
        """Read tokens of an answer; gives the logits [vocabulary] after them."""
        logits, told = self.line.read(self._embed(ids)), self.state.told
        if told is not None:
            self.state = replace(self.state, told=replace(told, said=(*told.said, *ids)))
        return logits

    def end_answer(self) -> None:
        self.say(self._prompt.ending())
        self._forget_told()
        self.state = replace(self.state, answering=False)

    def _told_ids(self, text: str) -> list[int]:
        self._reopen()
        state = self._prompt.state(self.state.spoken)
        ids = [*self._prompt.closing_told(text), *state]
        told = Told(self.line.length, len(ids), (*self._prompt.closing(), *state))
        self.state = replace(self.state, open=False, answering=True, told=told)
        return ids

    def _forget_told(self) -> None:
        """The answer stays as if nothing had been told."""
        told = self.state.told
        if told is not None:
            self.line.rewind(told.start)
            self.line.read(self._embed([*told.plain, *told.said[told.opening :]]))
            self.state = replace(self.state, told=None)

    def room(self) -> int:
        used = self.line.length if self.state.closed is None else self.state.closed
        return self.line.capacity - used

    def _open_turn(self) -> None:
        """A user's turn is open and nothing stands behind what it holds so far."""
        self._reopen()
        self._forget_told()
        if self.state.open:
            return
        ending = self._prompt.ending() if self.state.answering else []
        self.line.read(self._embed([*ending, *self._prompt.user()]))
        self.state = VitaState(open=True)

    def _reopen(self) -> None:
        if self.state.closed is not None:
            self.line.rewind(self.state.closed)
            self.state = replace(self.state, closed=None)

    def _read_user(self, vectors: Tensor) -> Iterator[None]:
        self._open_turn()
        yield from self._read_vectors(vectors)

    def _read_sound(self, sound: UserSound) -> Iterator[None]:
        if sound.embedded is None and sound.samples is not None:
            self.hear(sound.samples)
            self.end_segment()
            yield
            return
        if sound.embedded is None:
            yield from self._read_user(self._embed(self._prompt.encode(sound.words)))
            self.state = replace(self.state, spoken=True)
            return
        vectors = self._tensor(np.asarray(sound.embedded, np.float32))
        yield from self._read_user(vectors)
        kept = (*self.state.vectors, vectors)
        self.state = replace(self.state, spoken=True, vectors=kept)

    def _read_answer(self, ids: list[int]) -> Iterator[None]:
        yield from self._read_ids([*self.answer_ids(), *ids, *self._prompt.ending()])
        self.state = replace(self.state, answering=False)

    def _read_ids(self, ids: list[int]) -> Iterator[None]:
        return self._read_vectors(self._embed(ids))

    def _read_vectors(self, vectors: Tensor) -> Iterator[None]:
        self.line.require(len(vectors))
        for start in range(0, len(vectors), PIECE):
            self.line.read(vectors[start : start + PIECE])
            yield

    def _seen(self, image: UserImage) -> Tensor:
        """One tile, or for "high" detail as many as a quarter of the room holds. A newline stands
        behind."""
        vision = self._model.config.vision
        if vision is None:
            raise BadInput("this model cannot see: its checkpoint has no vision tower")
        most = min(MOST_TILES, self.room() // (4 * vision.tokens) - 1)  # and the whole behind them
        most = max(1, most) if image.detail == "high" else 1
        seen = self._model.see(self._tensor(normalise(tiles(image.pixels, most, vision.image))))
        return torch.cat((seen.flatten(0, 1), self._embed(self._prompt.encode("\n"))))

    def _embed(self, ids: Sequence[int]) -> Tensor:
        device = self._model.language.model.norm.weight.device
        return self._model.language.embed(torch.tensor(list(ids), dtype=torch.long, device=device))

    def _tensor(self, array: npt.NDArray[np.float32]) -> Tensor:
        like = self._model.language.model.norm.weight
        return torch.from_numpy(array).to(like.device, like.dtype)

    # -------------------------------------------------------------------------------- marks

    def mark(self) -> Mark:
        """Going on may write over the open segment and the closing: those rows are kept."""
        state, length = self.state, self.line.length
        floor = length if state.closed is None else state.closed
        floor = floor if state.segment is None else min(floor, state.segment.start)
        return self._places.keep(Snapshot(state, length, self.line.rows(floor)))

    def rewind(self, mark: Mark) -> None:
        """Raises UnknownMark."""
        place = self._places.back_to(mark)
        self.state = place.state
        self.line.rewind(place.length, place.rows)
