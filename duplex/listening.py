"""The user's side: segments open, are judged, and end in exactly one decision (pure)."""

from __future__ import annotations

from dataclasses import replace

from duplex import actions
from duplex.answering import Answering
from duplex.barge_in import BargeIn, name_ignored
from duplex.core import Origin, Segment, SessionState
from duplex.endpointing import (
    CLOSE_SILENCE_S,
    MAX_SEGMENT_S,
    SIDE_TALK_LASTS_S,
    Endpoint,
    Ruling,
    Settings,
    TurnDetection,
    judge_pause,
    thresholds_for,
)
from duplex.events import HearingFailed, SpeakerScored, VerdictGiven, VoiceMeasured
from duplex.states import SegmentState, SegmentStep, VoiceStep
from duplex.turns import GAP_SILENCE_S, HearingFailures, Turns, VerdictRequests
from duplex.voice_activity import Edge, SilenceClock, VoiceTracker

# Semantic detection hears a little of what came before the voice: onsets are soft. With two encoder
# chunks and a little, the fourth ends just when an interruption's MIN_JUDGED_VOICE_S is there.
PADDING_S = 0.33
# What somebody said to somebody else, who may go on.
SIDE_TALK = (actions.Reason.IGNORED_SIDE_TALK, actions.Reason.IGNORED_OTHER_SPEAKER)


class Listening:
    """Opens, judges and closes the open segment. `now` is session time; segment times are user
    audio."""

    def __init__(
        self, state: SessionState, turns: Turns, barge_in: BargeIn, answering: Answering
    ) -> None:
        self._state = state
        self._turns = turns
        self._barge_in = barge_in
        self._answering = answering
        self._requests = VerdictRequests(state, barge_in)
        self._tracker = VoiceTracker()
        self._failures = HearingFailures(state, answering)
        self._clock = SilenceClock()
        self._silence_at_evaluation = 0.0
        self._side_talk_until = -SIDE_TALK_LASTS_S  # user audio
        self.closed_at = 0.0  # user audio: nothing before it belongs to the next segment

    @property
    def heard_until(self) -> float:
        """The end of the user's audio that has been measured."""
        return self._clock.heard_until

    def measure(self, window: VoiceMeasured, now: float) -> None:
        """Take one window of the microphone."""
        self._clock.advance(window, now)
        settings = self._state.settings
        if settings.turn_detection is TurnDetection.MANUAL:
            self._fill(window, now)
            return
        if window.echo and not self._barge_in.can_echo(self._state.segment):
            window = replace(window, echo=False)
        edge = self._tracker.measure(window, settings.threshold)
        self._decide_echo(window.end)
        if self._failures.in_failed_turn:
            self._sit_out()
            return
        segment = self._state.segment
        if edge is Edge.ONSET and not self._failures.may_try(now):
            self._failures.tell(now, "the models failed a moment ago; they are tried again soon")
        elif edge is Edge.ONSET:
            padding = PADDING_S if settings.is_semantic else settings.prefix_padding
            start = max(self.closed_at, window.start - padding, 0.0)
            segment = self.open(start, window.start, now)
        if segment is not None:
            self._follow(segment, edge, window, now)
            self.evaluate(now)

    def _fill(self, window: VoiceMeasured, now: float) -> None:
        """The client's own buffer: one segment, cut where the monitor can hear no more at once."""
        segment = self._state.segment
        if segment is not None and window.end - segment.start >= MAX_SEGMENT_S:
            self.keep(segment, window.start, now)
            segment = None
        if segment is None and self._failures.may_try(now):
            start = max(self.closed_at, window.start)
            self.open(start, start, now, Origin.CLIENT)

    def keep(self, segment: Segment, until: float, now: float) -> None:
        """A segment of the client's buffer becomes a turn that nobody has asked to answer yet."""
        self._clock.heard_until = max(until, segment.start)
        self._requests.ask(segment, self.heard_until, now)
        is_announced = segment.progress.state is SegmentState.ANNOUNCED
        self.finish(segment, segment.item_id)
        if is_announced:  # its voice was heard before the client took the segment over
            self._state.emit(actions.SpeechStopped(segment.item_id, segment.last_voiced))
        self._turns.add(segment, self.heard_until, now)
        self._state.decide(segment, actions.Reason.NOT_REQUESTED)

    def _follow(self, segment: Segment, edge: Edge, window: VoiceMeasured, now: float) -> None:
        if edge is Edge.RESUMED:
            self._resume(segment, window.start - segment.last_voiced)
        if edge in (Edge.ONSET, Edge.RESUMED, Edge.VOICED):
            before = max(segment.last_voiced, window.start)
            segment.voiced += max(0.0, self._tracker.last_voiced - before)
            segment.last_voiced = max(segment.last_voiced, self._tracker.last_voiced)
            self._requests.ask_early(segment, window.end)
            self._requests.ask_ahead(segment, window.end)
        if edge is Edge.PAUSED:
            segment.voice.take(VoiceStep.PAUSE)
            self._requests.ask(segment, window.end, now)
        elif edge is Edge.QUIET:
            self._requests.ask_again(segment, window.end, now)

    def open(
        self, start: float, onset: float, now: float, origin: Origin = Origin.VOICE
    ) -> Segment:
        """Begin a segment whose sound begins at `start` and whose voice at `onset`."""
        after_side_talk = onset - self._side_talk_until < SIDE_TALK_LASTS_S
        segment = self._state.open_segment(
            start, onset, now, origin, after_side_talk=after_side_talk
        )
        self._barge_in.on_segment_start(segment, now)
        self._state.emit(self._state.begin_hearing(segment, now))
        if self._state.settings.speaker_profile and segment.is_compared:
            self._state.emit(actions.CompareSpeaker(segment.number))
        return segment

    def _resume(self, segment: Segment, pause: float) -> None:
        """The user goes on inside a segment after a pause of so many seconds: cancel the answer
        that was prepared for its end."""
        was_taken_for_end = segment.speculation is not None
        self._state.habit.note_pause(pause, was_taken_for_end=was_taken_for_end)
        segment.voice.offer(VoiceStep.RESUME)
        segment.flushed_at = None
        self._turns.drop_speculation(segment)

    def _decide_echo(self, now: float) -> None:
        span = self._tracker.finished_echo(now)
        if span is not None:
            self._state.decide_echo(*span)

    # --------------------------------------------------------------------------- verdicts

    def take_verdict(self, event: VerdictGiven, now: float) -> None:
        """Judge the open segment by what the monitor says of it."""
        segment = self._state.segment
        if segment is None or event.segment != segment.number:
            self._turns.transcripts.take_verdict(event, now)
            return
        segment.judged_at = now
        if event.until < segment.verdict_until:
            return  # of a chunk that ended before the latest flush did: it knows less
        self._failures.note_success()
        segment.verdict, segment.verdict_until = event.verdict, event.until
        self._state.emit(actions.ShowVerdict(segment.number, event.verdict, event.until))
        self._barge_in.on_verdict(segment, now)
        self._turns.speculate(segment, now)
        self.evaluate(now)

    def take_speaker_score(self, event: SpeakerScored, now: float) -> None:
        """Judge the open segment anew by whose voice it is: the score may come after the verdict
        that it bears on."""
        segment = self._state.segment
        if segment is None or event.segment != segment.number:
            return
        if self._state.settings.speaker_profile:
            segment.speaker_score = event.score
            self._barge_in.on_verdict(segment, now)
            self.evaluate(now)

    def take_failure(self, event: HearingFailed, now: float) -> None:
        """The monitor cannot judge the open segment: another instance hears it again, once."""
        self._turns.transcripts.take_failure(event)
        segment = self._state.segment
        if segment is None or event.segment != segment.number:
            return
        if segment.is_heard_again:
            self._fail(segment, now, event.reason)
            return
        segment.is_heard_again = True
        self._turns.drop_speculation(segment)
        resume = self._state.begin_hearing(segment, now)
        self._state.emit(actions.ReplaceMonitor(None, resume))

    def _fail(self, segment: Segment, now: float, reason: str) -> None:
        """End a segment that the models could not hear, and tell the client once."""
        self.close(segment, actions.Reason.FAILED)
        self._failures.note(now)
        if segment.origin is Origin.VOICE:
            self._failures.tell(now, reason)

    def _sit_out(self) -> None:
        """Ignore the rest of a turn whose failure the client knows, until its voice has ended."""
        self._failures.follow(self.heard_until - self._tracker.last_voiced)
        if not self._failures.in_failed_turn:
            self._tracker.close()

    # ---------------------------------------------------------------------------- silence

    def evaluate(self, now: float) -> None:
        """Judge the open segment at this moment."""
        self._turns.transcripts.evaluate(now)
        segment = self._state.segment
        if segment is None or segment.origin is Origin.CLIENT:
            return
        heard = self.heard_until - segment.start
        self._barge_in.evaluate(segment, now, heard, more_waits=self._clock.more_waits)
        self._end_voice_in_gap(segment, now)
        audio_gap = self._state.settings.audio_gap
        silence = self._silence_at_evaluation = self._clock.silence(segment, now, audio_gap)
        if segment.is_paused:
            if segment.verdict_due is None or now >= segment.verdict_due:
                self._apply(self._ruling(segment, silence).outcome, segment, now)
        elif self.heard_until - segment.onset >= MAX_SEGMENT_S:
            self._end_longest(segment, now)

    def _end_voice_in_gap(self, segment: Segment, now: float) -> None:
        """Take it for a pause when sound stops coming in the middle of a voice."""
        is_missing = self._clock.is_missing(segment, now, self._state.settings.audio_gap)
        if is_missing and segment.voice.offer(VoiceStep.PAUSE):
            self._tracker.pause()
            self._requests.ask(segment, self.heard_until, now, GAP_SILENCE_S)

    def deadline(self) -> float | None:
        """Session time at which `evaluate` has something to decide although no audio comes."""
        times = [self._turns.transcripts.deadline()]
        segment = self._state.segment
        if segment is not None and segment.origin is not Origin.CLIENT:
            times += [self._barge_in.duck_ends_at(segment), self._silence_ends_at(segment)]
        return min((time for time in times if time is not None), default=None)

    def waits_for_verdict(self, now: float) -> bool:
        """See Session.waits_for_verdict."""
        due = None if self._state.segment is None else self._state.segment.verdict_due
        is_awaited = due is not None and now < due
        return is_awaited or self._turns.transcripts.deadline() is not None

    def _silence_ends_at(self, segment: Segment) -> float | None:
        """When silence means something for the segment, if no more sound comes."""
        audio_gap = self._state.settings.audio_gap
        if not segment.is_paused:
            return self._clock.missing_from(segment, audio_gap)
        due = self._ruling(segment, self._silence_at_evaluation).due
        ends_at = self._clock.lasts_at(due, segment, audio_gap)
        if ends_at is not None and segment.verdict_due is not None:
            return max(ends_at, segment.verdict_due)
        return ends_at

    def _ruling(self, segment: Segment, silence: float, *, whoever: bool = False) -> Ruling:
        """`whoever`: as if it did not matter whose voice it is."""
        return judge_pause(
            segment.final_verdict,
            silence,
            self._state.habit.adapted(segment.thresholds, self._state.settings),
            voiced=segment.voiced,
            over_answer=self._barge_in.is_over_answer(segment),
            other_speaker=segment.is_other_speaker and not whoever,
        )

    def _apply(self, outcome: Endpoint, segment: Segment, now: float) -> None:
        if outcome is Endpoint.COMMIT:
            self.commit(segment, now)
        elif outcome is Endpoint.IGNORE:
            self.close(segment, self._why_ignored(segment))
        elif outcome is Endpoint.ABANDON:
            self.close(segment, actions.Reason.ABANDONED)
        elif outcome is Endpoint.FAIL:
            self._state.emit(actions.ReplaceMonitor(segment.number))
            self._fail(segment, now, "the model did not judge in time")

    def _why_ignored(self, segment: Segment) -> actions.Reason:
        assert segment.verdict is not None
        if segment.is_other_speaker:
            alone = self._ruling(segment, CLOSE_SILENCE_S, whoever=True).outcome
            if segment.is_withheld or alone is not Endpoint.IGNORE:
                return actions.Reason.IGNORED_OTHER_SPEAKER
        return name_ignored(segment.verdict, segment.overlapped_response is not None)

    def _end_longest(self, segment: Segment, now: float) -> None:
        verdict = segment.verdict
        self._requests.ask(segment, self.heard_until, now)
        if verdict is not None and verdict.query + verdict.unfinished > verdict.noise:
            self.commit(segment, now)
        else:
            self.close(segment, actions.Reason.ABANDONED)

    # ----------------------------------------------------------------------------- ending

    def commit(self, segment: Segment, now: float) -> None:
        """End the segment as a turn of the user and ask for its answer."""
        self._barge_in.on_commit(segment, now)
        self.finish(segment, segment.item_id)
        self._state.habit.note_turn()
        self._state.emit(actions.SpeechStopped(segment.item_id, segment.last_voiced))
        self._turns.add(segment, self.heard_until, now)
        self._turns.answer(segment, now)

    def close(self, segment: Segment, reason: actions.Reason) -> None:
        """End a segment that becomes no turn, for this reason."""
        self._turns.drop_speculation(segment)
        if reason in SIDE_TALK:
            self._side_talk_until = segment.last_voiced
        self.finish(segment, None)
        if segment.progress.state is SegmentState.ANNOUNCED:
            self._state.emit(actions.SpeechStopped(segment.item_id, segment.last_voiced))
        self._state.decide(segment, reason)

    def give_up(self) -> None:
        """The session is over: decide what is open."""
        self._decide_echo(float("inf"))
        if self._state.segment is not None:
            self.close(self._state.segment, actions.Reason.ABANDONED)

    def finish(self, segment: Segment, item_id: str | None) -> None:
        """Close the segment: no more sound belongs to it. `item_id` names the turn that it becomes,
        None where it becomes none."""
        self._state.emit(
            actions.EndHearing(segment.number, self.heard_until, item_id, segment.start)
        )
        self._state.segment = None
        self._answering.resume()  # nobody speaks over the answer any more
        self.closed_at = self.heard_until
        self._tracker.close()
        if item_id is not None:
            segment.progress.take(SegmentStep.COMMIT)

    def configure(self, settings: Settings, now: float) -> None:
        """Take new settings. What was said and not committed stays in the open segment, whoever
        is to end it from now on."""
        segment = self._state.segment
        before, self._state.settings = self._state.settings, settings
        is_other = settings.turn_detection is not before.turn_detection
        if is_other and self._failures.in_failed_turn:
            self._failures.in_failed_turn = False
            self._tracker.close()  # or the voice that goes on would never begin a segment
        if segment is not None:
            after_side_talk = segment.after_side_talk
            segment.thresholds = thresholds_for(settings, after_side_talk=after_side_talk)
            if is_other:
                self._hand_over(segment, before, now)

    def _hand_over(self, segment: Segment, before: Settings, now: float) -> None:
        """The open segment goes from one kind of turn detection to another."""
        if self._state.settings.turn_detection is TurnDetection.MANUAL:
            segment.origin = Origin.CLIENT
            self._turns.drop_speculation(segment)
            self._barge_in.on_handed_to_client(segment)
            segment.voice.offer(VoiceStep.RESUME)
        elif before.turn_detection is TurnDetection.MANUAL:
            segment.origin = Origin.VOICE
            segment.last_voiced, segment.voiced = self.heard_until, self.heard_until - segment.start
            segment.onset_at = now
            self._tracker.adopt(segment.start, self.heard_until)
            self._barge_in.on_segment_start(segment, now)
