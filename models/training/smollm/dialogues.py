"""Dialogues as training rows for SmolLM2: token ids, the answers to be predicted, the verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from models.base import FunctionCall
from models.smollm.chat import CUT, Chat, call_text
from models.training.sequences import answer_weights
from models.training.skills import registry
from models.training.skills.exchange import Dialogue, Exchange, pick
from models.training.smollm import wishes
from models.training.smollm.mishearing import written

NOTHING = -100
LONGEST = 160  # tokens of one row
WHOLE, HALF, NOT_MEANT = 0, 1, 2  # verdicts: query, unfinished, noise

# Shares of what a row is about. "own": the model's own answers to open questions.
SHARES = {"list": 62, "own": 9, "drill": 12, "typed function": 5, "transfer": 2, "greeting": 1,
          "unknowable": 3, "not meant": 12, "begun": 5}  # fmt: skip
_INSTRUCTIONS = (
    "You are a helpful assistant.", "You are a friendly voice assistant. Answer briefly.",
    "Be kind and short.", "You are Nano.", "Answer the user's questions.",
    "You are the voice of a coffee bar. Take orders and read them back.",
    "Speak English. Keep answers short and clear.", "You help people at home.",
)  # fmt: skip
# Frames of the list's refusals that a larger model may well answer: they are not learned.
_ANSWERABLE = (
    "how many people live in", "how do i repair", "who wrote the book", "how far is it",
    "who invented", "what is the meaning of life", "how deep is the sea", "can you drive",
    "what is the fastest", "how much does", "which", "translate",
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """One dialogue. `targets[i]` is the token after place i; `verdicts[i]` what a user's words up
    to place i are; NOTHING where neither is asked for."""

    ids: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    verdicts: list[int] = field(default_factory=list)

    def read(self, ids: Sequence[int]) -> None:
        """Given, not predicted."""
        self.ids += ids
        self.targets += [NOTHING] * len(ids)
        self.verdicts += [NOTHING] * len(ids)

    def predict(self, ids: Sequence[int]) -> None:
        """To be predicted from what stands before."""
        for token in ids:
            self.targets[-1] = token
            self.read([token])


class Material:
    """Draws rows without end, of at most `longest` tokens. `own`: pairs of an open question and the
    model's own answer."""

    def __init__(
        self,
        chat: Chat,
        seed: int,
        own: Sequence[tuple[str, str]] = (),
        longest: int = LONGEST,
    ) -> None:
        self._chat, self._random, self._own = chat, Random(seed), own
        self._longest = longest
        shares = {name: share for name, share in SHARES.items() if own or name != "own"}
        self._kinds, self._weights = tuple(shares), tuple(shares.values())

    def row(self) -> Row:
        """The next one."""
        while True:
            row = self._drawn()
            if row is not None and 0 < len(row.ids) <= self._longest:
                return row

    def rows(self) -> Iterator[Row]:
        while True:
            yield self.row()

    def _drawn(self) -> Row | None:
        random = self._random
        kind = random.choices(self._kinds, self._weights)[0]
        if kind == "not meant":
            return self._not_meant()
        if kind == "begun":
            return self._begun()
        made: Dialogue
        if kind == "own":
            question, answer = self._own[random.randrange(len(self._own))]
            made = Dialogue((Exchange(question, answer, "open"),))
        elif kind == "drill":
            made = registry.drill(random, chinese=0.0)
        elif kind == "list":
            made = registry.dialogue(random, chinese=0.0)
        else:
            made = _MAKERS[kind](random)
        if any(e.scenes or _is_answerable(e) for e in made.exchanges):
            return None
        if random.random() < 0.12 and kind != "own":  # an open question before or after it
            made = self._beside(made)
        return self._row(made)

    def _beside(self, made: Dialogue) -> Dialogue:
        if not self._own or len(made.exchanges) > 1:
            return made
        question, answer = self._own[self._random.randrange(len(self._own))]
        return Dialogue((Exchange(question, answer, "open"), *made.exchanges), made.tools)

    def _row(self, made: Dialogue) -> Row:
        chat, random, row = self._chat, self._random, Row()
        told = random.choice(_INSTRUCTIONS) if random.random() < 0.15 else ""
        row.read(chat.opening(told, made.tools))
        faithful = any(e.skill in ("recalling", "saying", "open") for e in made.exchanges)
        for exchange in made.exchanges:
            self._words(row, written(random, exchange.question, faithful), WHOLE)
            row.read([chat.end, *chat.encode("\n")])
            self._answer(row, exchange)
        return row

    def _words(self, row: Row, text: str, verdict: int) -> None:
        """A user's turn and the verdicts along it; its end is not judged before a closing sign."""
        row.read(self._chat.turn("user"))
        ids = self._chat.encode(text)
        row.read(ids)
        last = len(row.ids) - 1
        first = last - len(ids) + 1
        within = NOT_MEANT if verdict == NOT_MEANT else HALF
        row.verdicts[first:last] = [within] * (last - first)
        row.verdicts[last] = verdict
        if text[-1:] in "?.!" and last > first:
            row.verdicts[last - 1] = NOTHING

    def _answer(self, row: Row, exchange: Exchange) -> None:
        chat = self._chat
        row.read(chat.turn("assistant"))
        if exchange.cut:
            row.read([*chat.encode(exchange.answer + CUT), *chat.close()])
            return
        if exchange.call is None:
            slow = [chat.slow] if exchange.slow else []
            row.predict([*slow, *chat.encode(exchange.answer), chat.end])
            row.read(chat.encode("\n"))
            return
        call = FunctionCall(exchange.call.name, exchange.call.arguments)
        row.predict([chat.call, *chat.encode(call_text(call)), chat.end])
        row.read(chat.encode("\n"))
        row.read([*chat.turn("tool"), *chat.encode(exchange.result), *chat.close()])
        row.read(chat.turn("assistant"))
        row.predict([*chat.encode(exchange.report), chat.end])
        row.read(chat.encode("\n"))

    def _not_meant(self) -> Row:
        """Words between other people, after an exchange or not; only the verdict is learned."""
        random, row = self._random, Row()
        if random.random() < 0.4:
            row = self._row(Dialogue((registry.exchange(random),)))
        words = registry.not_meant(random, 0.0)
        if self._own and random.random() < 0.45:
            words = self._statement()
        self._words(row, written(random, words), NOT_MEANT)
        return row

    def _statement(self) -> str:
        """What somebody tells: one or two of the answers to open questions."""
        said = [pick(self._random, self._own)[1] for _ in range(self._random.choice((1, 1, 2)))]
        return " ".join(said)

    def _begun(self) -> Row | None:
        """A query that breaks off, behind which a transcriber may put a sign as if it were whole;
        only the verdict is learned."""
        random, row = self._random, Row()
        words = registry.exchange(random).question
        if self._own and random.random() < 0.3:
            words = pick(random, self._own)[0]
        kept = words.split()
        if len(kept) < 4:
            return None
        cut = " ".join(kept[: random.randrange(2, len(kept) - 1)])
        self._words(row, written(random, cut), HALF)
        return row


_MAKERS = {
    "typed function": wishes.typed_function, "transfer": wishes.transfer,
    "greeting": wishes.greeting, "unknowable": wishes.unknowable,
}  # fmt: skip


def _is_answerable(exchange: Exchange) -> bool:
    """Whether a refusal would teach the larger model to refuse what it may know."""
    if exchange.skill == "open ended":
        return True
    return exchange.skill == "outside" and any(frame in exchange.question for frame in _ANSWERABLE)


def own_answers(path: Path) -> tuple[tuple[str, str], ...]:
    """What `answers` wrote; nothing where it did not run."""
    if not path.exists():
        return ()
    return tuple((question, answer) for question, answer in json.loads(path.read_text()))


Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows of like length side by side, padded on the right: [rows, longest] each."""

    ids: Ids
    targets: Ids
    verdicts: Ids
    weights: npt.NDArray[np.float32]  # how much each target counts

    @property
    def positions(self) -> int:
        """Real ones, without padding, are a few per cent fewer."""
        return int(self.ids.size)


def batches(material: Material, positions: int, rows: int = 256) -> Iterator[RowBatch]:
    """Batches of about so many positions, of rows sorted by length among `rows` drawn at once."""
    random = Random(rows)
    while True:
        drawn = sorted((material.row() for _ in range(rows)), key=lambda row: len(row.ids))
        groups: list[list[Row]] = [[]]
        for row in drawn:
            if groups[-1] and (len(groups[-1]) + 1) * len(row.ids) > positions:
                groups.append([])
            groups[-1].append(row)
        random.shuffle(groups)
        yield from (_padded(group) for group in groups)


def _padded(rows: Sequence[Row]) -> RowBatch:
    longest = max(len(row.ids) for row in rows)

    def wide(values: list[list[int]], filling: int) -> Ids:
        made = np.full((len(rows), longest), filling, np.int64)
        for place, each in enumerate(values):
            made[place, : len(each)] = each
        return made

    weights = np.zeros((len(rows), longest), np.float32)
    for place, row in enumerate(rows):
        weights[place, : len(row.ids)] = answer_weights(row.targets)
    return RowBatch(
        wide([row.ids for row in rows], 0),
        wide([row.targets for row in rows], NOTHING),
        wide([row.verdicts for row in rows], NOTHING),
        weights,
    )
