"""The scorers, on calls written down by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.outcomes import Outcome, ducked_seconds, reasons, score, words_of
from benchmarks.scene import Trial
from server.call.record import CallRecord
from server.call.script import CallScript, Stall
from server.call.voiced import Span
from tests.benchmarks.calls import answer, cue, record

QUERY = cue("query", 1.0, 2.0)
INTERRUPTION = cue("interruption", 4.0, 5.0)
COUGH = cue("noise", 4.0, 4.3, expects=False)
DUCK = [(4.1, True), (4.4, False)]


def judged(
    rule: str, call: CallRecord, pause: Span | None = None, script: CallScript | None = None
) -> Outcome:
    return score(Trial("test", 0, script or CallScript(), rule, pause), call)


def ducks(*changes: tuple[float, bool]) -> list[tuple[float, dict[str, Any]]]:
    return [(at, {"type": "antiphon.duck", "ducked": ducked}) for at, ducked in changes]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], {"answered": False, "takeover": False, "response": None}),
        (
            [answer("a", 2.25, 4.0, words=5)],
            {"answered": True, "takeover": True, "takeover_latency": 0.25, "response": 0.25},
        ),
        # "yes": answered, and no takeover as the benchmark has it
        ([answer("a", 2.2, 2.6, words=1)], {"answered": True, "takeover": False, "response": 0.2}),
        ([answer("a", 1.5, 3.0)], {"answered_too_early": True, "response": -0.5}),
    ],
)
def test_turn(answers: list[Any], expected: dict[str, Any]) -> None:
    outcome = judged("turn", record([QUERY], answers))
    for name, value in expected.items():
        assert outcome[name] == (pytest.approx(value) if isinstance(value, float) else value)


PAUSED = cue("query", 1.0, 5.0)
PAUSE = Span(1.0, 2.5)  # of the clip: 2.0 to 3.5 of the call


@pytest.mark.parametrize(
    ("answers", "sound", "takeover", "answered"),
    [
        ([answer("a", 5.2, 7.0)], False, False, True),
        ([answer("a", 3.0, 3.4, cut=True, words=9)], True, False, False),
        ([answer("a", 4.4, 4.6, cut=True)], True, False, False),  # within a second after it
        ([answer("a", 4.6, 4.8, cut=True)], False, False, False),
        ([answer("a", 2.3, 4.0, words=9), answer("b", 5.2, 6.0)], True, True, True),
    ],
)
def test_pause(answers: list[Any], sound: bool, takeover: bool, answered: bool) -> None:
    outcome = judged("pause", record([PAUSED], answers), PAUSE)
    found = (outcome["sound_in_pause"], outcome["takeover"], outcome["answered"])
    assert found == (sound, takeover, answered)


def test_interruption() -> None:
    answers = [answer("a", 2.2, 4.35, cut=True), answer("b", 5.3, 7.0, words=6)]
    outcome = judged("interruption", record([QUERY, INTERRUPTION], answers, events=ducks(*DUCK)))
    assert outcome["missed"] is False
    assert outcome["answered"] is True
    assert outcome["takeover"] is True
    assert outcome["stop"] == pytest.approx(0.35, abs=0.002)
    assert outcome["interruption"] == pytest.approx(0.3)
    assert outcome["takeover_latency"] == pytest.approx(0.3)
    assert outcome["duck"] == pytest.approx(0.1)
    assert outcome["stopped_while_user_speaks"] is True


def test_what_is_left_of_the_old_answer_is_no_reply() -> None:
    answers = [answer("a", 2.2, 5.1, cut=True, words=40), answer("b", 5.3, 7.0, words=6)]
    outcome = judged("interruption", record([QUERY, INTERRUPTION], answers))
    assert outcome["takeover_latency"] == pytest.approx(0.3)
    assert outcome["stopped_while_user_speaks"] is False


def test_an_interruption_that_is_not_heard_is_missed() -> None:
    outcome = judged("interruption", record([QUERY, INTERRUPTION], [answer("a", 2.2, 9.0)]))
    assert outcome["missed"] is True
    assert outcome["answered"] is False
    assert outcome["stop"] is None


def test_without_an_answer_there_is_nothing_to_interrupt() -> None:
    assert judged("interruption", record([QUERY], []))["no_answer_to_interrupt"] is True
    assert judged("overlap", record([QUERY, COUGH], []))["no_answer_to_disturb"] is True


@pytest.mark.parametrize(
    ("answers", "changes", "expected"),
    [
        (
            [answer("a", 2.2, 9.0)],
            [(4.1, True), (4.4, False)],
            {"false_interruption": False, "disturbed": False, "false_answer": False},
        ),
        ([answer("a", 2.2, 9.0)], [(4.1, True), (4.8, False)], {"disturbed": True}),
        ([answer("a", 2.2, 9.0)], [(4.1, True)], {"disturbed": True}),  # never came back
        (
            [answer("a", 2.2, 4.6, cut=True), answer("b", 5.0, 6.0)],
            [],
            {"false_interruption": True, "stopped_within_1s": True, "false_answer": True},
        ),
        (
            [answer("a", 2.2, 5.6, cut=True)],
            [],
            {"false_interruption": True, "stopped_within_1s": False},
        ),
    ],
)
def test_overlap(answers: list[Any], changes: list[Any], expected: dict[str, bool]) -> None:
    outcome = judged("overlap", record([QUERY, COUGH], answers, events=ducks(*changes)))
    assert {name: outcome[name] for name in expected} == expected


def test_stop_silence_and_echo() -> None:
    stop = cue("stop", 4.0, 4.4, expects=False)
    stopped = judged("stop", record([QUERY, stop], [answer("a", 2.2, 4.5, cut=True)]))
    assert stopped["stopped"] and stopped["silent_afterwards"]
    talked = [answer("a", 2.2, 4.5, cut=True), answer("b", 5.0, 6.0)]
    assert judged("stop", record([QUERY, stop], talked))["silent_afterwards"] is False
    assert judged("silence", record([COUGH], []))["false_answer"] is False
    assert judged("silence", record([COUGH], [answer("a", 5, 6)]))["false_answer"] is True
    whole = judged("echo", record([QUERY], [answer("a", 2.2, 9.0)]))
    assert (whole["self_interruption"], whole["self_answer"]) == (False, False)
    assert judged("echo", record([QUERY], talked))["self_interruption"] is True


@pytest.mark.parametrize(
    ("answers", "takeover", "backchannels"),
    [
        ([], False, 0),
        ([answer("a", 3.0, 3.4, words=1)], False, 1),
        ([answer("a", 3.0, 5.0, words=6)], True, 1),
        ([answer("a", 3.0, 6.5, words=9)], True, 0),  # formally speaking: the search ends
    ],
)
def test_listening(answers: list[Any], takeover: bool, backchannels: int) -> None:
    outcome = judged("listening", record([cue("side-talk", 1.0, 9.0)], answers, seconds=10.0))
    assert outcome["takeover"] is takeover
    assert outcome["backchannels_per_second"] == pytest.approx(backchannels / 10)


def test_a_stall_counts_from_the_moment_the_line_lives_again() -> None:
    script = CallScript(stall=Stall(1.5, 2.0))
    decided = {"type": "antiphon.decision", "audio_start_ms": 980, "audio_end_ms": 2050}
    call = record([QUERY], [answer("a", 3.9, 5.0)], events=[(5.0, decided)])
    outcome = judged("stall", call, script=script)
    assert outcome["caught_up"] == pytest.approx(0.4)
    assert outcome["nothing_dropped"] is True
    short = {"type": "antiphon.decision", "audio_start_ms": 980, "audio_end_ms": 1500}
    lost = record([QUERY], [], events=[(5.0, short)])
    assert judged("stall", lost, script=script)["nothing_dropped"] is False


@pytest.mark.parametrize(
    ("commits", "cut_off", "commit"),
    [([2.3], False, 0.3), ([1.5, 2.4], True, 0.4), ([1.5], True, None), ([], False, None)],
)
def test_endpoint(commits: list[float], cut_off: bool, commit: float | None) -> None:
    events: list[Any] = [(at, {"type": "input_audio_buffer.committed"}) for at in commits]
    outcome = judged("endpoint", record([QUERY], [], events=events))
    assert outcome["false_cut_off"] is cut_off
    assert outcome["commit"] == (None if commit is None else pytest.approx(commit))


def test_words_of_a_cut_answer_are_those_that_were_played() -> None:
    assert len(words_of(answer("a", 2.0, 4.0, cut=True, words=9))) == 6
    assert len(words_of(answer("a", 2.0, 4.0, words=9))) == 9
    assert [word.text for word in words_of(answer("a", 2.0, 2.3))] == ["?"]


def test_ducks_and_reasons_are_counted() -> None:
    call = record([], [], events=ducks((1.0, True), (1.5, False), (3.0, True)), seconds=4.0)
    assert ducked_seconds(call, Span(0, 9)) == pytest.approx(1.5)
    assert ducked_seconds(call, Span(1.2, 1.3)) == pytest.approx(0.1)
    decided: Any = [(1.0, {"type": "antiphon.decision", "reason": name}) for name in "aab"]
    assert reasons(record([], [], events=decided)) == {"a": 2, "b": 1}
