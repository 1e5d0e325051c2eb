"""Notices of the core as wire events: every event valid, every ordering kept."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from duplex import actions
from duplex.orchestrator import Outgoing
from duplex.playout import AnswerSound
from models.base import AnswerOptions, AnswerTimes, Verdict
from server.realtime.encode import Encoder
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig
from tests.server.judge import check_event

NewEncoder = Callable[..., Encoder]
SOUND = np.full(480, 0.25, dtype=np.float32)
VERDICT = Verdict(query=0.9, noise=0.1)
DONE = actions.ResponseStatus.COMPLETED
CANCELLED = actions.ResponseStatus.CANCELLED


def started(number: int = 1, *, speak: bool = True, **fields: Any) -> actions.ResponseStarted:
    return actions.ResponseStarted(
        number, f"item_a{number}", "item_u", AnswerOptions(speak), **fields
    )


def run(encoder: Encoder, *notices: Outgoing) -> list[dict[str, Any]]:
    events = [event for notice in notices for event in encoder.encode(notice)]
    for event in events:
        check_event(event)
    return events


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


SPOKEN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
]
SPOKEN_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


def test_spoken_answer(new_encoder: NewEncoder) -> None:
    events = run(
        new_encoder(),
        started(),
        actions.ResponseTextAdded(1, "Good day."),
        AnswerSound(1, SOUND),
        actions.ResponseEnded(1, DONE, text="Good day.", heard="Good day.", output_tokens=3),
    )
    assert types(events) == SPOKEN + SPOKEN_END
    created, done = events[0]["response"], events[-1]["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert created["status_details"] is None
    part = {"type": "audio", "transcript": "Good day."}
    assert events[-4]["part"] == part  # trap 1: not "output_audio" here
    content = [{"type": "output_audio", "transcript": "Good day."}]
    assert done["output"][0]["content"] == content  # trap 3: and not "audio" here
    assert done["status_details"] is None
    # Trap 16: pipecat reads these unasked.
    assert done["usage"]["output_tokens"] == 3
    assert done["usage"]["input_token_details"].keys() >= {"text_tokens", "cached_tokens"}
    assert len(base64.b64decode(events[5]["delta"])) == 2 * len(SOUND)


def test_item_opens_with_whatever_comes_first(new_encoder: NewEncoder) -> None:
    events = run(new_encoder(), started(), AnswerSound(1, SOUND), actions.ResponseTextAdded(1, "a"))
    order = types(events)
    assert order[:4] == SPOKEN[:4]
    assert order[4:] == ["response.output_audio.delta", "response.output_audio_transcript.delta"]


def test_barge_in_closes_everything(new_encoder: NewEncoder) -> None:
    encoder = new_encoder()
    run(encoder, started(), actions.ResponseTextAdded(1, "One two"), AnswerSound(1, SOUND))
    events = run(
        encoder,
        actions.SpeechStarted("item_v", 2.5),
        actions.ResponseEnded(1, CANCELLED, "turn_detected", "One two", "One", 20),
    )
    assert types(events) == ["input_audio_buffer.speech_started", *SPOKEN_END]
    assert events[0]["audio_start_ms"] == 2500
    assert events[4]["item"]["status"] == "incomplete"
    details = {"type": "cancelled", "reason": "turn_detected"}
    assert events[-1]["response"]["status_details"] == details


@pytest.mark.parametrize(
    ("status", "reason", "details"),
    [
        (CANCELLED, "client_cancelled", {"type": "cancelled", "reason": "client_cancelled"}),
        (
            actions.ResponseStatus.INCOMPLETE,
            "max_output_tokens",
            {"type": "incomplete", "reason": "max_output_tokens"},
        ),
        (
            actions.ResponseStatus.FAILED,
            "broken",
            {
                "type": "failed",
                "error": {"type": "server_error", "code": "server_error", "message": "broken"},
            },
        ),
    ],
)
def test_an_answer_of_nothing_still_ends(
    new_encoder: NewEncoder, status: actions.ResponseStatus, reason: str, details: dict[str, Any]
) -> None:
    events = run(new_encoder(), started(), actions.ResponseEnded(1, status, reason))
    assert types(events) == ["response.created", "response.done"]
    assert events[-1]["response"]["output"] == []
    assert events[-1]["response"]["status_details"] == details
    assert events[-1]["response"]["usage"] is not None


def test_text_answer(new_encoder: NewEncoder) -> None:
    events = run(
        new_encoder(),
        started(speak=False),
        actions.ResponseTextAdded(1, "a"),
        actions.ResponseTextAdded(1, "b"),
        actions.ResponseEnded(1, DONE, text="ab"),
    )
    assert types(events) == [
        *SPOKEN[:4],
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        *SPOKEN_END[2:],
    ]
    assert events[6]["text"] == "ab"
    assert events[-1]["response"]["output_modalities"] == ["text"]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "ab"}]


def test_function_call(new_encoder: NewEncoder) -> None:
    call = actions.ResponseCallAdded(1, "item_c", "call_1", "weather", '{"city":"Ulm"}', "item_u")
    events = run(new_encoder(), started(), call, actions.ResponseEnded(1, DONE))
    assert types(events) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",  # trap 20: before the arguments
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    added, done = events[1]["item"], events[5]["item"]
    assert (added["call_id"], added["name"], added["arguments"]) == ("call_1", "weather", "")
    # Trap 14: tools run on this one.
    assert (done["status"], done["arguments"]) == ("completed", '{"city":"Ulm"}')


def test_answer_beside_the_conversation(new_encoder: NewEncoder) -> None:
    metadata = {"client_event_id": "e1"}
    events = run(
        new_encoder(),
        started(metadata=metadata, in_conversation=False),
        actions.ResponseTextAdded(1, "aside"),
        actions.ResponseEnded(1, DONE),
    )
    assert not [kind for kind in types(events) if kind.startswith("conversation.")]
    response = events[-1]["response"]
    assert (response["conversation_id"], response["metadata"]) == (None, metadata)  # trap 21


def test_two_answers_at_a_time_are_told_apart(new_encoder: NewEncoder) -> None:
    events = run(
        new_encoder(),
        started(1),
        started(2, in_conversation=False),
        AnswerSound(2, SOUND),
        AnswerSound(1, SOUND),
        actions.ResponseEnded(2, DONE),
        actions.ResponseEnded(1, DONE),
    )
    deltas = [event for event in events if event["type"] == "response.output_audio.delta"]
    assert [event["response_id"] for event in deltas] == ["resp_t_2", "resp_t_1"]
    assert [event["item_id"] for event in deltas] == ["item_a2", "item_a1"]


USER_ITEM = {
    "id": "item_u",
    "object": "realtime.item",
    "type": "message",
    "role": "user",
    "status": None,
    "content": [{"type": "input_audio", "transcript": None}],
}


def test_user_turn(new_encoder: NewEncoder) -> None:
    events = run(
        new_encoder(),
        actions.SpeechStarted("item_u", 0.1),
        actions.SpeechStopped("item_u", 1.25),
        actions.BufferCommitted("item_u", None),
        actions.ItemAdded(USER_ITEM, None),
    )
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert "status" not in events[3]["item"]  # trap 2: never null
    assert events[3]["item"]["content"][0] == {"type": "input_audio", "transcript": None}  # trap 8


@pytest.mark.parametrize(
    ("notice", "expected"),
    [
        (actions.BufferCleared(), {"type": "input_audio_buffer.cleared"}),
        (
            actions.IdleTimedOut("i", 1.0, 2.0),
            {
                "type": "input_audio_buffer.timeout_triggered",
                "audio_start_ms": 1000,
                "audio_end_ms": 2000,
                "item_id": "i",
            },
        ),
        (actions.ItemDeleted("i"), {"type": "conversation.item.deleted", "item_id": "i"}),
        (
            actions.ItemTruncated("i", 0, 700),
            {
                "type": "conversation.item.truncated",
                "item_id": "i",
                "content_index": 0,
                "audio_end_ms": 700,
            },
        ),
    ],
)
def test_plain_facts(new_encoder: NewEncoder, notice: Outgoing, expected: dict[str, Any]) -> None:
    (event,) = run(new_encoder(), notice)
    assert event == {**expected, "event_id": event["event_id"]}


def test_event_ids_are_unique(new_encoder: NewEncoder) -> None:
    encoder = new_encoder()
    events = run(encoder, *(actions.BufferCleared() for _ in range(3)))
    events.append(encoder.session_event("session.created"))
    assert len({event["event_id"] for event in events}) == 4  # trap 4


def test_transcripts_only_where_asked_for(new_encoder: NewEncoder) -> None:
    piece = actions.TranscriptAdded("item_u", "what", final=False)
    whole = actions.TranscriptAdded("item_u", "what time", final=True, seconds=1.5)
    assert run(new_encoder(), piece, whole) == []
    session = SessionConfig().changed({"audio": {"input": {"transcription": {"model": "x"}}}})
    delta, completed = run(new_encoder(session), piece, whole)
    assert (delta["content_index"], delta["delta"]) == (0, "what")  # trap 17
    assert completed["usage"] == {"type": "duration", "seconds": 1.5}  # trap 6
    assert completed["transcript"] == "what time"


def test_retrieved_item_carries_its_sound(new_encoder: NewEncoder) -> None:
    recording = np.zeros(1600, dtype=np.float32)  # 100 ms at 16 kHz
    encoder = new_encoder(recordings={"item_u": recording})
    (event,) = run(encoder, actions.ItemRetrieved(USER_ITEM))
    assert len(base64.b64decode(event["item"]["content"][0]["audio"])) == 2 * 2400
    (other,) = run(encoder, actions.ItemRetrieved(USER_ITEM | {"id": "item_x"}))
    assert "audio" not in other["item"]["content"][0]


def test_errors_carry_the_clients_event_id(new_encoder: NewEncoder) -> None:
    encoder = new_encoder()
    (refused,) = run(encoder, actions.Refuse("invalid_value", "no", "item_id", "chat_ctx_delete_1"))
    assert refused["error"]["event_id"] == "chat_ctx_delete_1"  # traps 13 and 22
    told_by_server = encoder.refusal(Refusal("no", param="x", event_id="e9"))
    check_event(told_by_server)
    assert told_by_server["error"]["event_id"] == "e9"


SHOWN: list[Outgoing] = [
    actions.Decide(1, actions.Reason.IGNORED_NOISE, 0.5, 0.9, VERDICT),
    actions.ShowVerdict(1, VERDICT, 0.9),
    actions.ShowSwap(3),
    actions.ShowAnswerTimes(3, AnswerTimes(0.09, 0.06, 0.08, 0.12)),
    actions.ShowState("speaking", "ducked"),
    actions.ShowState("silent", "speaking"),
]


def test_own_events_only_where_asked_for(new_encoder: NewEncoder) -> None:
    """Trap 15: an unknown event type ends a client's loop."""
    assert run(new_encoder(), *SHOWN) == []
    names = ["decision", "verdict", "swap", "state", "duck", "times"]
    session = SessionConfig().changed({"antiphon": {"events": names}})
    events = run(new_encoder(session), *SHOWN)
    assert types(events) == [
        "antiphon.decision",
        "antiphon.verdict",
        "antiphon.swap",
        "antiphon.times",
        "antiphon.state",
        "antiphon.duck",
        "antiphon.state",
        "antiphon.duck",
    ]
    assert (events[3]["transcript_ms"], events[3]["first_sound_ms"]) == (90, 120)
    assert (events[0]["reason"], events[0]["audio_end_ms"]) == ("ignored-noise", 900)
    assert [event["ducked"] for event in events if "ducked" in event] == [True, False]
    only = SessionConfig().changed({"antiphon": {"events": ["swap"]}})
    assert types(run(new_encoder(only), *SHOWN)) == ["antiphon.swap"]


@pytest.mark.parametrize(("form", "bytes_"), [("audio/pcmu", 160), ("audio/pcma", 160)])
def test_telephone_answer(new_encoder: NewEncoder, form: str, bytes_: int) -> None:
    session = SessionConfig().changed({"audio": {"output": {"format": {"type": form}}}})
    encoder = new_encoder(session)
    sounds = [AnswerSound(1, SOUND) for _ in range(5)]
    events = run(encoder, started(), *sounds, actions.ResponseEnded(1, DONE))
    sent = b"".join(
        base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta"
    )
    assert len(sent) == 5 * bytes_  # 20 ms each, none lost in the filter
    assert types(events)[-6:] == SPOKEN_END


def test_an_item_is_never_announced_behind_one_that_was_deleted(new_encoder: NewEncoder) -> None:
    encoder = new_encoder()
    encoder.encode(actions.ResponseStarted(1, "answer", "b", AnswerOptions()))
    encoder.encode(actions.ItemDeleted("b", "a"))
    told = encoder.encode(actions.ResponseTextAdded(1, "yes"))
    told += encoder.encode(actions.ResponseEnded(1, actions.ResponseStatus.COMPLETED, text="yes"))
    places = [e["previous_item_id"] for e in told if e["type"].startswith("conversation.item.")]
    assert places == ["a", "a"]


def test_a_response_shows_the_limit_that_it_was_asked_for(new_encoder: NewEncoder) -> None:
    encoder = new_encoder()
    for number, options in ((1, AnswerOptions()), (2, AnswerOptions(max_tokens=8))):
        [created] = encoder.encode(actions.ResponseStarted(number, f"i{number}", None, options))
        assert created["response"]["max_output_tokens"] == ("inf" if number == 1 else 8)
