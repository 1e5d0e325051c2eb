"""From a segment to a turn of the conversation, and from the turn to its answer (pure)."""

from __future__ import annotations

from duplex import actions
from duplex.answering import Answering
from duplex.barge_in import name_ignored
from duplex.core import Segment, SessionState
from duplex.endpointing import MIN_VOICE_S, is_noise, may_speculate
from duplex.transcripts import Transcripts


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
        """The answer that plays may not be interrupted: this turn comes after it."""
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
        """Nobody is there to be answered."""
        if self._waiting is not None:
            segment, self._waiting = self._waiting, None
            self._state.decide(segment, actions.Reason.ABANDONED)

    def speculate(self, segment: Segment, now: float) -> None:
        """A query at a pause: begin the answer at once, held back."""
        settings, verdict = self._state.settings, segment.final_verdict
        if segment.flushed_at is None or verdict is None or segment.voiced < MIN_VOICE_S:
            return
        is_wanted = settings.is_semantic and settings.speculate and settings.create_response
        is_free = self._state.responses.current is None and segment.speculation is None
        silence = segment.verdict_until - segment.last_voiced
        if is_wanted and is_free and may_speculate(verdict, silence, segment.thresholds):
            response = self._answering.start(
                now, options=settings.answer, segment=segment, is_speculative=True
            )
            segment.speculation = response.response_id

    def drop_speculation(self, segment: Segment) -> None:
        """The answer that was begun for this segment, if it is still held back, never was."""
        current = self._state.responses.current
        if segment.speculation is not None and current is not None and current.is_held_back:
            self._answering.forget(current)
        segment.speculation = None
