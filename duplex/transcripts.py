"""Transcripts of committed turns, which wait for the verdict on all of their sound (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from duplex import actions
from duplex.core import Segment, SessionState
from duplex.endpointing import VERDICT_TIMEOUT_S
from duplex.events import HearingFailed, VerdictGiven

ROUNDING_S = 0.001  # positions are rounded to samples on their way


@dataclass(slots=True)
class PendingTranscript:
    """A turn of which the monitor has judged too little. `until` is the end of its sound (user
    audio), `due` the session time at which the words known by then must do."""

    item_id: str
    until: float
    seconds: float
    due: float
    words: str


class Transcripts:
    """Tells the client what was said in a turn, once all of its sound has been judged."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._pending: dict[int, PendingTranscript] = {}  # by the number of the segment

    def add(self, segment: Segment, until: float, now: float) -> None:
        """A segment has become a turn whose sound ends at `until`."""
        words = segment.verdict.words if segment.verdict else ""
        pending = PendingTranscript(
            segment.item_id, until, until - segment.start, now + VERDICT_TIMEOUT_S, words
        )
        if segment.flushed_at is None or segment.verdict_until >= segment.flushed_at - ROUNDING_S:
            self._tell(pending)
        else:
            pending.until = segment.flushed_at
            self._pending[segment.number] = pending

    def take_verdict(self, event: VerdictGiven, now: float) -> None:
        """A verdict on a segment that has become a turn already."""
        pending = self._pending.get(event.segment)
        if pending is None:
            return
        pending.words = event.verdict.words
        pending.due = now + VERDICT_TIMEOUT_S  # as long as the monitor makes progress
        if event.until >= pending.until - ROUNDING_S:
            self._tell(self._pending.pop(event.segment))

    def take_failure(self, event: HearingFailed) -> None:
        """The monitor will judge no more of it."""
        if event.segment in self._pending:
            self._tell(self._pending.pop(event.segment))

    def evaluate(self, now: float) -> None:
        """What has waited long enough is told with the words that there are."""
        late = [number for number, pending in self._pending.items() if now >= pending.due]
        for number in late:
            self._tell(self._pending.pop(number))

    def deadline(self) -> float | None:
        return min((pending.due for pending in self._pending.values()), default=None)

    def give_up(self) -> None:
        """Nobody is left to be told."""
        self._pending.clear()

    def _tell(self, pending: PendingTranscript) -> None:
        self._state.conversation.transcribe(pending.item_id, pending.words)
        self._state.emit(
            actions.TranscriptAdded(pending.item_id, pending.words, True, pending.seconds)
        )
