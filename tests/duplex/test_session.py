"""The core as tables of timed events and expected decisions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from duplex import actions, events
from duplex.endpointing import Settings, TurnDetection
from models.base import SPEAK_RATE, AnswerOptions, AssistantText, UserText, Verdict
from tests.duplex.scene import NOISE, UNFINISHED, Scene

SIDE_TALK = replace(NOISE, words="tom pass me the salt")
MHM = replace(NOISE, words="mhm")


def scene(**settings: object) -> Scene:
    return Scene(Settings(**settings))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ speculation


def test_speculation_is_held_back_and_dropped_when_the_user_goes_on() -> None:
    stage = Scene()
    stage.hear(1.0, True)
    stage.hear(0.096, False)
    first = stage.one(actions.StartAnswer)
    assert first.speculative and not stage.all(actions.ResponseStarted)
    stage.hear(0.5, True)
    assert stage.one(actions.CancelAnswer) == actions.CancelAnswer(first.response_id, rewind=True)
    stage.hear(0.4, False)
    assert stage.one(actions.ResponseStarted).response_id == 2
    assert not [sent for sent in stage.all(actions.SendAudio) if sent.response_id == 1]
    assert len(stage.all(actions.BufferCommitted)) == 1


def test_going_on_reopens_the_turn_and_the_answer_is_not_history() -> None:
    stage = Scene()
    stage.ask(silence=0.3)
    stage.ask(silence=0.3)  # heard less than half a second of the answer
    stage.advance(4)
    assert stage.all(actions.ResponseEnded)[0].reason == "turn_detected"
    said = [
        n for n in stage.session.state.context(stage.now) if isinstance(n.content, AssistantText)
    ]
    assert len(said) == 1
    assert len(stage.all(actions.BufferCommitted)) == 2


# -------------------------------------------------------------------------------- overlap


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (Settings(), [0.16, 0.224, 0.288]),
        (Settings().paced(is_streamed=False), [0.16]),
        (Settings(interrupt_response=False), []),
        (Settings(turn_detection=TurnDetection.SERVER), []),
    ],
)
def test_the_first_words_over_an_answer_are_judged_as_they_come(
    settings: Settings, asked: list[float]
) -> None:
    """No encoder chunk is waited for: each verdict may end the answer. Later, chunks do."""
    stage = Scene(settings, answer_seconds=20)
    stage.ask(silence=0.7)
    stage.hear(1.0, False)
    stage.log.clear()
    stage.verdict = None
    before = stage.audio
    stage.hear(1.0, True)
    flushes = stage.all(actions.FlushHearing)
    assert [flush.until - before for flush in flushes] == pytest.approx(asked)


def test_in_silence_the_first_words_are_judged_chunk_by_chunk() -> None:
    stage = Scene(verdict=None)
    stage.hear(1.0, True)
    assert not stage.all(actions.FlushHearing)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [(NOISE, "ignored-noise"), (SIDE_TALK, "ignored-side-talk"), (MHM, "ignored-backchannel")],
)
def test_noise_over_an_answer_ducks_once_and_disturbs_nothing(
    verdict: Verdict, reason: str
) -> None:
    stage = Scene()
    stage.ask()
    stage.hear(1.0, False)
    stage.verdict = verdict
    stage.hear(0.8, True)
    stage.hear(3.0, False)
    assert stage.reasons() == [reason, "answered"]
    sent = stage.all(actions.SendAudio)
    assert [s.start for s in sent] == [480 * n for n in range(len(sent))]
    assert sum(s.count for s in sent) == 3 * SPEAK_RATE
    changes = [a.ducked != b.ducked for a, b in pairwise(sent)]
    assert sum(changes) == 2
    assert stage.one(actions.ResponseEnded).status is actions.ResponseStatus.COMPLETED


def test_a_query_over_an_answer_takes_the_turn_and_history_keeps_what_was_heard() -> None:
    stage = Scene()
    stage.ask()
    stage.hear(1.0, False)
    began = stage.now
    stage.ask(seconds=0.8)
    stopped = stage.all(actions.ResponseEnded)[0]
    assert stopped.reason == "turn_detected"
    assert next(stage.times(actions.ResponseEnded)) - began < 0.4
    heard = stage.session.conversation.turns[1].heard_text().split()
    assert abs(len(heard) - stopped.heard_ms / 100) <= 1
    assert not [
        s
        for t, s in stage.log
        if isinstance(s, actions.SendAudio) and s.response_id == 1 and t > began + 0.4
    ]
    stage.advance(4)
    assert stage.reasons() == ["answered", "answered"]


def test_unfinished_speech_over_an_answer_is_evidence_but_never_commits() -> None:
    stage = Scene()
    stage.ask()
    stage.hear(1.0, False)
    stage.verdict = UNFINISHED
    stage.hear(0.8, True)
    assert stage.all(actions.ResponseEnded)[0].reason == "turn_detected"
    stage.hear(1.0, False)
    assert len(stage.all(actions.StartAnswer)) == 1


def test_no_verdict_brings_the_answer_back_and_marks_the_monitor_ill() -> None:
    stage = Scene()
    stage.ask()
    stage.hear(1.0, False)
    stage.verdict = None
    stage.hear(0.6, True)
    assert stage.one(actions.ReplaceMonitor)
    assert not stage.all(actions.SendAudio)[-1].ducked


def test_an_answer_that_begins_under_the_users_voice_begins_ducked() -> None:
    stage = Scene(answers=False)
    stage.ask(silence=0.2)
    stage.verdict = None
    stage.hear(0.1, True)
    stage.say(1)
    stage.hear(0.1, True)
    assert [sent.ducked for sent in stage.all(actions.SendAudio)][-1]


def test_echo_neither_ducks_nor_interrupts_and_is_a_decision() -> None:
    stage = Scene()
    stage.ask()
    stage.hear(1.0, True, echo=True)
    stage.hear(3.0, False)
    assert not any(sent.ducked for sent in stage.all(actions.SendAudio))
    assert stage.reasons() == ["echo", "answered"]


def test_an_answer_that_may_not_be_interrupted_is_followed_by_the_next() -> None:
    stage = scene(interrupt_response=False)
    stage.ask()
    stage.hear(0.5, False)
    stage.ask()
    stage.hear(8.0, False)
    ended = stage.all(actions.ResponseEnded)
    assert [e.status for e in ended] == [actions.ResponseStatus.COMPLETED] * 2
    assert not any(sent.ducked for sent in stage.all(actions.SendAudio))
    assert stage.reasons() == ["answered", "answered"]


@pytest.mark.parametrize("ends_after", [0.26, 0.32, 0.4])
def test_what_was_said_over_the_last_words_is_judged_anew_when_they_are_over(
    ends_after: float,
) -> None:
    """While the answer plays the query is not clear enough to end it; once it is over it is due,
    and no deadline stays behind in the past."""
    stage = Scene(answer_seconds=2.0)
    stage.ask(silence=0.3)
    (started,) = stage.times(actions.ResponseStarted)
    last_sent = started + 2.0 - stage.settings.lead
    stage.hear(last_sent - ends_after - 0.5 - stage.now, False)
    stage.verdict = Verdict(query=0.6, noise=0.15, unfinished=0.05)
    stage.hear(0.5, True)
    stage.hear(1.0, False)
    over = stage.all(actions.ResponseEnded)[0]
    assert over.status is actions.ResponseStatus.COMPLETED
    ended = next(stage.times(actions.ResponseEnded))
    _, answered = stage.times(actions.StartAnswer)
    assert answered == ended  # in the very same step


# ------------------------------------------------------------------- the other ways of turns


def test_server_vad_waits_its_silence_and_the_verdict_says_only_whether_to_answer() -> None:
    stage = scene(turn_detection=TurnDetection.SERVER)  # half a second by default
    stage.ask(silence=0.45)
    assert not stage.all(actions.BufferCommitted)
    stage.hear(0.2, False)
    assert len(stage.all(actions.BufferCommitted)) == 1
    assert len(stage.all(actions.ResponseStarted)) == 1
    stage.verdict = NOISE
    stage.hear(1.0, True)  # speech start alone interrupts
    assert stage.all(actions.ResponseEnded)[0].reason == "turn_detected"
    stage.hear(1.0, False)
    assert len(stage.all(actions.BufferCommitted)) == 2
    assert stage.reasons()[-1] == "ignored-noise"


def test_without_detection_the_client_commits_and_asks() -> None:
    stage = scene(turn_detection=TurnDetection.MANUAL)
    stage.handle(events.CommitRequested("e1"))
    assert stage.one(actions.Refuse).event_id == "e1"
    stage.ask()
    assert not stage.all(actions.SpeechStarted)
    stage.handle(events.CommitRequested())
    assert stage.one(actions.BufferCommitted) and not stage.all(actions.StartAnswer)
    stage.handle(events.ResponseRequested(AnswerOptions()))
    assert stage.one(actions.ResponseStarted)


def test_idle_timeout_asks_again_after_the_sound_has_been_played() -> None:
    stage = scene(turn_detection=TurnDetection.SERVER, idle_timeout=5.0)
    stage.ask(silence=0.7)
    stage.advance(4.0)
    stage.hear(0.1, False)
    assert not stage.all(actions.IdleTimedOut)
    stage.advance(6.0)
    assert stage.one(actions.IdleTimedOut)
    assert len(stage.all(actions.ResponseStarted)) == 2


def test_create_response_false_commits_and_says_why_nothing_comes() -> None:
    stage = scene(create_response=False)
    stage.ask()
    assert stage.one(actions.BufferCommitted) and not stage.all(actions.StartAnswer)
    assert stage.reasons() == ["not-requested"]


# -------------------------------------------------------------------------------- requests


def typed(item_id: str, text: str, after: str | None = None) -> events.ItemOffered:
    wire = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return events.ItemOffered(item_id, "user", (UserText(text),), wire, after, "e")


def test_items_are_placed_found_and_refused() -> None:
    stage = Scene()
    stage.handle(typed("b", "two"))
    stage.handle(typed("a", "one", "root"))
    stage.handle(typed("c", "three", "nowhere"))
    assert [turn.item_id for turn in stage.session.conversation.turns] == ["a", "b"]
    assert stage.one(actions.Refuse).param == "previous_item_id"
    stage.handle(events.ItemDeleteRequested("a"))
    stage.handle(events.ItemRetrieveRequested("b"))
    assert stage.one(actions.ItemRetrieved).item["content"][0]["text"] == "two"


def test_a_second_response_is_refused_and_a_cancel_without_one_too() -> None:
    stage = Scene()
    stage.handle(events.CancelRequested(event_id="c"))
    stage.handle(events.ResponseRequested(AnswerOptions()))
    stage.handle(events.ResponseRequested(AnswerOptions(), event_id="r"))
    codes = [refusal.code for refusal in stage.all(actions.Refuse)]
    assert codes == ["response_cancel_not_active", "conversation_already_has_active_response"]


@pytest.mark.parametrize(("milliseconds", "words"), [(0, 0), (450, 4), (1000, 10), (99999, 30)])
def test_truncation_keeps_the_heard_words(milliseconds: int, words: int) -> None:
    stage = Scene()
    stage.ask()
    stage.advance(4)
    turn = stage.session.conversation.turns[1]
    stage.handle(events.ItemTruncateRequested(turn.item_id, 0, milliseconds))
    assert stage.one(actions.ItemTruncated)
    assert abs(len(turn.heard_text().split()) - words) <= 1


def test_a_text_answer_sends_no_sound() -> None:
    stage = Scene(answers=False)
    stage.handle(events.ResponseRequested(AnswerOptions(speak=False)))
    stage.handle(events.AnswerTextMade(1, "hello"))
    stage.handle(events.AnswerFinished(1))
    assert stage.one(actions.ResponseEnded).text == "hello"
    assert not stage.all(actions.SendAudio)


def test_a_model_that_gives_nothing_ends_the_turn_visibly() -> None:
    stage = Scene(answers=False)
    stage.ask()
    stage.advance(12)
    assert stage.one(actions.ResponseEnded).status is actions.ResponseStatus.FAILED
    assert stage.reasons() == ["failed"]


def test_output_of_an_old_answer_is_dropped() -> None:
    stage = Scene()
    stage.ask()
    stage.handle(events.CancelRequested())
    before = len(stage.log)
    stage.handle(events.AnswerSoundMade(1, SPEAK_RATE))
    stage.handle(events.AnswerTextMade(1, "late"))
    stage.handle(events.AnswerFinished(1))
    assert len(stage.log) == before


def test_sending_never_runs_further_ahead_than_the_lead() -> None:
    stage = scene(lead=0.08)
    stage.ask()
    stage.advance(5)
    began = next(stage.times(actions.SendAudio))
    for now, action in stage.log:
        if isinstance(action, actions.SendAudio):
            ahead = (action.start + action.count) / SPEAK_RATE - (now - began)
            assert ahead <= 0.08 + 1e-3


# ------------------------------------------------------------------------------ the hang-up


def test_a_hang_up_decides_what_is_open() -> None:
    stage = Scene(answer_seconds=20)
    stage.ask(silence=1.0)  # answered, and heard in part
    stage.hear(0.5, True)  # and somebody speaks
    stage.handle(events.SessionEnded())
    assert sorted(stage.reasons()) == ["abandoned", "answered"]
    assert stage.one(actions.ResponseEnded).status is actions.ResponseStatus.CANCELLED
    assert stage.session.deadline is None


def test_a_hang_up_in_an_echo_and_before_a_waiting_turn() -> None:
    stage = Scene(Settings(interrupt_response=False), answer_seconds=20)
    stage.ask(silence=1.0)
    stage.ask(silence=1.0)  # waits for the end of the answer
    stage.hear(0.2, True, echo=True)
    stage.handle(events.SessionEnded())
    assert sorted(stage.reasons()) == ["abandoned", "answered", "echo"]
