"""Voice over an answer: the answer ducks, and ends or plays on (pure)."""

from __future__ import annotations

import re
from enum import Enum

from duplex import actions
from duplex.answering import Answering
from duplex.core import Origin, Segment, SessionState
from duplex.endpointing import MIN_VOICE_S, Thresholds, is_noise, may_take_turn
from duplex.states import AssistantState, OverlapState, OverlapStep, SegmentStep, UserState
from models.base import HEAR_AHEAD, HEAR_CHUNK, HEAR_RATE, SPEAK_RATE, Verdict

# The first verdicts rest on padding and the first syllable; a cough looks like a word there.
MIN_JUDGED_VOICE_S = 0.30
# Evidence that interrupts after half of that already.
EARLY_INTERRUPT_MIN = 0.9
# Without a verdict for so long after the onset the answer comes back to full gain, and the monitor
# is replaced.
DUCK_VERDICT_TIMEOUT_S = 0.4
# An undecided overlap may disturb the answer for so long after the onset.
MAX_DUCK_S = 0.8
# Before so much of an answer was heard, the user was still in the middle of the turn.
CONTINUES_BEFORE_HEARD_S = 0.5

BACKCHANNELS = frozenset(
    "mhm mm mmhm mm-hmm hm hmm uh-huh uhuh huh yeah yes yep ok okay right sure i see ah oh wow "
    "really 嗯 嗯嗯 哦 噢 啊 对 对对 好 好的 是 是的 行".split()
)
MAX_BACKCHANNEL_WORDS = 3


class Interruption(Enum):
    """What a verdict over an answer means for that answer."""

    WAIT = "wait"
    INTERRUPT = "interrupt"
    RESUME = "resume"


def judge_overlap(
    verdict: Verdict,
    voiced: float,
    is_paused: bool,
    thresholds: Thresholds,
    *,
    other_speaker: bool = False,
) -> Interruption:
    """Rule on `voiced` seconds of voice over an answer. Query plus unfinished is the evidence; of
    another speaker than the users only a finished query counts."""
    outcome = _judge_words(verdict, voiced, is_paused, thresholds)
    if not other_speaker or outcome is not Interruption.INTERRUPT:
        return outcome
    if is_paused:
        is_clear = may_take_turn(verdict, thresholds)
        return Interruption.INTERRUPT if is_clear else Interruption.RESUME
    return Interruption.WAIT


def _judge_words(
    verdict: Verdict, voiced: float, is_paused: bool, thresholds: Thresholds
) -> Interruption:
    evidence = verdict.query + verdict.unfinished
    is_enough = voiced >= MIN_JUDGED_VOICE_S or is_paused
    if evidence >= EARLY_INTERRUPT_MIN and voiced >= MIN_JUDGED_VOICE_S / 2:
        return Interruption.INTERRUPT
    if evidence >= thresholds.interrupt and is_enough:
        return Interruption.INTERRUPT
    if verdict.noise >= thresholds.noise and is_enough:
        return Interruption.RESUME
    return Interruption.RESUME if is_paused else Interruption.WAIT


def name_ignored(verdict: Verdict, over_answer: bool) -> actions.Reason:
    """Which of the three reasons for an ignored sound fits; no rule depends on it."""
    words = re.findall(r"[\w'-]+", verdict.words.lower())
    if not words:
        return actions.Reason.IGNORED_NOISE
    is_short = len(words) <= MAX_BACKCHANNEL_WORDS
    if over_answer and is_short and all(word in BACKCHANNELS for word in words):
        return actions.Reason.IGNORED_BACKCHANNEL
    return actions.Reason.IGNORED_SIDE_TALK


# Sound that a monitor needs before it can give a verdict at all.
FIRST_VERDICT_S = (HEAR_CHUNK + HEAR_AHEAD) / HEAR_RATE


class BargeIn:
    """Decides what the open segment and the current answer do to each other.

    `now` is session time.
    """

    def __init__(self, state: SessionState, answering: Answering) -> None:
        self._state = state
        self._answering = answering

    @property
    def _may_duck(self) -> bool:
        settings = self._state.settings
        return settings.is_semantic and settings.interrupt_response

    def can_echo(self, segment: Segment | None) -> bool:
        """True if the microphone may hear our own output: an answer sounds or has sounded (how long
        it echoes after that, audio.echo decides), and the user has not interrupted it."""
        if segment is not None and segment.overlap.state is OverlapState.INTERRUPTED:
            return False
        is_sounding = self._state.assistant in (AssistantState.SPEAKING, AssistantState.DUCKED)
        return is_sounding or self._answering.ended_at is not None

    def on_segment_start(self, segment: Segment, now: float) -> None:
        """Duck or end the answer over which a new segment begins, or tell the client at once that
        the user speaks."""
        response = self._state.responses.current
        if segment.origin is Origin.CLIENT:
            return
        if response is None or not segment.overlap.offer(OverlapStep.MEET):
            self.announce(segment)
            return
        segment.overlapped_response = response.response_id
        heard = response.clock.heard(now) / SPEAK_RATE
        segment.continues_turn = response.answers_speech and heard < CONTINUES_BEFORE_HEARD_S
        if not self._state.settings.is_semantic:
            self.announce(segment)
            if self._state.settings.interrupt_response:
                self.interrupt(segment, now)
        else:
            self._duck(segment)

    def on_handed_to_client(self, segment: Segment) -> None:
        """Bring the answer back to full gain, since the client ends the segment from now on."""
        if segment.overlap.offer(OverlapStep.LEAVE):
            segment.overlapped_response = None
        self._answering.resume()

    def is_over_answer(self, segment: Segment) -> bool:
        """True if the answer that the segment met is still there, and not ended by it."""
        current = self._state.responses.current
        if current is None or not segment.overlap.has(OverlapStep.INTERRUPT):
            return False
        return current.response_id == segment.overlapped_response

    def may_end_answer(self, segment: Segment) -> bool:
        """True if a verdict on the segment can end the answer that it was said over."""
        return self._may_duck and self.is_over_answer(segment)

    def on_verdict(self, segment: Segment, now: float) -> None:
        """Let a verdict end the answer or bring it back to full gain."""
        if segment.verdict is None or not self.may_end_answer(segment):
            return
        is_final = segment.final_verdict is not None
        is_paused = segment.is_paused and is_final
        heard = (segment.verdict, segment.voiced, is_paused, segment.thresholds)
        outcome = judge_overlap(*heard, other_speaker=segment.is_other_speaker)
        if outcome is not Interruption.INTERRUPT and segment.is_other_speaker:
            segment.is_withheld |= judge_overlap(*heard) is Interruption.INTERRUPT
        if outcome is Interruption.INTERRUPT and segment.voiced >= MIN_VOICE_S:
            self.interrupt(segment, now)
        elif outcome is Interruption.RESUME:
            self._answering.resume()

    def on_commit(self, segment: Segment, now: float) -> None:
        """End the answer that a segment was said over which becomes a turn."""
        if self.is_over_answer(segment) and self._may_duck:
            self.interrupt(segment, now)
        self.announce(segment)

    def interrupt(self, segment: Segment, now: float) -> None:
        """End the answer where it was heard: the user has the turn."""
        self.announce(segment)
        segment.overlap.take(OverlapStep.INTERRUPT)
        if segment.continues_turn:
            self._state.habit.note_cut_off()
        current = self._state.responses.current
        if current is not None:
            self._answering.stop(current, now, "turn_detected", drop=segment.continues_turn)

    def announce(self, segment: Segment) -> None:
        """Tell the client once that the user speaks."""
        if segment.progress.offer(SegmentStep.ANNOUNCE):
            self._state.emit(actions.SpeechStarted(segment.item_id, segment.start))

    # ----------------------------------------------------------------------------- ducking

    def evaluate(self, segment: Segment, now: float, heard: float, *, more_waits: bool) -> None:
        """Duck an answer whose sound begins under the user's voice; bring a ducked one back when
        nobody takes the turn in time. `heard` is how much of the segment has been received, in
        seconds: an instance that had too little to judge has not failed, nor has one to which a
        client gives sound faster than it was spoken (`more_waits`)."""
        is_spoken_over = segment.voice.state is UserState.SPEAKING
        is_noisy = is_noise(segment.verdict, segment.thresholds)
        if is_spoken_over and self.is_over_answer(segment) and not is_noisy:
            self._duck(segment)
        due = self.duck_ends_at(segment)
        if due is None or now < due:
            return
        if segment.verdict is None and heard >= FIRST_VERDICT_S and not more_waits:
            resume = self._state.begin_hearing(segment, now)
            self._state.emit(actions.ReplaceMonitor(segment.number, resume))
        self._answering.resume()

    def duck_ends_at(self, segment: Segment) -> float | None:
        """Session time at which a duck has lasted long enough; None if the answer is not ducked."""
        if self._state.assistant is not AssistantState.DUCKED:
            return None
        limit = DUCK_VERDICT_TIMEOUT_S if segment.verdict is None else MAX_DUCK_S
        return segment.onset_at + limit

    def _duck(self, segment: Segment) -> None:
        """Duck the answer, once a segment: steady noise must not pump the gain."""
        may_duck = self._may_duck and segment.overlap.has(OverlapStep.DUCK)
        if may_duck and self._answering.duck():
            segment.overlap.take(OverlapStep.DUCK)
