"""Sound that stops coming, comes at once, or is committed before it has been judged."""

from __future__ import annotations

import pytest

from duplex import actions, events
from duplex.conversation import letters_within
from duplex.endpointing import Settings, TurnDetection
from models.base import SPEAK_RATE, AnswerOptions, SpokenWord, Verdict
from tests.duplex.scene import NOISE, QUERY, WINDOW, Scene

KINDS = (TurnDetection.SEMANTIC, TurnDetection.SERVER)


@pytest.mark.parametrize("detection", KINDS)
def test_a_voice_whose_sound_stops_coming_has_ended(detection: TurnDetection) -> None:
    stage = Scene(Settings(turn_detection=detection))
    stage.hear(1.0, True)
    stage.advance(0.55)
    assert not stage.all(actions.FlushHearing)
    stage.advance(0.1)
    assert stage.one(actions.FlushHearing).silence > 0  # it is judged as if silence had followed
    stage.advance(1.5)
    assert stage.all(actions.SpeechStopped)
    assert stage.all(actions.ResponseStarted)


@pytest.mark.parametrize("detection", KINDS)
def test_sound_that_comes_back_goes_on_as_the_same_turn(detection: TurnDetection) -> None:
    stage = Scene(Settings(turn_detection=detection), verdict=None)
    stage.hear(0.6, True)
    stage.advance(0.65)
    stage.hear(0.6, True)
    stage.hear(0.1, False)
    assert len(stage.all(actions.BeginHearing)) == 1
    assert not stage.all(actions.Decide)


def test_sound_that_waits_to_be_measured_is_not_missing() -> None:
    stage = Scene()
    stage.hear(1.0, True)
    waiting = events.VoiceMeasured(stage.audio, stage.audio + WINDOW, 0.95, more_waits=True)
    stage.handle(waiting)
    stage.advance(5.0)
    assert not stage.all(actions.FlushHearing)


def test_half_a_word_over_an_answer_is_no_failure_of_the_instance() -> None:
    """So little came that nobody could judge it."""
    stage = Scene(answer_seconds=20.0)
    stage.ask(silence=0.2)
    stage.verdict = None
    stage.hear(0.1, True)
    stage.advance(0.5)
    assert len(stage.all(actions.BeginHearing)) == 2
    assert not stage.all(actions.ReplaceMonitor)


def test_a_burst_over_an_answer_is_no_failure_of_the_instance() -> None:
    """A second of voice at once takes longer to judge than the same second as it is spoken."""
    stage = Scene(answer_seconds=20.0)
    stage.ask(silence=0.2)
    stage.verdict = None
    for _ in range(30):
        start, stage.audio = stage.audio, stage.audio + WINDOW
        stage.handle(events.VoiceMeasured(start, stage.audio, 0.95, more_waits=True))
    stage.advance(0.6)
    assert not stage.all(actions.ReplaceMonitor)
    stage.judge(QUERY)
    assert stage.one(actions.ResponseEnded).reason == "turn_detected"


def test_an_instance_that_says_nothing_of_a_long_sound_is_replaced() -> None:
    stage = Scene(answer_seconds=20.0)
    stage.ask()
    stage.hear(1.0, False)
    stage.verdict = None
    stage.hear(0.6, True)
    assert stage.all(actions.ReplaceMonitor)


def test_silence_decides_nothing_before_the_monitor_has_judged_what_came_before_it() -> None:
    stage = Scene(verdict=None)
    for number in range(30):  # all of it is there at once
        start = number * WINDOW
        stage.handle(events.VoiceMeasured(start, start + WINDOW, 0.95, more_waits=True))
    for number in range(30, 200):
        start = number * WINDOW
        stage.handle(events.VoiceMeasured(start, start + WINDOW, 0.02, more_waits=number < 199))
    assert stage.session.waits_for_verdict(stage.now)
    assert not stage.all(actions.Decide)
    stage.audio = 30 * WINDOW + 0.1
    stage.judge(Verdict(query=0.9, noise=0.05, words="all of it"), flushed=True)
    assert stage.all(actions.ResponseStarted)
    assert stage.one(actions.TranscriptAdded).text == "all of it"


def manual() -> Scene:
    return Scene(Settings(turn_detection=TurnDetection.MANUAL), verdict=None)


def test_the_transcript_of_a_commit_waits_for_all_of_its_sound() -> None:
    stage = manual()
    stage.hear(1.0, True)
    segment = stage.segment
    assert segment is not None
    stage.handle(events.CommitRequested())
    item = stage.one(actions.BufferCommitted).item_id
    assert not stage.all(actions.TranscriptAdded)
    said = Verdict(query=0.9, noise=0.1, words="what is")
    stage.handle(events.VerdictGiven(segment, said, 0.5))
    assert not stage.all(actions.TranscriptAdded)
    whole = Verdict(query=0.9, noise=0.1, words="what is the time")
    stage.handle(events.VerdictGiven(segment, whole, stage.audio, True))
    assert stage.one(actions.TranscriptAdded).text == "what is the time"
    stage.handle(events.ItemRetrieveRequested(item))
    content = stage.one(actions.ItemRetrieved).item["content"]
    assert content == [{"type": "input_audio", "transcript": "what is the time"}]


def test_a_transcript_does_not_wait_for_ever() -> None:
    stage = manual()
    stage.hear(1.0, True)
    stage.handle(events.CommitRequested())
    stage.advance(2.1)
    assert stage.one(actions.TranscriptAdded).text == ""


def test_exactly_100_ms_may_be_committed() -> None:
    stage = manual()
    stage.hear(0.096, True)
    stage.handle(events.CommitRequested("less", received_until=0.098))
    assert stage.one(actions.Refuse).event_id == "less"
    stage.handle(events.CommitRequested("enough", received_until=0.1))
    assert stage.one(actions.BufferCommitted)


def test_less_than_100_ms_is_refused_however_long_the_call() -> None:
    stage = manual()
    stage.hear(5.0, True)
    stage.handle(events.CommitRequested())
    assert not stage.all(actions.Refuse)
    stage.hear(0.064, True)
    stage.handle(events.CommitRequested("less"))
    assert stage.one(actions.Refuse).event_id == "less"


def test_a_long_buffer_is_cut_into_turns_and_nothing_of_it_is_lost() -> None:
    stage = manual()
    stage.hear(75.0, True)
    stage.handle(events.CommitRequested())
    ends = stage.all(actions.EndHearing)
    assert len(ends) == 3
    assert len(stage.all(actions.BufferCommitted)) == 3
    assert all(end.until - end.start <= 30 for end in ends)
    assert [a.until for a in ends[:-1]] == pytest.approx([b.start for b in ends[1:]])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TurnDetection.SEMANTIC, TurnDetection.SERVER),
        (TurnDetection.SERVER, TurnDetection.SEMANTIC),
        (TurnDetection.MANUAL, TurnDetection.SEMANTIC),
        (TurnDetection.MANUAL, TurnDetection.SERVER),
    ],
)
def test_what_was_said_stays_when_another_detector_takes_over(
    before: TurnDetection, after: TurnDetection
) -> None:
    stage = Scene(Settings(turn_detection=before))
    stage.hear(0.5, True)
    stage.handle(events.SettingsChanged(Settings(turn_detection=after)))
    stage.hear(0.5, True)
    stage.hear(1.0, False)
    assert len(stage.all(actions.BeginHearing)) == 1
    assert stage.one(actions.EndHearing).start < 0.1
    assert stage.one(actions.ResponseStarted) and stage.reasons() in ([], ["answered"])


@pytest.mark.parametrize("before", KINDS)
def test_what_was_said_stays_when_the_client_takes_over(before: TurnDetection) -> None:
    stage = Scene(Settings(turn_detection=before))
    stage.hear(0.5, True)
    stage.handle(events.SettingsChanged(Settings(turn_detection=TurnDetection.MANUAL)))
    stage.hear(0.5, True)
    stage.hear(1.0, False)
    assert not stage.all(actions.EndHearing)
    stage.handle(events.CommitRequested())
    end = stage.one(actions.EndHearing)
    assert end.until - end.start > 1.9


def test_the_wait_for_a_silent_user_begins_when_it_is_asked_for() -> None:
    stage = Scene(answer_seconds=1.0)
    stage.ask()
    stage.hear(20.0, False)
    server = Settings(turn_detection=TurnDetection.SERVER, idle_timeout=5.0)
    stage.handle(events.SettingsChanged(server))
    stage.advance(4.9)
    assert not stage.all(actions.IdleTimedOut)
    stage.advance(0.2)
    assert stage.one(actions.IdleTimedOut)


def test_a_cancel_of_what_has_just_ended_is_no_error() -> None:
    stage = Scene(answer_seconds=1.0)
    stage.handle(events.CancelRequested(None, "never"))
    assert stage.one(actions.Refuse).event_id == "never"
    stage.handle(events.ResponseRequested(AnswerOptions()))
    stage.hear(2.0, False)
    assert stage.one(actions.ResponseEnded)
    stage.handle(events.CancelRequested())
    stage.handle(events.CancelRequested(1))
    assert len(stage.all(actions.Refuse)) == 1
    stage.advance(3.0)
    stage.handle(events.CancelRequested(1))
    assert len(stage.all(actions.Refuse)) == 1
    stage.handle(events.CancelRequested(None, "late"))
    stage.handle(events.CancelRequested(9, "unknown"))
    assert len(stage.all(actions.Refuse)) == 3


def test_the_words_of_an_answer_keep_pace_with_its_sound() -> None:
    stage = Scene(answer_seconds=5.0)
    stage.handle(events.ResponseRequested(AnswerOptions()))
    stage.hear(2.0, False)
    told = "".join(text.text for text in stage.all(actions.ResponseTextAdded))
    assert 18 <= len(told.split()) <= 22  # ten words a second, and the lead
    stage.handle(events.CancelRequested())
    assert "".join(text.text for text in stage.all(actions.ResponseTextAdded)) == told


def test_the_words_run_ahead_where_that_is_asked_for() -> None:
    stage = Scene(Settings(transcript_ahead=True), answer_seconds=5.0)
    stage.handle(events.ResponseRequested(AnswerOptions()))
    assert len("".join(t.text for t in stage.all(actions.ResponseTextAdded)).split()) == 50


def test_an_answer_in_writing_is_told_at_once() -> None:
    stage = Scene(answers=False)
    stage.handle(events.ResponseRequested(AnswerOptions(speak=False)))
    stage.handle(events.AnswerTextMade(1, "in writing"))
    assert stage.one(actions.ResponseTextAdded).text == "in writing"


def words(*spans: tuple[str, int]) -> list[SpokenWord]:
    return [SpokenWord(text, start, start + 100) for text, start in spans]


@pytest.mark.parametrize(
    ("text", "spoken", "sent", "told"),
    [
        ("One, two.", words(("One", 0), ("two", 100)), 0, ""),
        ("One, two.", words(("One", 0), ("two", 100)), 50, "One, "),
        ("One, two.", words(("One", 0), ("two", 100)), 101, "One, two."),
        ("At 5 pm", words(("At", 0), ("five", 100), ("pm", 200)), 150, "At "),
        ("At 5 pm", words(("At", 0), ("five", 100), ("pm", 200)), 201, "At 5 pm"),
        ("ab", [], SPEAK_RATE, "ab"),
    ],
)
def test_letters_within_the_sound(
    text: str, spoken: list[SpokenWord], sent: int, told: str
) -> None:
    assert text[: letters_within(text, spoken, sent, SPEAK_RATE)] == told


def test_noise_is_no_turn_however_it_arrives() -> None:
    stage = Scene(verdict=NOISE)
    stage.hear(1.0, True)
    stage.advance(3.0)
    assert stage.reasons() == ["ignored-noise"]


def test_no_silence_is_counted_by_the_clock_while_a_verdict_is_awaited() -> None:
    """Sound that is there may wait for that verdict: the user has not stopped."""
    stage = Scene(Settings(turn_detection=TurnDetection.SERVER), verdict=None)
    stage.hear(1.0, True)
    stage.hear(0.1, False)
    stage.advance(1.8)
    assert not stage.all(actions.EndHearing)
    stage.judge(Verdict(query=0.5, noise=0.1, unfinished=0.4), flushed=True)
    assert not stage.all(actions.EndHearing)
    stage.hear(0.6, True)
    assert not stage.all(actions.EndHearing)
