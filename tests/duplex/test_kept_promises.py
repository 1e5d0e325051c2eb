"""What the core promises in passing: reasons, what models are told, what is sent to whom."""

from __future__ import annotations

from itertools import pairwise

import pytest

from duplex import actions, events
from duplex.endpointing import Settings, TurnDetection
from models.base import SPEAK_RATE, AnswerOptions, AssistantText, UserText, Verdict
from tests.duplex.scene import NOISE, QUERY, UNFINISHED, Scene

OPEN = Verdict(query=0.3, noise=0.3, unfinished=0.1)  # neither ends an answer nor lets it go on


def answering(**settings: object) -> Scene:
    """A second of a long answer has been heard."""
    stage = Scene(Settings(**settings), answer_seconds=20)  # type: ignore[arg-type]
    stage.ask()
    stage.hear(1.0, False)
    return stage


# -------------------------------------------------------------------------------- decisions


def test_a_question_whose_answer_never_began_is_superseded() -> None:
    stage = Scene(answers=False)
    stage.ask()
    stage.handle(events.CancelRequested())
    assert stage.reasons() == ["superseded"]


def test_a_question_of_whose_answer_something_left_is_answered() -> None:
    stage = answering()
    stage.handle(events.CancelRequested())
    assert stage.reasons() == ["answered"]


def test_a_question_whose_answer_failed_has_failed_even_where_something_left() -> None:
    stage = answering()
    stage.handle(events.AnswerFailed(1, "broken"))
    assert stage.reasons() == ["failed"]
    ended = stage.one(actions.ResponseEnded)
    assert (ended.status, ended.reason) == (actions.ResponseStatus.FAILED, "broken")
    assert ended.item_id is not None and ended.heard_ms > 0


def test_an_empty_answer_that_is_cut_short_is_no_failure() -> None:
    stage = Scene(answers=False)
    stage.ask()
    stage.handle(events.AnswerFinished(1, incomplete=True))
    ended = stage.one(actions.ResponseEnded)
    assert (ended.status, ended.reason) == (
        actions.ResponseStatus.INCOMPLETE,
        "max_output_tokens",
    )


# ------------------------------------------------------------------------ what models are told


def test_who_listens_is_told_the_conversation_when_an_answer_begins_and_when_it_ends() -> None:
    stage = Scene(answer_seconds=1.0)
    stage.handle(events.ItemOffered("i", "user", (UserText("hi"),), {}))
    stage.handle(events.ResponseRequested(AnswerOptions()))
    first, *_ = stage.all(actions.SyncMonitor)
    assert [entry.key for entry in first.context] == ["i/0"]
    stage.advance(3.0)
    last = stage.all(actions.SyncMonitor)[-1]
    assert [entry.key.split("/")[1] for entry in last.context] == ["0", "whole"]


def test_a_voice_under_which_an_answer_begins_is_heard_by_the_new_monitor_too() -> None:
    stage = Scene(answers=False)
    stage.ask(silence=0.2)
    stage.verdict = None
    stage.hear(0.3, True)
    begun = len(stage.all(actions.BeginHearing))
    stage.handle(events.CancelRequested())
    stage.handle(events.ResponseRequested(AnswerOptions()))
    again = stage.all(actions.BeginHearing)[begun:]
    assert [action.segment for action in again] == [2]


def test_what_the_user_talked_over_at_once_no_model_is_told() -> None:
    stage = Scene(answer_seconds=5.0)
    stage.ask(silence=0.3)
    stage.hear(0.8, True)
    stage.hear(0.4, False)
    contexts = [one.context for one in stage.all(actions.SyncMonitor)]
    contexts += [one.context for one in stage.all(actions.BeginHearing)]
    first_answer = stage.session.conversation.turns[1]
    assert first_answer.dropped
    later = [c for c in contexts if len([e for e in c if e.key.endswith("/0")]) >= 1]
    told = [e for c in later for e in c if isinstance(e.content, AssistantText)]
    assert not [e for e in told if e.key.startswith(f"{first_answer.item_id}/cut")]


# --------------------------------------------------------------------------------- ducking


def test_an_answer_that_begins_under_known_noise_begins_at_full_gain() -> None:
    stage = Scene(answers=False)
    stage.ask(silence=0.2)
    stage.verdict = NOISE
    stage.hear(0.5, True)
    stage.say(1)
    stage.hear(0.3, True)
    assert stage.all(actions.SendAudio)
    assert not any(sent.ducked for sent in stage.all(actions.SendAudio))


def test_an_answer_that_begins_in_a_pause_of_the_user_is_not_ducked() -> None:
    stage = Scene(answers=False)
    stage.ask(silence=0.2)
    stage.verdict = OPEN
    stage.hear(0.2, True)
    stage.hear(0.15, False)
    assert stage.session.state.segment is not None
    stage.say(1)
    stage.hear(0.1, False)
    assert not any(sent.ducked for sent in stage.all(actions.SendAudio))


def test_what_stays_undecided_disturbs_for_800_ms_and_blames_nobody() -> None:
    stage = answering()
    stage.verdict = OPEN
    began = stage.now
    stage.hear(1.2, True)
    ducked = [t for t, s in stage.log if isinstance(s, actions.SendAudio) and s.ducked]
    assert 0.7 < max(ducked) - began <= 0.85
    assert not stage.all(actions.ReplaceMonitor)
    assert not stage.all(actions.SendAudio)[-1].ducked


def test_noise_is_no_reason_to_duck_twice() -> None:
    stage = answering()
    stage.verdict = NOISE
    stage.hear(2.0, True)
    sent = [action.ducked for action in stage.all(actions.SendAudio)]
    assert sum(before != after for before, after in pairwise(sent)) == 2


def test_interruptions_that_the_client_has_switched_off_do_not_duck() -> None:
    stage = answering(interrupt_response=False)
    stage.hear(0.5, True)
    assert not any(sent.ducked for sent in stage.all(actions.SendAudio))


# ------------------------------------------------------------------------- the client's hand


def test_a_truncation_counts_from_what_was_sent_however_late_the_client_plays() -> None:
    """The client plays 200 ms late, as its reports say; where it cuts is what its user has heard,
    and says nothing new of how late it plays."""
    stage = answering()
    before = stage.session.state.responses.current
    assert before is not None
    heard = round(0.5 * SPEAK_RATE)
    stage.handle(events.PlayoutReported(1, heard))
    delay = before.clock.delay
    assert delay > 0.3
    item = before.item_id
    stage.handle(events.ItemTruncateRequested(item, 0, 300))
    ended = stage.one(actions.ResponseEnded)
    assert (ended.reason, ended.heard_ms) == ("client_cancelled", 300)
    assert before.clock.delay == delay


def test_a_truncation_of_an_older_answer_leaves_the_current_one_alone() -> None:
    stage = Scene(answer_seconds=1.0)
    stage.ask()
    stage.advance(3.0)
    first = stage.session.conversation.turns[1].item_id
    stage.ask()
    stage.handle(events.ItemTruncateRequested(first, 0, 300))
    assert stage.session.state.responses.current is not None
    assert stage.one(actions.ItemTruncated).item_id == first
    assert stage.session.conversation.find(first).heard_text() == "w0 w1 w2"


def test_a_clear_forgets_what_was_said_and_a_commit_by_hand_takes_it() -> None:
    stage = Scene(verdict=UNFINISHED)
    stage.hear(1.0, True)
    stage.handle(events.ClearRequested())
    assert stage.reasons() == ["abandoned"]
    stage.hear(1.0, False)
    stage.hear(1.0, True)
    stage.handle(events.CommitRequested(received_until=stage.audio))
    assert len(stage.all(actions.BufferCommitted)) == 1
    assert len(stage.all(actions.StartAnswer)) == 1  # semantic_vad: a commit is answered


def test_of_three_turns_over_an_answer_that_may_not_be_interrupted_the_last_is_answered() -> None:
    stage = answering(interrupt_response=False)
    for _ in range(2):
        stage.ask()
    assert stage.reasons() == ["superseded"]
    stage.hear(45.0, False)
    assert stage.reasons()[:3] == ["superseded", "answered", "answered"]


def test_server_vad_says_what_it_ignores() -> None:
    stage = Scene(Settings(turn_detection=TurnDetection.SERVER), verdict=NOISE)
    stage.ask(silence=0.7)
    assert stage.reasons() == ["ignored-noise"]
    assert len(stage.all(actions.BufferCommitted)) == 1
    assert not stage.all(actions.StartAnswer)


# ------------------------------------------------------------------------------- changes


def test_a_client_that_takes_over_leaves_no_voice_behind() -> None:
    """What was heard before it is its segment; later the same voice begins another one."""
    stage = Scene(verdict=UNFINISHED)
    stage.hear(1.0, True)
    stage.handle(events.SettingsChanged(Settings(turn_detection=TurnDetection.MANUAL)))
    stage.handle(events.CommitRequested(received_until=stage.audio))
    stage.handle(events.SettingsChanged(Settings()))
    stage.verdict = QUERY
    stage.hear(0.5, True)
    stage.hear(0.5, False)
    assert len(stage.all(actions.BufferCommitted)) == 2
    assert len(stage.all(actions.ResponseStarted)) == 1


def test_another_kind_of_detection_hears_again_after_a_failed_turn() -> None:
    """The client changes the detection while the voice of a turn goes on whose failure was told:
    what is said after that is heard, not only once the user has been silent."""
    stage = Scene(verdict=None, answers=False)
    stage.hear(0.5, True)
    for _ in range(2):
        stage.handle(events.HearingFailed(1, "down"))
    assert stage.reasons() == ["failed"]
    stage.hear(0.6, True)
    stage.handle(events.SettingsChanged(Settings(turn_detection=TurnDetection.SERVER)))
    stage.hear(0.1, True)
    assert [one.segment for one in stage.all(actions.BeginHearing)] == [1, 2]


def test_a_fluent_user_is_waited_for_less_after_three_turns() -> None:
    stage = Scene(verdict=Verdict(query=0.99, noise=0.005, unfinished=0.005), answer_seconds=0.3)
    waits = []
    for _ in range(5):
        stage.hear(1.0, True)
        end = stage.audio
        stage.hear(0.3, False)
        committed = list(stage.times(actions.BufferCommitted))[-1]
        waits.append(committed - end)
        stage.hear(2.0, False)
    assert waits[3] < waits[0] - 0.02
    assert waits[0] == pytest.approx(waits[2])


@pytest.mark.parametrize("idle", [None, 2.0])
def test_a_silent_user_is_asked_again_once_and_only_where_that_is_set(idle: float | None) -> None:
    settings = Settings(turn_detection=TurnDetection.SERVER, idle_timeout=idle)
    stage = Scene(settings, answers=False)
    stage.ask(silence=0.7)
    stage.advance(5.0)
    assert not stage.all(actions.IdleTimedOut)  # the answer is still being made
    stage.say(1)
    stage.advance(3.0)
    ended = next(stage.times(actions.ResponseEnded))
    stage.advance(3.0)
    asked = list(stage.times(actions.IdleTimedOut))
    assert len(asked) == (0 if idle is None else 1)
    if asked:
        assert asked[0] - ended == pytest.approx(2.0 + 0.08, abs=0.05)
        assert len(stage.all(actions.StartAnswer)) == 2


def test_semantic_detection_asks_no_silent_user() -> None:
    stage = Scene(Settings(idle_timeout=2.0))
    stage.ask()
    stage.advance(20.0)
    assert not stage.all(actions.IdleTimedOut)


def test_a_verdict_that_comes_late_decides_in_its_own_step() -> None:
    stage = Scene(verdict=None)
    stage.hear(1.0, True)
    stage.hear(0.6, False)
    assert not stage.all(actions.BufferCommitted)
    stage.judge(QUERY, flushed=True)
    assert list(stage.times(actions.BufferCommitted)) == [stage.now]
    late = Scene(verdict=None)
    late.hear(1.0, True)
    late.hear(0.6, False)
    late.judge(NOISE, flushed=True)
    assert late.reasons() == ["ignored-noise"]


def test_an_answer_out_of_band_is_no_news_to_who_listens() -> None:
    stage = Scene(answers=False)
    stage.handle(events.ResponseRequested(AnswerOptions(), in_conversation=False))
    assert stage.one(actions.ResponseStarted).in_conversation is False
    assert not stage.all(actions.SyncMonitor) and not stage.all(actions.ShowSwap)
    assert stage.session.conversation.turns == []


@pytest.mark.parametrize(
    ("verdict", "reason"), [(UNFINISHED, "superseded"), (NOISE, "abandoned"), (None, "abandoned")]
)
def test_no_segment_grows_beyond_half_a_minute(verdict: Verdict | None, reason: str) -> None:
    """What was talk so far is a turn, what was none is given up; the voice goes on as another."""
    stage = Scene(verdict=verdict, answers=False)
    stage.hear(31.0, True)
    ended = stage.all(actions.EndHearing)
    assert len(ended) == 1
    assert ended[0].until - ended[0].start == pytest.approx(30.0, abs=0.4)
    assert len(stage.all(actions.BeginHearing)) == 2
    if verdict is UNFINISHED:
        assert len(stage.all(actions.BufferCommitted)) == 1
    else:
        assert stage.reasons() == [reason]


def test_a_hang_up_tells_nobody_of_an_answer_that_was_held_back() -> None:
    stage = Scene()
    stage.hear(1.0, True)
    stage.hear(0.1, False)
    held = stage.one(actions.StartAnswer)
    assert held.speculative
    stage.handle(events.SessionEnded())
    assert stage.one(actions.CancelAnswer) == actions.CancelAnswer(held.response_id, rewind=True)
    assert not stage.all(actions.ResponseEnded)
    assert stage.reasons() == ["abandoned"]
