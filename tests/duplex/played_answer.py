"""One answer as the models gave it, and as a client plays it."""

from __future__ import annotations

from dataclasses import dataclass, field

from duplex import actions
from models.base import SPEAK_RATE, AnswerOptions


@dataclass
class Word:
    text: str
    start: int
    end: int


@dataclass
class Answer:
    """One answer as the models gave it and as it left."""

    number: int
    options: AnswerOptions
    is_speculative: bool
    segment: int | None
    out_of_band: bool
    item_id: str = ""
    texts: list[str] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    made: int = 0
    packets: list[tuple[float, int]] = field(default_factory=list)
    letters_told: int = 0
    is_confirmed: bool = False
    is_started: bool = False
    num_cancels: int = 0
    end: actions.ResponseEnded | None = None
    cut_at: float | None = None  # samples that were heard of it in the end; None: all
    is_dropped: bool = False
    is_failure: bool = False  # made by no model

    @property
    def sent(self) -> int:
        return sum(count for _, count in self.packets)

    def played(self, now: float, delay: float) -> float:
        """Samples that a client has played which begins with each packet `delay` after it left."""
        free, total = 0.0, 0.0
        for left, count in self.packets:
            begins = max(free, left + delay)
            free = begins + count / SPEAK_RATE
            total += min(count, max(0.0, (now - begins) * SPEAK_RATE))
        return total

    def num_heard(self, samples: float) -> int:
        """Words of which the first half was played."""
        return sum((word.start + word.end) / 2 <= samples for word in self.words)
