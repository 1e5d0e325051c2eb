"""The caller's core in virtual time, and the latencies that come out of it."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from audio.frame import Samples
from audio.pcm import decode_pcm16, encode_pcm16
from server.call.conversation import CallMachine
from server.call.latency import turns
from server.call.report import summary, warnings
from server.call.script import CallScript, ClientBehaviour, Cue, Echo, Stall
from server.call.timeline import RATE, TimelineClip

Event = dict[str, Any]


def beep(seconds: float) -> Samples:
    steps = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 200 * steps)).astype(np.float32)


def clip(lead: float, voice: float, tail: float, name: str = "q") -> TimelineClip:
    parts = (np.zeros(round(lead * RATE)), beep(voice), np.zeros(round(tail * RATE)))
    return TimelineClip.of(name, np.concatenate(parts).astype(np.float32))


def created(response: str) -> Event:
    return {"type": "response.created", "response": {"id": response}}


def done(response: str, status: str = "completed") -> Event:
    details = {"reason": "turn_detected"} if status == "cancelled" else None
    body = {"id": response, "status": status, "status_details": details}
    return {"type": "response.done", "response": body}


def sound(response: str, samples: Samples) -> Event:
    audio = base64.b64encode(encode_pcm16(samples)).decode()
    return {
        "type": "response.output_audio.delta",
        "response_id": response,
        "item_id": f"item_{response}",
        "delta": audio,
    }


def answer(response: str, start: float, seconds: float) -> Iterator[tuple[float, Event]]:
    """A well-behaved server's answer: sent at playing speed in steps of 100 ms."""
    yield start - 0.01, created(response)
    voice = beep(seconds)
    for step in range(round(seconds / 0.1)):
        piece = voice[round(step * 0.1 * RATE) : round((step + 1) * 0.1 * RATE)]
        yield start + step * 0.1, sound(response, piece)


def play(script: CallScript, events: list[tuple[float, Event]], late: float = 0.0) -> Any:
    """Drive a call through its own deadlines and these server events."""
    call = CallMachine(script)
    sent: list[tuple[float, Event]] = []
    waiting = sorted(events, key=lambda pair: pair[0])
    now = 0.0
    while not call.done(now):
        now = call.deadline + late
        if waiting and waiting[0][0] <= now:
            now, event = waiting.pop(0)
            sent += [(now, message) for message in call.receive(event, now)]
        else:
            sent += [(now, message) for message in call.tick(now)]
    return call, call.record(now), sent


QUESTION = Cue(clip(0.2, 1.0, 0.5), at=0.5)  # voiced 0.7 .. 1.7 on the time line


def test_response_latency_runs_from_last_voiced_to_first_audible() -> None:
    events = [*answer("r1", 1.95, 1.0), (2.9, done("r1"))]
    _, record, sent = play(CallScript(cues=(QUESTION,)), events)
    turn = turns(record)[0]
    assert turn.answered
    assert turn.response == pytest.approx(0.25, abs=0.012)
    assert turn.stop is None
    appended = [decode_pcm16(base64.b64decode(message["audio"])) for _, message in sent]
    assert np.allclose(np.concatenate(appended), record.user, atol=1 / 32768)
    assert len(record.user) == len(record.assistant)
    assert record.seconds < 4.5  # hung up soon after the answer


def test_frames_leave_when_they_are_full_and_lateness_is_noticed() -> None:
    _, record, sent = play(CallScript(cues=(QUESTION,), patience=0.5), [])
    assert sent[0][0] == pytest.approx(0.02)
    assert record.lateness.late == 0
    assert not turns(record)[0].answered
    _, record, _ = play(CallScript(cues=(QUESTION,), patience=0.5), [], late=0.03)
    assert record.lateness.late > 10
    assert "late" in warnings(record)[0]


def test_an_interruption_follows_the_answer_and_its_stop_is_measured() -> None:
    interruption = Cue(clip(0.1, 0.6, 0.3, "i"), after_answer=0.5, label="interruption")
    # first audible 2.0; interruption placed at 2.5, voiced 2.6 .. 3.2
    events = [
        *[(at, event) for at, event in answer("r1", 2.0, 1.0) if at < 2.95],
        (2.93, {"type": "input_audio_buffer.speech_started", "item_id": "u2"}),
        (2.94, done("r1", "cancelled")),
        *answer("r2", 3.5, 0.5),
        (3.95, done("r2")),
    ]
    _, record, _ = play(CallScript(cues=(QUESTION, interruption)), events)
    first, second = turns(record)
    assert first.response == pytest.approx(0.3, abs=0.012)
    assert not first.stopped and not first.over_answer
    assert second.over_answer and second.stopped and second.answered
    assert second.stop == pytest.approx(0.33, abs=0.015)
    assert second.interruption == pytest.approx(0.3, abs=0.015)
    assert summary(record)["turns"][1]["barge_in_stop_ms"] == pytest.approx(330, abs=15)


def test_a_cough_over_an_answer_leaves_it_whole() -> None:
    cough = Cue(clip(0, 0.2, 0), after_answer=0.3, label="noise", expects_answer=False)
    events = [*answer("r1", 2.0, 1.5), (3.4, done("r1"))]
    _, record, _ = play(CallScript(cues=(QUESTION, cough)), events)
    turn = turns(record)[1]
    assert turn.over_answer and not turn.stopped and not turn.answered
    assert record.answers[0].seconds_played == pytest.approx(1.5)


@pytest.mark.parametrize(("truncates", "count"), [(True, 1), (False, 0)])
def test_a_client_that_truncates_says_what_was_heard(truncates: bool, count: int) -> None:
    script = CallScript(cues=(QUESTION,), behaviour=ClientBehaviour(truncates=truncates))
    events = [
        *answer("r1", 2.0, 0.5),
        (2.35, {"type": "input_audio_buffer.speech_started"}),
        (2.5, done("r1", "cancelled")),
    ]
    # all of it was sent at once, so that something is left to flush
    events = [(min(at, 2.0), event) if "delta" in event else (at, event) for at, event in events]
    _, _, sent = play(script, events)
    marks = [message for _, message in sent if message["type"] == "conversation.item.truncate"]
    assert len(marks) == count
    for mark in marks:
        assert mark["audio_end_ms"] == 350
        assert mark["item_id"] == "item_r1"


def test_a_client_that_acknowledges_counts_up() -> None:
    script = CallScript(cues=(QUESTION,), behaviour=ClientBehaviour(acknowledges=True))
    events = [*answer("r1", 2.0, 1.0), (2.95, done("r1"))]
    call, _, sent = play(script, events)
    marks = [message["audio_ms"] for _, message in sent if "playback" in message["type"]]
    assert marks == sorted(marks)
    assert marks[-1] == 1000
    assert call.opening()["session"]["antiphon"] == {"playback_ack": True}


def test_echo_is_the_speaker_delayed_and_damped() -> None:
    script = CallScript(cues=(QUESTION,), echo=Echo(gain=-20.0, delay=0.1))
    events = [*answer("r1", 2.0, 0.5), (2.45, done("r1"))]
    _, record, _ = play(script, events)
    begin = record.answers[0].played[0].at + round(0.1 * RATE)
    heard = record.user[begin : begin + RATE // 4]
    assert np.allclose(heard, beep(0.5)[: RATE // 4] * 0.1, atol=0.002)


def test_after_a_stall_everything_arrives_at_once() -> None:
    script = CallScript(cues=(QUESTION,), patience=1.0, stall=Stall(at=1.0, seconds=2.0))
    _, record, sent = play(script, [])
    times = [at for at, _ in sent]
    gap = max(b - a for a, b in itertools.pairwise(times))
    assert gap == pytest.approx(2.0, abs=0.03)
    assert record.lateness.late == 0
    assert len(record.user) / RATE == pytest.approx(times[-1], abs=0.03)


def test_cues_without_a_moment_take_turns() -> None:
    second = Cue(clip(0, 0.5, 0, "second"))
    events = [*answer("r1", 2.0, 0.5), (2.5, done("r1"))]
    _, record, _ = play(CallScript(cues=(QUESTION, second), patience=0.5, settle=0.3), events)
    assert [turn.name for turn in turns(record)] == ["q", "second"]
    assert turns(record)[1].first_voiced == pytest.approx(2.8, abs=0.05)


def test_a_cue_that_waits_for_an_answer_in_vain_is_skipped() -> None:
    interruption = Cue(clip(0, 0.5, 0, "never"), after_answer=1.0)
    last = Cue(clip(0, 0.5, 0, "last"))
    _, record, _ = play(CallScript(cues=(QUESTION, interruption, last), patience=0.5), [])
    assert [turn.name for turn in turns(record)] == ["q", "last"]


def test_session_fields_of_the_script_join_our_own() -> None:
    more = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    session = CallMachine(CallScript(behaviour=ClientBehaviour(session=more))).opening()["session"]
    assert session["audio"]["input"]["turn_detection"] == {"type": "server_vad"}
    assert session["audio"]["input"]["format"]["rate"] == RATE
    assert "antiphon" not in session


def test_a_typed_question_begins_the_call_and_linger_ends_it() -> None:
    cough = Cue(clip(0, 0.2, 0), after_answer=0.5, label="noise", expects_answer=False)
    script = CallScript(cues=(cough,), typed="tell me a story", linger=1.0)
    events = [*answer("r1", 0.3, 30.0), (30.0, done("r1"))]
    _, record, sent = play(script, events)
    assert [message["type"] for _, message in sent[:2]] == [
        "conversation.item.create",
        "response.create",
    ]
    assert sent[0][1]["item"]["content"] == [{"type": "input_text", "text": "tell me a story"}]
    assert record.seconds == pytest.approx(0.3 + 0.5 + 0.2 + 1.0, abs=0.05)
    unanswered = play(CallScript(cues=(cough,), typed="tell me a story", patience=2.0), [])[1]
    assert unanswered.seconds == pytest.approx(2.0, abs=0.05)
    assert unanswered.cues == ()


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([], 1.7 + 3.0),  # nobody answers: patience
        ([*answer("r1", 2.0, 9.0)], 2.0 + 1.2),  # so long after the first audible sample
        ([*answer("r1", 1.2, 9.0)], 1.7 + 1.2),  # too early: the query is still spoken to its end
    ],
)
def test_linger_counts_from_the_answer(events: list[tuple[float, Event]], seconds: float) -> None:
    _, record, _ = play(CallScript(cues=(QUESTION,), linger=1.2, patience=3.0), events)
    assert record.seconds == pytest.approx(seconds, abs=0.05)
