"""One stretch of user sound and what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass

from models.base import Verdict


@dataclass(slots=True)
class Segment:
    """Times are seconds of user audio; `noted_at` is session time of the last window."""

    number: int
    item_id: str
    start: float  # with padding: where hearing begins
    onset: float
    last_voiced: float
    voiced: float = 0.0  # seconds of voice in it
    over: int | None = None  # the answer that it overlaps, if any
    amid_talk: bool = False  # soon after talk to somebody else
    goes_on: bool = False  # continues a turn whose answer was hardly heard
    took_turn: bool = False
    has_ducked: bool = False
    is_announced: bool = False
    is_forced: bool = False  # opened by the client's own buffer, not by voice
    verdict: Verdict | None = None
    verdict_until: float = 0.0
    flushed_at: float | None = None  # user audio of the last flush, None while voice goes on
    answer: int | None = None  # the speculative answer to it
    onset_at: float = 0.0  # session time of the onset

    @property
    def silence(self) -> float:
        """Silence that the newest verdict has heard after the last voice."""
        return max(0.0, self.verdict_until - self.last_voiced)

    @property
    def verdict_is_final(self) -> bool:
        """The verdict covers all of the voice."""
        return self.verdict is not None and self.verdict_until >= self.last_voiced
