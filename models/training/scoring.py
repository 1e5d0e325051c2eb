"""When an answer is right: rules for skills, coffee slots, digits and state tokens. No torch."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from models.training.skills.coffee import Slots, slots_of
from models.training.skills.exchange import Exchange
from models.training.skills.numbers import spell

_DIGIT_WORDS = {spell(number): number for number in range(10)}


def normalised(text: str) -> str:
    """Lower-case words and Chinese characters with single spaces; signs are left out."""
    return " ".join(re.findall(r"[a-z']+|[\u4e00-\u9fff]", text.lower()))


def answered(exchange: Exchange, answer: str, call: tuple[str, str] | None = None) -> bool:
    """Whether an answer (or a function call: its name and JSON) is what was wanted."""
    if exchange.call is not None:
        return call is not None and _same_call(exchange, *call)
    if call is not None:
        return False
    said = normalised(answer)
    if not exchange.key:
        return said == normalised(exchange.answer)
    return f" {normalised(exchange.key)} " in f" {said} "


def _same_call(exchange: Exchange, name: str, arguments: str) -> bool:
    assert exchange.call is not None
    try:
        given = json.loads(arguments)
    except json.JSONDecodeError:
        return False
    return name == exchange.call.name and bool(given == json.loads(exchange.call.arguments))


def digit_of(answer: str) -> int | None:
    """The one digit that an answer names; None if there is none or more than one."""
    named = {_DIGIT_WORDS[word] for word in normalised(answer).split() if word in _DIGIT_WORDS}
    return named.pop() if len(named) == 1 else None


@dataclass(frozen=True, slots=True)
class SlotScore:
    """Counts over orders. `exact`: every slot right and none extra."""

    orders: int = 0
    exact: int = 0
    hits: int = 0
    given: int = 0
    wanted: int = 0

    @property
    def command_accuracy(self) -> float:
        return self.exact / max(1, self.orders)

    @property
    def slot_f1(self) -> float:
        return 2 * self.hits / max(1, self.given + self.wanted)

    def plus(self, given: Slots, wanted: Slots) -> SlotScore:
        hits = sum(wanted.get(name) == value for name, value in given.items())
        return SlotScore(
            self.orders + 1, self.exact + (given == wanted), self.hits + hits,
            self.given + len(given), self.wanted + len(wanted),
        )  # fmt: skip


@dataclass(slots=True)
class Verdicts:
    """State tokens that were wanted and given."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, wanted: str, given: str) -> None:
        self.counts[wanted, given] += 1

    def figures(self) -> dict[str, dict[str, float]]:
        """For each state that was wanted: precision, recall, F1, how often, and what was given."""
        return {name: self._of(name) for name in dict.fromkeys(pair[0] for pair in self.counts)}

    def _of(self, state: str) -> dict[str, float]:
        hits = self.counts[state, state]
        wanted = sum(n for (one, _), n in self.counts.items() if one == state)
        given = sum(n for (_, one), n in self.counts.items() if one == state)
        confused = {f"as {b}": n / wanted for (a, b), n in self.counts.items() if a == state != b}
        return {
            "precision": hits / max(1, given), "recall": hits / max(1, wanted),
            "f1": 2 * hits / max(1, wanted + given), "count": wanted, **confused,
        }  # fmt: skip


def score_orders(pairs: Iterable[tuple[str, Slots]]) -> SlotScore:
    """Answers and the slots that they should have read back."""
    score = SlotScore()
    for answer, wanted in pairs:
        score = score.plus(slots_of(answer), wanted)
    return score
