"""One answer on its way: what was made, what was sent, what was heard (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from audio.playout import PlayoutClock
from duplex.segment import Segment
from models.base import AnswerOptions, SpokenWord


@dataclass(slots=True)
class Response:
    """`segment` is the user segment whose decision waits for this answer."""

    response_id: int
    item_id: str
    options: AnswerOptions
    asked_at: float
    clock: PlayoutClock
    segment: Segment | None = None
    follows_speech: bool = False  # it answers a spoken turn
    metadata: dict[str, str] | None = None
    in_conversation: bool = True
    is_confirmed: bool = False
    previous_item_id: str | None = None
    texts: list[str] = field(default_factory=list)
    words: list[SpokenWord] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    num_told: int = 0  # texts already told to the client
    num_calls_told: int = 0
    made: int = 0  # samples, 24 kHz
    sent: int = 0
    is_finished: bool = False
    is_incomplete: bool = False
    last_progress: float = 0.0  # when the model last gave something, or its sound last left

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def is_empty(self) -> bool:
        """The model decided to say nothing: a stop word was obeyed."""
        return self.is_finished and not self.text.strip() and not self.made and not self.calls

    @property
    def is_waited_for(self) -> bool:
        """Has the model yet to give something before anything more can leave?"""
        return not self.is_finished and self.sent >= self.made

    @property
    def is_sent(self) -> bool:
        return self.is_finished and self.sent >= self.made
