"""How a session takes turns: its settings, and the rules that say whether the user has finished.

The rules are pure functions of the verdict, the silence and a segment's thresholds. `judge_pause`
gives the outcome *and* the silence at which to look again, so that a rule of endpointing is written
once. `PauseHabit` adapts the delay to how this user pauses. All times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from models.base import AnswerOptions, Verdict

# ------------------------------------------------------------------------------- the settings

FLUSH_EVERY_S = 0.06
# Where each verdict encodes the whole segment anew: a flush every 160 ms, in windows of 32.
SLOW_FLUSH_EVERY_S = 0.13


class TurnDetection(Enum):
    SEMANTIC = "semantic_vad"  # the model's verdict rules
    SERVER = "server_vad"  # voice and silence rule; the verdict says only whether to answer
    MANUAL = "none"  # the client commits


class Eagerness(Enum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client or an operator has chosen: one frozen object, changed only as a whole. All
    seconds unless the name says otherwise."""

    turn_detection: TurnDetection = TurnDetection.SEMANTIC
    eagerness: Eagerness = Eagerness.AUTO
    create_response: bool = True
    interrupt_response: bool = True
    # server_vad
    threshold: float = 0.5
    prefix_padding: float = 0.3
    silence_duration: float = 0.5
    idle_timeout: float | None = None
    # semantic_vad: how much of the probability a state needs to act (per-state sensitivity)
    query_threshold: float = 0.5
    noise_threshold: float = 0.5
    sure_threshold: float = 0.6  # a query below it is asked anew before it is committed
    take_threshold: float = 0.8  # query plus unfinished, over an answer
    endpoint_delay: float | None = None  # None: as the eagerness says
    speculate: bool = True
    speaker_profile: bool = True  # tell the voices that were answered from others
    flush_every: float = FLUSH_EVERY_S  # between two verdicts that are asked for in a pause
    asks_ahead: bool = False  # for a verdict when a pause is likely, before it is sure
    # Sound that does not come for so long counts as silence from then on, by the clock.
    audio_gap: float = 0.6
    # output
    lead: float = 0.08  # how far sending runs ahead of playing
    answer: AnswerOptions = field(default_factory=AnswerOptions)
    strict_truncate: bool = False
    transcript_ahead: bool = False  # an answer's words are told before their sound is sent

    def paced(self, *, is_streamed: bool, asks_ahead: bool = False) -> Settings:
        """With the pace of a model that encodes sound as it comes, or of one that encodes the whole
        segment anew for each verdict. `asks_ahead`: its verdict at a pause takes long."""
        pace = FLUSH_EVERY_S if is_streamed else SLOW_FLUSH_EVERY_S
        return replace(self, flush_every=pace, asks_ahead=asks_ahead)

    @property
    def is_semantic(self) -> bool:
        """True if the model's verdict decides when a turn ends and whether it is answered."""
        return self.turn_detection is TurnDetection.SEMANTIC


# ---------------------------------------------------------------------------------- the rules

# From the last voiced sample to the commit of a finished query; the detector's own delay is part
# of it.
ENDPOINT_DELAY_S = {
    Eagerness.LOW: 0.48,
    Eagerness.MEDIUM: 0.16,
    Eagerness.AUTO: 0.16,
    Eagerness.HIGH: 0.096,
}
# How long an unfinished turn may stay silent (the wire's own figures for eagerness).
UNFINISHED_PATIENCE_S = {
    Eagerness.LOW: 8.0,
    Eagerness.MEDIUM: 4.0,
    Eagerness.AUTO: 4.0,
    Eagerness.HIGH: 2.0,
}
# A query that is not sure is committed so much later: meanwhile the monitor is asked anew, or the
# user goes on.
UNSURE_EXTRA_DELAY_S = 0.07
# What becomes a query only so long after that was not finished by its voice: long silence makes
# any verdict a little more of a query. It needs LATE_MIN_QUERY, or it waits as an unfinished turn.
LATE_QUERY_AFTER_S = 0.25
LATE_MIN_QUERY = 0.8
# Somebody who talks to another person goes on doing so: what begins within SIDE_TALK_LASTS_S needs
# this much of a query.
SIDE_TALK_MIN_QUERY = 0.8
SIDE_TALK_LASTS_S = 3.0
# Of a voice that was answered before with less than this probability it is another's ...
USER_VOICE_MIN_SCORE = 0.4
# ... and then only a finished query of this probability ends an answer, or follows side talk.
OTHER_SPEAKER_MIN_QUERY = 0.8
OTHER_SPEAKER_MIN_QUERY_AFTER_SIDE_TALK = 0.9
# A segment that is no query is closed after this much silence.
CLOSE_SILENCE_S = 0.5
# Below this share of the query threshold an unfinished turn is given up, not answered.
MIN_ANSWERED_SHARE = 0.9
# Less voice than this is taken for a click, which is no turn.
MIN_VOICE_S = 0.064
# A monitor that says nothing for so long after a pause has failed.
VERDICT_TIMEOUT_S = 2.0
# A segment never grows beyond this; encoder positions are finite.
MAX_SEGMENT_S = 30.0
# However fluent the user, so much silence is waited for: a consonant may begin with a gap.
MIN_DELAY_S = 0.1
# What a cut-off adds to the next turns' delays, at most how much, and what is left of it after a
# turn without one.
CUT_OFF_LATER_S = 0.20
MAX_LATER_S = 0.40
KEPT_AFTER_TURN = 0.7
# After so many turns in a row without a pause inside, the delay is this much shorter.
FLUENT_TURNS = 3
FLUENT_EARLIER_S = 0.03
# A gap between words shorter than this is no pause.
MIN_HABIT_PAUSE_S = 0.16


class Endpoint(Enum):
    """What becomes of a segment after so much silence."""

    WAIT = "wait"
    COMMIT = "commit"
    IGNORE = "ignore"
    ABANDON = "abandon"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Ruling:
    """An outcome and the silence (seconds) at which it changes, or has changed, from WAIT."""

    outcome: Endpoint
    due: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What one segment is judged by. Probabilities, and seconds where the name ends in `_s`."""

    is_semantic: bool
    query: float
    sure_query: float
    noise: float
    interrupt: float
    user_voice: float
    other_speaker_query: float
    endpoint_delay_s: float
    unfinished_patience_s: float
    silence_duration_s: float

    @property
    def click_silence_s(self) -> float:
        """Silence after which a click is given up."""
        return self.endpoint_delay_s if self.is_semantic else self.silence_duration_s


def thresholds_for(settings: Settings, *, after_side_talk: bool = False) -> Thresholds:
    """The thresholds of a segment under these settings; a segment that follows talk to somebody
    else needs more evidence of a query."""
    query, sure = settings.query_threshold, settings.sure_threshold
    if after_side_talk:
        query, sure = max(query, SIDE_TALK_MIN_QUERY), max(sure, SIDE_TALK_MIN_QUERY)
    other = OTHER_SPEAKER_MIN_QUERY_AFTER_SIDE_TALK if after_side_talk else OTHER_SPEAKER_MIN_QUERY
    delay = settings.endpoint_delay
    return Thresholds(
        is_semantic=settings.is_semantic,
        query=query,
        sure_query=max(query, sure),
        noise=settings.noise_threshold,
        interrupt=settings.take_threshold,
        user_voice=USER_VOICE_MIN_SCORE,
        other_speaker_query=other,
        endpoint_delay_s=ENDPOINT_DELAY_S[settings.eagerness] if delay is None else delay,
        unfinished_patience_s=UNFINISHED_PATIENCE_S[settings.eagerness],
        silence_duration_s=settings.silence_duration,
    )


def judge_pause(
    verdict: Verdict | None,
    silence: float,
    thresholds: Thresholds,
    *,
    voiced: float = MIN_VOICE_S,
    over_answer: bool = False,
    other_speaker: bool = False,
) -> Ruling:
    """Rule on a silence of `silence` seconds after `voiced` seconds of voice.

    `verdict` is None until the monitor has judged all of the voice; `over_answer` says that an
    answer plays, which the segment may not end without a clear query; `other_speaker` says that
    it is not a user's voice, where that matters.
    """
    if voiced < MIN_VOICE_S:
        return _when(thresholds.click_silence_s, silence, Endpoint.ABANDON)
    if not thresholds.is_semantic:
        wait = 0.0 if verdict is not None else VERDICT_TIMEOUT_S
        return _when(max(thresholds.silence_duration_s, wait), silence, Endpoint.COMMIT)
    if verdict is None:
        return _when(VERDICT_TIMEOUT_S, silence, Endpoint.FAIL)
    if verdict.query >= thresholds.query:
        if other_speaker and not may_take_turn(verdict, thresholds):
            return _when(CLOSE_SILENCE_S, silence, Endpoint.IGNORE)
        return _judge_query(verdict, silence, thresholds, over_answer)
    if is_noise(verdict, thresholds):
        return _when(CLOSE_SILENCE_S, silence, Endpoint.IGNORE)
    is_near = verdict.query >= MIN_ANSWERED_SHARE * thresholds.query
    outcome = Endpoint.COMMIT if is_near and verdict.query > verdict.noise else Endpoint.ABANDON
    return _when(thresholds.unfinished_patience_s, silence, outcome)


def _judge_query(
    verdict: Verdict, silence: float, thresholds: Thresholds, over_answer: bool
) -> Ruling:
    if over_answer and not may_interrupt(verdict, thresholds):
        return _when(CLOSE_SILENCE_S, silence, Endpoint.IGNORE)
    due = thresholds.endpoint_delay_s
    if _came_late(verdict, silence, thresholds):
        due = max(thresholds.unfinished_patience_s, due)
    elif not is_sure(verdict, thresholds):
        due += UNSURE_EXTRA_DELAY_S
    return _when(due, silence, Endpoint.COMMIT)


def _when(due: float, silence: float, outcome: Endpoint) -> Ruling:
    return Ruling(outcome if silence >= due else Endpoint.WAIT, due)


def _came_late(verdict: Verdict, silence: float, thresholds: Thresholds) -> bool:
    latest = thresholds.endpoint_delay_s + UNSURE_EXTRA_DELAY_S + LATE_QUERY_AFTER_S
    return silence > latest and verdict.query < LATE_MIN_QUERY


def is_sure(verdict: Verdict, thresholds: Thresholds) -> bool:
    """True if the segment is so surely a query that nothing is left to wait for."""
    return verdict.query >= thresholds.sure_query


def may_interrupt(verdict: Verdict, thresholds: Thresholds) -> bool:
    """True if a finished segment is so clearly a query that it ends the answer it was said over."""
    return verdict.query >= thresholds.interrupt


def may_take_turn(verdict: Verdict, thresholds: Thresholds) -> bool:
    """True if a finished segment of another speaker is so clearly a query that it is answered."""
    return verdict.query >= thresholds.other_speaker_query


def is_noise(verdict: Verdict | None, thresholds: Thresholds) -> bool:
    """True if the segment has been judged, and as nothing for the assistant."""
    return verdict is not None and verdict.noise >= thresholds.noise


def may_speculate(verdict: Verdict, silence: float, thresholds: Thresholds) -> bool:
    """True if the answer may be begun before the pause is confirmed. A stream that has begun to
    answer can no longer judge, so an unsure query is not worth it."""
    return is_sure(verdict, thresholds) and not _came_late(verdict, silence, thresholds)


@dataclass(slots=True)
class PauseHabit:
    """What is known of how this session's user pauses inside a turn.

    A user who was cut off is given more time for some turns; one who never pauses is waited for
    less. How the pitch and level of a voice fall at its end is no part of it: on 402 spoken orders
    they said nothing that the verdict had not said (a third of the true ends and a third of the
    pauses ended level), so waiting by them cost 25 ms in the median and saved no turn.
    """

    later_s: float = 0.0
    num_fluent: int = 0
    _longest_pause_s: float = 0.0

    def note_pause(self, seconds: float, *, was_taken_for_end: bool) -> None:
        """The user went on after so much silence inside a turn. `was_taken_for_end`: the answer
        had been begun, held back."""
        self._longest_pause_s = max(self._longest_pause_s, seconds)
        if was_taken_for_end:
            self._give_time(CUT_OFF_LATER_S / 2)

    def note_cut_off(self) -> None:
        """An answer began to sound while the user was still in the middle of the turn."""
        self.num_fluent = 0
        self._give_time(CUT_OFF_LATER_S)

    def note_turn(self) -> None:
        """A turn was taken."""
        is_fluent = self._longest_pause_s < MIN_HABIT_PAUSE_S
        self.num_fluent = self.num_fluent + 1 if is_fluent else 0
        self._longest_pause_s = 0.0
        self.later_s *= KEPT_AFTER_TURN

    def adapt(self, delay: float) -> float:
        """The endpoint delay for this user, where `delay` is what the settings say."""
        return max(min(delay, MIN_DELAY_S), delay + self._change_s)

    def adapted(self, thresholds: Thresholds, settings: Settings) -> Thresholds:
        """The thresholds with the delay that fits this user; one that the client has set stays."""
        if settings.endpoint_delay is not None:
            return thresholds
        return replace(thresholds, endpoint_delay_s=self.adapt(thresholds.endpoint_delay_s))

    @property
    def _change_s(self) -> float:
        is_fluent = self.num_fluent >= FLUENT_TURNS and self.later_s < FLUENT_EARLIER_S
        return -FLUENT_EARLIER_S if is_fluent else self.later_s

    def _give_time(self, seconds: float) -> None:
        self.later_s = min(MAX_LATER_S, self.later_s + seconds)
