"""What becomes of a segment: when the monitor is asked to judge it, and what it ends in, a turn
with its transcript and its answer, or a failure (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from duplex import actions
from duplex.answering import Answering
from duplex.barge_in import BargeIn, name_ignored
from duplex.core import Segment, SessionState
from duplex.endpointing import (
    MIN_VOICE_S,
    VERDICT_TIMEOUT_S,
    is_noise,
    is_sure,
    may_speculate,
    may_take_turn,
)
from duplex.events import HearingFailed, VerdictGiven

ROUNDING_S = 0.001  # positions are rounded to samples on their way
# After a failure hearing is tried again after so much session time, doubled with each in a row.
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 8.0
TURN_ENDS_S = 0.5  # silence, user audio, after which voice is another turn
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


class Turns:
    """Adds turns and asks for their answers. `now` is session time."""

    def __init__(self, state: SessionState, answering: Answering) -> None:
        self._state = state
        self._answering = answering
        self.transcripts = Transcripts(state)
        self._waiting: Segment | None = None  # committed; answered after the current answer

    def add(self, segment: Segment, heard_until: float, now: float) -> None:
        """Put a committed segment into the conversation."""
        emit, conversation = self._state.emit, self._state.conversation
        words = segment.verdict.words if segment.verdict else ""
        before = conversation.add_sound(segment.item_id, words)
        emit(actions.BufferCommitted(segment.item_id, before))
        emit(actions.ItemAdded(conversation.find(segment.item_id).to_wire(), before))
        self.transcripts.add(segment, heard_until, now)

    def answer(self, segment: Segment, now: float) -> None:
        """Ask for the answer to a committed turn, or say why there is none."""
        settings, current = self._state.settings, self._state.responses.current
        if not settings.create_response:
            self.drop_speculation(segment)
            self._state.decide(segment, actions.Reason.NOT_REQUESTED)
        elif not settings.is_semantic and is_noise(segment.verdict, segment.thresholds):
            assert segment.verdict is not None
            self._state.decide(segment, name_ignored(segment.verdict, False))
        elif current is not None and current.response_id == segment.speculation:
            self._answering.confirm(current, now)
        elif current is not None:
            self._wait(segment)
        else:
            self.start(segment, now)

    def _wait(self, segment: Segment) -> None:
        """Answer this turn after the answer that plays, which may not be interrupted."""
        if self._waiting is not None:
            self._state.decide(self._waiting, actions.Reason.SUPERSEDED)
        self._waiting = segment

    def start(self, segment: Segment, now: float) -> None:
        """Begin the answer to a committed turn."""
        self._answering.start(now, options=self._state.settings.answer, segment=segment)

    def answer_waiting(self, now: float) -> None:
        """Answer the turn that waited, once no answer plays."""
        if self._waiting is not None and self._state.responses.current is None:
            segment, self._waiting = self._waiting, None
            self.start(segment, now)

    def give_up(self) -> None:
        """The session is over: the turn that waits gets no answer."""
        if self._waiting is not None:
            segment, self._waiting = self._waiting, None
            self._state.decide(segment, actions.Reason.ABANDONED)

    def speculate(self, segment: Segment, now: float) -> None:
        """Begin the answer to a query at its pause, held back until the pause is confirmed."""
        settings, verdict = self._state.settings, segment.final_verdict
        if segment.flushed_at is None or verdict is None or segment.voiced < MIN_VOICE_S:
            return
        is_wanted = settings.is_semantic and settings.speculate and settings.create_response
        if segment.is_other_speaker and not may_take_turn(verdict, segment.thresholds):
            return
        is_free = self._state.responses.current is None and segment.speculation is None
        silence = segment.verdict_until - segment.last_voiced
        if is_wanted and is_free and may_speculate(verdict, silence, segment.thresholds):
            response = self._answering.start(
                now, options=settings.answer, segment=segment, is_speculative=True
            )
            segment.speculation = response.response_id

    def drop_speculation(self, segment: Segment) -> None:
        """Cancel the answer that was begun for this segment, if it is still held back."""
        current = self._state.responses.current
        if segment.speculation is not None and current is not None and current.is_held_back:
            self._answering.forget(current)
        segment.speculation = None


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
        """Tell the transcripts that have waited long enough, with the words that there are."""
        late = [number for number, pending in self._pending.items() if now >= pending.due]
        for number in late:
            self._tell(self._pending.pop(number))

    def deadline(self) -> float | None:
        return min((pending.due for pending in self._pending.values()), default=None)

    def give_up(self) -> None:
        """The session is over: forget what waits."""
        self._pending.clear()

    def _tell(self, pending: PendingTranscript) -> None:
        self._state.conversation.transcribe(pending.item_id, pending.words)
        self._state.emit(
            actions.TranscriptAdded(pending.item_id, pending.words, True, pending.seconds)
        )


class HearingFailures:
    """Counts failures in a row and says when hearing may be tried again. Without such a delay every
    window of the same voice would open a segment that fails, many a second.

    `in_failed_turn` holds while the voice goes on of a turn whose failure was told.
    """

    def __init__(self, state: SessionState, answering: Answering) -> None:
        self._state = state
        self._answering = answering
        self._in_a_row = 0
        self._retry_at = 0.0  # session time
        self.in_failed_turn = False

    def note(self, now: float) -> None:
        """Hearing failed at session time `now`."""
        delay = min(FIRST_DELAY_S * 2.0**self._in_a_row, MAX_DELAY_S)
        self._in_a_row += 1
        self._retry_at = now + delay

    def tell(self, now: float, reason: str) -> None:
        """Tell the client of the failed turn by a response; the rest of its voice opens no
        segment."""
        self.in_failed_turn = True
        if self._state.settings.create_response and self._state.responses.current is None:
            self._answering.tell_failure(now, reason)

    def note_success(self) -> None:
        """The monitor gave a verdict: the count begins anew."""
        self._in_a_row = 0

    def may_try(self, now: float) -> bool:
        return not self._in_a_row or now >= self._retry_at

    def follow(self, silence: float) -> None:
        """Notice the end of the failed turn after so much silence, in seconds of user audio."""
        if silence >= TURN_ENDS_S:
            self.in_failed_turn = False
