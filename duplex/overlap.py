"""Voice over an answer: it ducks, and takes the turn or lets the answer go on."""

from __future__ import annotations

from duplex import actions as do
from duplex import endpointing, interruption
from duplex.answering import Answering, Emit
from duplex.interruption import Interruption
from duplex.segment import Segment
from duplex.settings import Settings
from duplex.states import AssistantState, Floor, UserState
from models.base import SPEAK_RATE

# An undecided overlap may disturb the answer for so long, then it comes back.
LONGEST_DUCK = 0.8


class Overlap:
    """What a segment and the current answer do to each other. `now` is session time."""

    def __init__(self, floor: Floor, answering: Answering, emit: Emit) -> None:
        self.floor = floor
        self.answering = answering
        self.emit = emit
        self.settings = Settings()

    def may_echo(self, segment: Segment | None) -> bool:
        """Can the microphone hear our own output at all? A user who has the turn is no echo. How
        long it can, audio.echo knows, on the microphone's own time line: it may lag behind."""
        if segment is not None and segment.took_turn:
            return False
        is_sounding = self.floor.assistant in (AssistantState.SPEAKING, AssistantState.DUCKED)
        return is_sounding or self.answering.ended_at is not None

    def meet(self, segment: Segment, now: float) -> None:
        """A new segment meets what the assistant is doing."""
        response = self.answering.current
        if segment.is_forced:
            return
        if response is None:
            self.announce(segment)
            return
        segment.over = response.response_id
        heard = response.clock.heard(now) / SPEAK_RATE
        segment.goes_on = response.follows_speech and heard < interruption.GOING_ON
        if not self.settings.is_semantic:
            self.announce(segment)
            if self.settings.interrupt_response:
                self.take(segment, now)
        else:
            self._duck(segment)

    def is_over(self, segment: Segment) -> bool:
        """Is the answer that the segment met still there, and unbroken by it?"""
        current = self.answering.current
        if segment.over is None or segment.took_turn or current is None:
            return False
        return current.response_id == segment.over

    def judge(self, segment: Segment, now: float) -> None:
        if segment.verdict is None or not (
            self.settings.is_semantic and self.settings.interrupt_response
        ):
            return
        is_paused = self.floor.user is UserState.PAUSED and segment.verdict_is_final
        outcome = interruption.judge_overlap(
            segment.verdict, segment.voiced, is_paused, self.settings
        )
        if outcome is Interruption.TAKE and segment.voiced >= endpointing.LEAST_VOICE:
            self.take(segment, now)
        elif outcome is Interruption.RESUME:
            self.answering.resume()

    def take(self, segment: Segment, now: float) -> None:
        """The user has the turn: the answer ends where it was heard."""
        self.announce(segment)
        segment.took_turn = True
        current = self.answering.current
        if current is not None:
            self.answering.stop(current, now, "turn_detected", drop=segment.goes_on)

    def watch(self, segment: Segment, now: float) -> None:
        """Duck an answer whose sound begins under the user's voice; bring a ducked one back when
        nobody takes the turn in time."""
        is_spoken_over = self.floor.user is UserState.SPEAKING and self.is_over(segment)
        if is_spoken_over and not endpointing.is_noise(segment.verdict, self.settings):
            self._duck(segment)
        if self.floor.assistant is not AssistantState.DUCKED:
            return
        waited = now - segment.onset_at
        if segment.verdict is None and waited >= interruption.VERDICT_DEADLINE:
            self.emit(do.MarkIll(segment.number))
            self.answering.resume()
        elif waited >= LONGEST_DUCK:
            self.answering.resume()

    def _duck(self, segment: Segment) -> None:
        """Once a segment: steady noise must not pump the gain."""
        is_sounding = self.floor.assistant is AssistantState.SPEAKING
        if (
            is_sounding
            and self.settings.is_semantic
            and self.settings.interrupt_response
            and not segment.has_ducked
        ):
            segment.has_ducked = True
            self.answering.duck()

    def announce(self, segment: Segment) -> None:
        if not segment.is_announced:
            segment.is_announced = True
            self.emit(do.SpeechStarted(segment.item_id, segment.start))

    def deadline(self, segment: Segment) -> float | None:
        """When a duck has lasted long enough."""
        if self.floor.assistant is not AssistantState.DUCKED:
            return None
        wait = interruption.VERDICT_DEADLINE if segment.verdict is None else LONGEST_DUCK
        return segment.onset_at + wait
