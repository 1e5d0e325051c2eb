"""The user's side: segments open, are judged, and end in exactly one decision.

Here the two sides meet: a segment over an answer ducks it, takes the turn or lets it go on; a
finished query commits and asks for an answer.
"""

from __future__ import annotations

from dataclasses import replace

from duplex import actions as do
from duplex import endpointing, interruption
from duplex.answering import Answering, Emit, decide
from duplex.conversation import Conversation
from duplex.endpointing import Endpoint
from duplex.events import HearingFailed, VerdictGiven, VoiceMeasured
from duplex.interruption import Interruption
from duplex.segment import Segment
from duplex.settings import Settings, TurnDetection
from duplex.states import AssistantState, Floor, UserState, UserStep
from duplex.voice import Edge, VoiceTracker
from models.base import SPEAK_RATE

# Semantic detection hears a little of what came before the voice: onsets are soft.
PADDING = 0.3
# An undecided overlap may disturb the answer for so long, then it comes back.
LONGEST_DUCK = 0.8

# Our own output comes back at most so long after it has left: room, device and network together.
LONGEST_ECHO = 0.7


class Listening:
    """Owns the open segment. `now` is session time; segment times are user audio."""

    def __init__(
        self, conversation: Conversation, floor: Floor, answering: Answering, emit: Emit, token: str
    ) -> None:
        self.conversation = conversation
        self.floor = floor
        self.answering = answering
        self.emit = emit
        self.token = token
        self.settings = Settings()
        self.tracker = VoiceTracker()
        self.segment: Segment | None = None
        self.waiting: Segment | None = None  # committed, to be answered after the current answer
        self.num_segments = 0
        self.num_items = 0
        self.heard_until = 0.0  # user audio
        self.noted_at = 0.0  # session time of the newest window
        self.closed_at = 0.0  # user audio: nothing before it belongs to the next segment

    def new_item_id(self) -> str:
        self.num_items += 1
        return f"item_{self.token}_{self.num_items}"

    @property
    def is_manual(self) -> bool:
        return self.settings.turn_detection is TurnDetection.MANUAL

    @property
    def is_semantic(self) -> bool:
        return self.settings.turn_detection is TurnDetection.SEMANTIC

    # ----------------------------------------------------------------------------- voice

    def measure(self, window: VoiceMeasured, now: float) -> None:
        self.heard_until, self.noted_at = window.end, now
        if self.is_manual:
            if self.segment is None:
                self.open(window.start, window.start, now, is_forced=True)
            return
        if window.echo and not self._may_echo(now):
            window = replace(window, echo=False)
        edge = self.tracker.measure(window)
        self._decide_echo(window.end)
        segment = self.segment
        if edge is Edge.ONSET:
            padding = PADDING if self.is_semantic else self.settings.prefix_padding
            start = max(self.closed_at, window.start - padding, 0.0)
            segment = self.open(start, window.start, now)
        if segment is None:
            return
        if (
            edge in (Edge.ONSET, Edge.RESUMED, Edge.VOICED)
            and self.tracker.last_voiced == window.end
        ):
            segment.voiced += window.end - window.start
            segment.last_voiced = window.end
        if edge is Edge.RESUMED:
            self._go_on(segment)
        elif edge is Edge.PAUSED:
            self._pause(segment, window.end)
        self.look(now)

    def _may_echo(self, now: float) -> bool:
        """Can the microphone hear our own output at all? A user who has the turn is no echo."""
        if self.segment is not None and self.segment.took_turn:
            return False
        ended = self.answering.ended_at
        is_sounding = self.floor.assistant in (AssistantState.SPEAKING, AssistantState.DUCKED)
        return is_sounding or (ended is not None and now - ended < LONGEST_ECHO)

    def open(self, start: float, onset: float, now: float, *, is_forced: bool = False) -> Segment:
        self.num_segments += 1
        segment = Segment(
            self.num_segments,
            self.new_item_id(),
            start,
            onset,
            onset,
            onset_at=now,
            is_forced=is_forced,
        )
        self.segment = segment
        self.floor.move_user(UserStep.VOICE)
        self._meet_answer(segment, now)
        self.emit(do.BeginHearing(segment.number, start))
        return segment

    def _meet_answer(self, segment: Segment, now: float) -> None:
        """A new segment meets what the assistant is doing."""
        response = self.answering.current
        if segment.is_forced:
            return
        if response is None:
            self._announce(segment)
            return
        segment.over = response.response_id
        heard = response.clock.heard(now) / SPEAK_RATE
        segment.goes_on = response.follows_speech and heard < interruption.GOING_ON
        if not self.is_semantic:
            self._announce(segment)
            if self.settings.interrupt_response:
                self._take(segment, now)
        elif self.settings.interrupt_response and self.floor.assistant is AssistantState.SPEAKING:
            segment.has_ducked = True
            self.answering.duck()

    def _pause(self, segment: Segment, until: float) -> None:
        self.floor.move_user(UserStep.PAUSE)
        segment.flushed_at = until
        self.emit(do.FlushHearing(segment.number, until))

    def _go_on(self, segment: Segment) -> None:
        """The user goes on inside a segment: what was prepared for its end never was."""
        if self.floor.user is UserState.PAUSED:
            self.floor.move_user(UserStep.VOICE)
        segment.flushed_at = None
        self.drop_speculation(segment)

    def drop_speculation(self, segment: Segment) -> None:
        current = self.answering.current
        if segment.answer is not None and current is not None and not current.is_confirmed:
            self.answering.forget(current)
        segment.answer = None

    def _decide_echo(self, now: float) -> None:
        span = self.tracker.finished_echo(now)
        if span is None:
            return
        self.num_segments += 1
        segment = Segment(self.num_segments, "", span[0], span[0], span[1])
        self.emit(decide(segment, do.Reason.ECHO))

    # --------------------------------------------------------------------------- verdicts

    def take_verdict(self, event: VerdictGiven, now: float) -> None:
        segment = self.segment
        if segment is None or event.segment != segment.number:
            return
        segment.verdict, segment.verdict_until = event.verdict, event.until
        self.emit(do.ShowVerdict(segment.number, event.verdict, event.until))
        if self.is_over_answer(segment):
            self._judge_overlap(segment, now)
        self._speculate(segment, now)
        self.look(now)

    def is_over_answer(self, segment: Segment) -> bool:
        """Is the answer that the segment met still there, and unbroken by it?"""
        current = self.answering.current
        if segment.over is None or segment.took_turn or current is None:
            return False
        return current.response_id == segment.over

    def _judge_overlap(self, segment: Segment, now: float) -> None:
        if segment.verdict is None or not (self.is_semantic and self.settings.interrupt_response):
            return
        is_paused = self.floor.user is UserState.PAUSED and segment.verdict_is_final
        outcome = interruption.judge_overlap(
            segment.verdict, segment.voiced, is_paused, self.settings
        )
        if outcome is Interruption.TAKE and segment.voiced >= endpointing.LEAST_VOICE:
            self._take(segment, now)
        elif outcome is Interruption.RESUME:
            self.answering.resume()

    def _take(self, segment: Segment, now: float) -> None:
        """The user has the turn: the answer ends where it was heard."""
        self._announce(segment)
        segment.took_turn = True
        current = self.answering.current
        if current is not None:
            self.answering.stop(current, now, "turn_detected", drop=segment.goes_on)

    def _speculate(self, segment: Segment, now: float) -> None:
        """A query at a pause: begin the answer at once, held back."""
        if segment.flushed_at is None or not segment.verdict_is_final or segment.verdict is None:
            return
        settings = self.settings
        wanted = self.is_semantic and settings.speculate and settings.create_response
        if not wanted or self.answering.current is not None or segment.answer is not None:
            return
        if segment.voiced < endpointing.LEAST_VOICE:
            return
        if endpointing.is_query(segment.verdict, settings):
            response = self.answering.start(
                now,
                options=settings.answer,
                item_id=self.new_item_id(),
                segment=segment,
                is_speculative=True,
            )
            segment.answer = response.response_id

    def take_failure(self, event: HearingFailed) -> None:
        segment = self.segment
        if segment is not None and event.segment == segment.number:
            self.close(segment, do.Reason.FAILED)

    # ---------------------------------------------------------------------------- silence

    def look(self, now: float) -> None:
        """Judge the open segment at this moment."""
        segment = self.segment
        if segment is None or segment.is_forced:
            return
        self._watch_duck(segment, now)
        silence = self._silence(segment, now)
        if self.floor.user is not UserState.PAUSED:
            if self.heard_until - segment.onset >= endpointing.LONGEST_SEGMENT:
                self._end_longest(segment, now)
            return
        if segment.voiced < endpointing.LEAST_VOICE:
            if silence >= endpoint_silence(self.settings):
                self.close(segment, do.Reason.ABANDONED)
            return
        if not self.is_semantic:
            self._look_server(segment, silence, now)
            return
        verdict = segment.verdict if segment.verdict_is_final else None
        self._obey(segment, endpointing.judge_silence(verdict, silence, self.settings), now)

    def _silence(self, segment: Segment, now: float) -> float:
        """Silence since the last voice, in user audio; if audio stops coming, time itself."""
        return self.heard_until - segment.last_voiced + max(0.0, now - self.noted_at)

    def _obey(self, segment: Segment, outcome: Endpoint, now: float) -> None:
        if outcome is Endpoint.COMMIT:
            self.commit(segment, now)
        elif outcome is Endpoint.IGNORE:
            assert segment.verdict is not None
            reason = interruption.name_ignored(segment.verdict, segment.over is not None)
            self.close(segment, reason)
        elif outcome is Endpoint.ABANDON:
            self.close(segment, do.Reason.ABANDONED)
        elif outcome is Endpoint.FAIL:
            self.emit(do.MarkIll(segment.number))
            self.close(segment, do.Reason.FAILED)

    def _look_server(self, segment: Segment, silence: float, now: float) -> None:
        """server_vad: silence rules; the verdict says only whether the turn is answered."""
        if silence < self.settings.silence_duration:
            return
        if segment.verdict_is_final or silence >= endpointing.VERDICT_PATIENCE:
            self.commit(segment, now)

    def _end_longest(self, segment: Segment, now: float) -> None:
        verdict = segment.verdict
        if verdict is not None and verdict.query + verdict.unfinished > verdict.noise:
            self.commit(segment, now)
        else:
            self.close(segment, do.Reason.ABANDONED)

    def _watch_duck(self, segment: Segment, now: float) -> None:
        if not segment.has_ducked or self.floor.assistant is not AssistantState.DUCKED:
            return
        waited = now - segment.onset_at
        if segment.verdict is None and waited >= interruption.VERDICT_DEADLINE:
            self.emit(do.MarkIll(segment.number))
            self.answering.resume()
        elif waited >= LONGEST_DUCK:
            self.answering.resume()

    # ----------------------------------------------------------------------------- ending

    def commit(self, segment: Segment, now: float) -> None:
        """The segment is a user turn."""
        if self.is_over_answer(segment) and self.settings.interrupt_response and self.is_semantic:
            self._take(segment, now)
        self._announce(segment)
        words = segment.verdict.words if segment.verdict else ""
        self.finish(segment, segment.item_id)
        self.emit(do.SpeechStopped(segment.item_id, segment.last_voiced))
        self.add_turn(segment, words)
        self._answer(segment, now)

    def add_turn(self, segment: Segment, words: str) -> None:
        before = self.conversation.add_sound(segment.item_id, words)
        self.emit(do.BufferCommitted(segment.item_id, before))
        item = self.conversation.find(segment.item_id).to_wire()
        self.emit(do.ItemAdded(item, before))
        seconds = self.heard_until - segment.start
        self.emit(do.TranscriptAdded(segment.item_id, words, True, seconds))

    def _answer(self, segment: Segment, now: float) -> None:
        """Ask for the answer to a committed turn, or say why there is none."""
        current = self.answering.current
        if not self.settings.create_response:
            self.drop_speculation(segment)
            self.emit(decide(segment, do.Reason.NOT_REQUESTED))
        elif not self.is_semantic and self._is_rejected(segment):
            assert segment.verdict is not None
            self.emit(decide(segment, interruption.name_ignored(segment.verdict, False)))
        elif current is not None and current.response_id == segment.answer:
            self.answering.confirm(current)
        elif current is not None:
            self._wait(segment)
        else:
            self.start_answer(segment, now)

    def _is_rejected(self, segment: Segment) -> bool:
        return segment.verdict is not None and endpointing.is_noise(segment.verdict, self.settings)

    def _wait(self, segment: Segment) -> None:
        """The answer that runs may not be interrupted: this turn comes after it."""
        if self.waiting is not None:
            self.emit(decide(self.waiting, do.Reason.SUPERSEDED))
        self.waiting = segment

    def start_answer(self, segment: Segment, now: float) -> None:
        self.answering.start(
            now, options=self.settings.answer, item_id=self.new_item_id(), segment=segment
        )

    def answer_waiting(self, now: float) -> None:
        """The floor is free: answer the turn that waited for it."""
        if self.waiting is not None and self.answering.current is None:
            segment, self.waiting = self.waiting, None
            self.start_answer(segment, now)

    def close(self, segment: Segment, reason: do.Reason) -> None:
        """The segment was nobody's turn: forget it and say why."""
        self.drop_speculation(segment)
        if self.is_over_answer(segment):
            self.answering.resume()
        self.finish(segment, None)
        if segment.is_announced:
            self.emit(do.SpeechStopped(segment.item_id, segment.last_voiced))
        self.emit(decide(segment, reason))

    def finish(self, segment: Segment, item_id: str | None) -> None:
        self.emit(do.EndHearing(segment.number, self.heard_until, item_id))
        self.segment = None
        self.closed_at = self.heard_until
        self.tracker.close()
        self.floor.move_user(UserStep.CLOSE)

    def _announce(self, segment: Segment) -> None:
        if not segment.is_announced:
            segment.is_announced = True
            self.emit(do.SpeechStarted(segment.item_id, segment.start))

    # ------------------------------------------------------------------------------- time

    def deadline(self) -> float | None:
        """Session time at which `look` has something to decide although no audio comes."""
        segment = self.segment
        if segment is None or segment.is_forced:
            return None
        times = []
        if segment.has_ducked and self.floor.assistant is AssistantState.DUCKED:
            times += [segment.onset_at + interruption.VERDICT_DEADLINE] * (segment.verdict is None)
            times.append(segment.onset_at + LONGEST_DUCK)
        if self.floor.user is UserState.PAUSED:
            due = segment.last_voiced + self._due_silence(segment)
            times.append(self.noted_at + max(0.0, due - self.heard_until))
        return min(times, default=None)

    def _due_silence(self, segment: Segment) -> float:
        if segment.voiced < endpointing.LEAST_VOICE:
            return endpoint_silence(self.settings)
        if not self.is_semantic:
            is_late = not segment.verdict_is_final
            return endpointing.VERDICT_PATIENCE if is_late else self.settings.silence_duration
        verdict = segment.verdict if segment.verdict_is_final else None
        return endpointing.next_look(verdict, self.settings)

    def configure(self, settings: Settings) -> None:
        if settings.turn_detection is not self.settings.turn_detection and self.segment is not None:
            self.close(self.segment, do.Reason.SUPERSEDED)
        self.settings = settings
        self.tracker.threshold = settings.threshold


def endpoint_silence(settings: Settings) -> float:
    """Silence after which a click is given up."""
    return (
        endpointing.endpoint_delay(settings)
        if settings.turn_detection is (TurnDetection.SEMANTIC)
        else settings.silence_duration
    )
