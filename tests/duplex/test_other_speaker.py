"""Whose voice it is, as evidence beside the words: tables of timed events."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duplex import actions, events
from duplex.endpointing import Settings, TurnDetection
from models.base import Verdict
from tests.duplex.scene import NOISE, QUERY, UNFINISHED, Scene

CLEAR = Verdict(query=0.95, noise=0.03, unfinished=0.02)
LIKELY = Verdict(query=0.7, noise=0.1, unfinished=0.2)  # unfinished, or not quite a query
SURE = Verdict(query=0.85, noise=0.1, unfinished=0.05)
SIDE_TALK = replace(NOISE, words="tom pass me the salt")
USER, OTHER, UNKNOWN = 0.9, 0.05, None


def answering(**settings: object) -> Scene:
    """A session in the middle of a long answer."""
    stage = Scene(Settings(**settings), answer_seconds=20)  # type: ignore[arg-type]
    stage.ask()
    stage.hear(1.0, False)
    stage.log.clear()
    stage.verdict = None
    return stage


def score(stage: Scene, value: float | None) -> None:
    if value is not None and stage.segment is not None:
        stage.handle(events.SpeakerScored(stage.segment, value, stage.audio))


def say(stage: Scene, seconds: float, heard: float | None, during: Verdict, after: Verdict) -> None:
    """A voice, scored and judged while it goes on, and its end with a last verdict."""
    for _ in range(4):
        stage.hear(seconds / 4, True)
        score(stage, heard)
        if stage.segment is not None:
            stage.judge(during)
    stage.verdict = after
    stage.hear(0.7, False)
    stage.verdict = None


@pytest.mark.parametrize(
    ("heard", "during", "after", "is_stopped", "reason"),
    [
        (USER, UNFINISHED, CLEAR, True, None),
        (UNKNOWN, UNFINISHED, CLEAR, True, None),
        (OTHER, UNFINISHED, CLEAR, True, None),  # a second person who clearly asks is answered
        (OTHER, UNFINISHED, LIKELY, False, "ignored-other-speaker"),
        (USER, UNFINISHED, LIKELY, True, None),
        (OTHER, UNFINISHED, SURE, True, None),
        (OTHER, LIKELY, LIKELY, False, "ignored-other-speaker"),
        (OTHER, UNFINISHED, SIDE_TALK, False, "ignored-other-speaker"),
        (OTHER, NOISE, SIDE_TALK, False, "ignored-side-talk"),  # whoever had said it
        (USER, NOISE, SIDE_TALK, False, "ignored-side-talk"),
    ],
)
def test_over_an_answer_another_voice_needs_surer_words(
    heard: float | None, during: Verdict, after: Verdict, is_stopped: bool, reason: str | None
) -> None:
    stage = answering()
    say(stage, 1.2, heard, during, after)
    ended = stage.all(actions.ResponseEnded)
    assert [end.reason for end in ended] == ["turn_detected"] * is_stopped
    assert (reason in stage.reasons()) == (reason is not None)
    decided = [one for one in stage.all(actions.Decide) if one.reason.value == reason]
    assert all(one.speaker_score == heard for one in decided)


def test_another_voice_is_heard_to_its_end() -> None:
    """The words of a user stop the answer at once, those of another when they are finished."""
    stops = {}
    for heard in (USER, OTHER):
        stage = answering()
        began = stage.now
        say(stage, 1.2, heard, UNFINISHED, CLEAR)
        stops[heard] = next(stage.times(actions.ResponseEnded)) - began
    assert stops[USER] < 0.5
    assert 1.2 < stops[OTHER] < 1.4


def test_a_score_that_comes_late_lets_the_user_in() -> None:
    """The verdict was there, and only the voice was in doubt."""
    stage = answering()
    stage.hear(0.2, True)
    score(stage, OTHER)
    stage.hear(0.2, True)
    stage.judge(UNFINISHED)
    assert not stage.all(actions.ResponseEnded)
    score(stage, USER)
    assert stage.one(actions.ResponseEnded).reason == "turn_detected"


@pytest.mark.parametrize(
    ("heard", "after", "reasons"),
    [
        (USER, SURE, []),
        (UNKNOWN, SURE, []),
        (OTHER, SURE, ["ignored-other-speaker"]),
        (OTHER, CLEAR, []),
    ],
)
def test_after_side_talk_another_voice_needs_surer_words(
    heard: float | None, after: Verdict, reasons: list[str]
) -> None:
    stage = Scene(verdict=SIDE_TALK, answer_seconds=20)
    stage.ask(silence=0.7)
    assert stage.reasons() == ["ignored-side-talk"]
    stage.log.clear()
    stage.verdict = None
    say(stage, 1.2, heard, UNFINISHED, after)
    assert stage.reasons() == reasons
    assert len(stage.all(actions.ResponseStarted)) == (not reasons)


def test_what_another_voice_said_is_side_talk() -> None:
    """What follows it has to be certain, as after any words to somebody else."""
    stage = answering()
    say(stage, 1.2, OTHER, UNFINISHED, LIKELY)
    stage.log.clear()
    stage.handle(events.CancelRequested())
    stage.hear(0.5, True)
    assert stage.one(actions.CompareSpeaker).segment == stage.segment


def test_in_silence_everybody_is_answered() -> None:
    stage = Scene(verdict=None, answer_seconds=20)
    say(stage, 1.2, OTHER, UNFINISHED, LIKELY)
    assert len(stage.all(actions.ResponseStarted)) == 1


# ------------------------------------------------------------------ what is asked of the shell


def test_an_answered_voice_is_learned_once_its_answer_sounds() -> None:
    stage = Scene(answer_seconds=2)
    stage.ask()
    stage.hear(3.0, False)
    learned = stage.one(actions.LearnSpeaker)
    assert learned.segment == stage.one(actions.Decide).segment
    assert next(stage.times(actions.LearnSpeaker)) == next(stage.times(actions.SendAudio))


def test_a_voice_that_is_not_answered_is_not_learned() -> None:
    stage = Scene(verdict=SIDE_TALK)
    stage.ask(silence=1.0)
    assert stage.reasons() == ["ignored-side-talk"]
    assert not stage.all(actions.LearnSpeaker)


def test_a_voice_is_compared_over_an_answer_only() -> None:
    stage = Scene(answer_seconds=20)
    stage.ask()
    assert not stage.all(actions.CompareSpeaker)
    stage.hear(0.5, False)
    stage.hear(0.1, True)
    assert stage.one(actions.CompareSpeaker).segment == stage.segment


def test_switched_off_no_voice_is_learned_compared_or_judged() -> None:
    stage = answering(speaker_profile=False)
    say(stage, 1.2, OTHER, UNFINISHED, UNFINISHED)
    assert stage.one(actions.ResponseEnded).reason == "turn_detected"
    assert not stage.all(actions.LearnSpeaker) and not stage.all(actions.CompareSpeaker)


def test_under_server_vad_voice_alone_decides() -> None:
    stage = answering(turn_detection=TurnDetection.SERVER)
    say(stage, 0.4, OTHER, NOISE, QUERY)
    assert stage.one(actions.ResponseEnded).reason == "turn_detected"


def test_a_score_of_an_earlier_segment_changes_nothing() -> None:
    stage = answering()
    stage.hear(0.2, True)
    assert stage.segment is not None
    stage.handle(events.SpeakerScored(stage.segment - 1, OTHER, stage.audio))
    stage.hear(0.2, True)
    stage.judge(UNFINISHED)
    assert stage.one(actions.ResponseEnded).reason == "turn_detected"
