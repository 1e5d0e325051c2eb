"""When the monitor is asked to judge the open segment, beside the verdict of each encoder chunk
(pure)."""

from __future__ import annotations

from duplex import actions
from duplex.barge_in import BargeIn
from duplex.core import Segment, SessionState
from duplex.endpointing import is_sure, may_take_turn

# After a pause the monitor is asked anew for this long (how often: `Settings.flush_every`).
FLUSH_UNTIL_S = 0.5
# Over an answer it is asked as often while the voice is so long, and then chunk by chunk.
EARLY_FROM_S, EARLY_UNTIL_S = 0.15, 0.3
# A silence that is likely to become a pause.
AHEAD_S = 0.04
# Where sound stops coming in the middle of a voice, the monitor judges it with so much silence.
GAP_SILENCE_S = 0.32


class VerdictRequests:
    """Asks the monitor to judge all that it has heard. `until` is user audio, `now` session
    time."""

    def __init__(self, state: SessionState, barge_in: BargeIn) -> None:
        self._state = state
        self._barge_in = barge_in

    def ask(self, segment: Segment, until: float, now: float, silence: float = 0.0) -> None:
        """Ask at the end of a voice. So many seconds of silence are added to the sound."""
        segment.flushed_at, segment.judged_at = until, now
        self._state.emit(actions.FlushHearing(segment.number, until, silence))

    def ask_again(self, segment: Segment, until: float, now: float) -> None:
        """Ask anew right after the voice: a little more silence may make a finished query of it,
        and waiting for a whole encoder chunk would be late."""
        asked, verdict = segment.flushed_at, segment.verdict
        if asked is None or verdict is None or segment.speculation is not None:
            return
        pace = self._state.settings.flush_every
        if until - segment.last_voiced > FLUSH_UNTIL_S or until - asked < pace:
            return
        is_settled = is_sure(verdict, segment.thresholds)
        if segment.is_other_speaker:
            is_settled = may_take_turn(verdict, segment.thresholds)
        if segment.verdict_until >= asked and not is_settled:
            self.ask(segment, until, now)

    def ask_ahead(self, segment: Segment, until: float) -> None:
        """Ask where a voice has been silent for a moment: if it is a pause, the words are written
        by the time that this is sure."""
        is_likely = until - segment.last_voiced >= AHEAD_S
        is_new = segment.last_voiced > segment.asked_ahead_at
        if self._state.settings.asks_ahead and is_likely and is_new:
            segment.asked_ahead_at = until
            self._state.emit(actions.FlushHearing(segment.number, until))

    def ask_early(self, segment: Segment, until: float) -> None:
        """Ask over an answer, since each of the first words may tell that the user takes the turn:
        a whole encoder chunk is too long to wait for the next verdict."""
        is_early = EARLY_FROM_S <= segment.voiced <= EARLY_UNTIL_S
        waited = until - segment.asked_early_at
        if not is_early or waited < self._state.settings.flush_every:
            return
        if self._barge_in.may_end_answer(segment):
            segment.asked_early_at = until
            self._state.emit(actions.FlushHearing(segment.number, until))
