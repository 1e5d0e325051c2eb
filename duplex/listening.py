"""The user's side: segments open, are judged, and end in exactly one decision.

Here the two sides meet: a segment over an answer ducks it, takes the turn or lets it go on; a
finished query commits and asks for an answer.
"""

from __future__ import annotations

from dataclasses import replace

from duplex import actions as do
from duplex import endpointing, interruption
from duplex.answering import Answering, Emit, decide
from duplex.endpointing import Endpoint
from duplex.events import HearingFailed, VerdictGiven, VoiceMeasured
from duplex.overlap import Overlap
from duplex.segment import Segment
from duplex.settings import Settings, TurnDetection
from duplex.states import Floor, UserState, UserStep
from duplex.turns import Turns
from duplex.voice import Edge, VoiceTracker

# Semantic detection hears a little of what came before the voice: onsets are soft. With two encoder
# chunks and a little, the fourth ends just when an interruption's LEAST_HEARD is there.
PADDING = 0.33
# After a pause the monitor is asked anew this often, for this long.
ASK_EVERY = 0.06
KEEP_ASKING = 0.5


class Listening:
    """Owns the open segment. `now` is session time; segment times are user audio."""

    def __init__(
        self, floor: Floor, turns: Turns, overlap: Overlap, answering: Answering, emit: Emit
    ) -> None:
        self.floor = floor
        self.turns = turns
        self.overlap = overlap
        self.answering = answering
        self.emit = emit
        self.settings = Settings()
        self.tracker = VoiceTracker()
        self.segment: Segment | None = None
        self.num_segments = 0
        self.heard_until = 0.0  # user audio
        self.noted_at = 0.0  # session time of the newest window
        self.looked_silence = 0.0  # when it was last judged
        self.closed_at = 0.0  # user audio: nothing before it belongs to the next segment
        self.talked_at = -endpointing.TALK_GOES_ON  # user audio: the end of the newest side talk

    @property
    def is_manual(self) -> bool:
        return self.settings.turn_detection is TurnDetection.MANUAL

    # ----------------------------------------------------------------------------- voice

    def measure(self, window: VoiceMeasured, now: float) -> None:
        self.heard_until, self.noted_at = window.end, now
        if self.is_manual:
            if self.segment is None:
                self.open(window.start, window.start, now, is_forced=True)
            return
        if window.echo and not self.overlap.may_echo(self.segment):
            window = replace(window, echo=False)
        edge = self.tracker.measure(window)
        self._decide_echo(window.end)
        segment = self.segment
        if edge is Edge.ONSET:
            padding = PADDING if self.settings.is_semantic else self.settings.prefix_padding
            start = max(self.closed_at, window.start - padding, 0.0)
            segment = self.open(start, window.start, now)
        if segment is None:
            return
        if edge in (Edge.ONSET, Edge.RESUMED, Edge.VOICED):
            before = max(segment.last_voiced, window.start)
            segment.voiced += max(0.0, self.tracker.last_voiced - before)
            segment.last_voiced = max(segment.last_voiced, self.tracker.last_voiced)
        if edge is Edge.RESUMED:
            self._go_on(segment)
        elif edge is Edge.PAUSED:
            self._pause(segment, window.end)
        elif edge is Edge.QUIET:
            self._ask_again(segment, window.end)
        self.look(now)

    def open(self, start: float, onset: float, now: float, *, is_forced: bool = False) -> Segment:
        self.num_segments += 1
        segment = Segment(
            self.num_segments,
            self.turns.new_item_id(),
            start,
            onset,
            onset,
            onset_at=now,
            amid_talk=onset - self.talked_at < endpointing.TALK_GOES_ON,
            is_forced=is_forced,
        )
        self.segment = segment
        self.floor.move_user(UserStep.VOICE)
        self.overlap.meet(segment, now)
        self.emit(do.BeginHearing(segment.number, start))
        return segment

    def _pause(self, segment: Segment, until: float) -> None:
        self.floor.move_user(UserStep.PAUSE)
        segment.flushed_at = until
        self.emit(do.FlushHearing(segment.number, until))

    def _ask_again(self, segment: Segment, until: float) -> None:
        """Right after the voice every moment of silence may finish a query: a whole encoder chunk
        is too long to wait for the next verdict."""
        asked, verdict = segment.flushed_at, segment.verdict
        if asked is None or verdict is None or segment.answer is not None:
            return
        if until - segment.last_voiced > KEEP_ASKING or until - asked < ASK_EVERY:
            return
        if segment.verdict_until >= asked and not endpointing.is_sure(verdict, self._bar(segment)):
            segment.flushed_at = until
            self.emit(do.FlushHearing(segment.number, until))

    def _go_on(self, segment: Segment) -> None:
        """The user goes on inside a segment: what was prepared for its end never was."""
        if self.floor.user is UserState.PAUSED:
            self.floor.move_user(UserStep.VOICE)
        segment.flushed_at = None
        self.turns.drop_speculation(segment)

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
        if event.until < segment.verdict_until:
            return  # of a chunk that ended before the latest flush did: it knows less
        segment.verdict, segment.verdict_until = event.verdict, event.until
        self.emit(do.ShowVerdict(segment.number, event.verdict, event.until))
        if self.overlap.is_over(segment):
            self.overlap.judge(segment, now)
        self.turns.speculate(segment, now)
        self.look(now)

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
        self.overlap.watch(segment, now)
        silence = self.looked_silence = self._silence(segment, now)
        if self.floor.user is not UserState.PAUSED:
            if self.heard_until - segment.onset >= endpointing.LONGEST_SEGMENT:
                self._end_longest(segment, now)
            return
        if segment.voiced < endpointing.LEAST_VOICE:
            if silence >= endpoint_silence(self.settings):
                self.close(segment, do.Reason.ABANDONED)
            return
        if not self.settings.is_semantic:
            self._look_server(segment, silence, now)
            return
        verdict = segment.verdict if segment.verdict_is_final else None
        over = self.overlap.is_over(segment)
        bar = self._bar(segment)
        outcome = endpointing.judge_silence(verdict, silence, bar, over_answer=over)
        self._obey(segment, outcome, now)

    def _bar(self, segment: Segment) -> Settings:
        return endpointing.bar(self.settings, amid_talk=segment.amid_talk)

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

    # ----------------------------------------------------------------------------- ending

    def commit(self, segment: Segment, now: float) -> None:
        """The segment is a user turn."""
        if (
            self.overlap.is_over(segment)
            and self.settings.interrupt_response
            and self.settings.is_semantic
        ):
            self.overlap.take(segment, now)
        self.overlap.announce(segment)
        words = segment.verdict.words if segment.verdict else ""
        self.finish(segment, segment.item_id)
        self.emit(do.SpeechStopped(segment.item_id, segment.last_voiced))
        self.turns.add(segment, words, self.heard_until)
        self.turns.answer(segment, now)

    def close(self, segment: Segment, reason: do.Reason) -> None:
        """The segment was nobody's turn: forget it and say why."""
        self.turns.drop_speculation(segment)
        if self.overlap.is_over(segment):
            self.answering.resume()
        if reason is do.Reason.IGNORED_SIDE_TALK:
            self.talked_at = segment.last_voiced
        self.finish(segment, None)
        if segment.is_announced:
            self.emit(do.SpeechStopped(segment.item_id, segment.last_voiced))
        self.emit(decide(segment, reason))

    def give_up(self) -> None:
        """Nobody is there any more: decide what is open."""
        self._decide_echo(float("inf"))
        if self.segment is not None:
            self.close(self.segment, do.Reason.ABANDONED)

    def finish(self, segment: Segment, item_id: str | None) -> None:
        self.emit(do.EndHearing(segment.number, self.heard_until, item_id))
        self.segment = None
        self.closed_at = self.heard_until
        self.tracker.close()
        self.floor.move_user(UserStep.CLOSE)

    # ------------------------------------------------------------------------------- time

    def deadline(self) -> float | None:
        """Session time at which `look` has something to decide although no audio comes."""
        segment = self.segment
        if segment is None or segment.is_forced:
            return None
        times = [self.overlap.deadline(segment)]
        if self.floor.user is UserState.PAUSED:
            due = segment.last_voiced + self._due_silence(segment)
            times.append(self.noted_at + max(0.0, due - self.heard_until))
        return min((time for time in times if time is not None), default=None)

    def _due_silence(self, segment: Segment) -> float:
        if segment.voiced < endpointing.LEAST_VOICE:
            return endpoint_silence(self.settings)
        if not self.settings.is_semantic:
            is_late = not segment.verdict_is_final
            return endpointing.VERDICT_PATIENCE if is_late else self.settings.silence_duration
        verdict = segment.verdict if segment.verdict_is_final else None
        over = self.overlap.is_over(segment)
        bar = self._bar(segment)
        return endpointing.next_look(verdict, bar, self.looked_silence, over_answer=over)

    def configure(self, settings: Settings) -> None:
        if settings.turn_detection is not self.settings.turn_detection and self.segment is not None:
            self.close(self.segment, do.Reason.SUPERSEDED)
        self.settings = self.turns.settings = self.overlap.settings = settings
        self.tracker.threshold = settings.threshold


def endpoint_silence(settings: Settings) -> float:
    """Silence after which a click is given up."""
    if settings.is_semantic:
        return endpointing.endpoint_delay(settings)
    return settings.silence_duration
