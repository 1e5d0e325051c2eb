"""When an answer is right: rules for skills and for state tokens. No torch."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.training.skills.exchange import Exchange


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


def word_errors(true: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, deletions and insertions, at least."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(true, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            best = min(row[j] + 1, row[j - 1] + 1, before + (word != other))
            before, row[j] = row[j], best
    return row[-1]
