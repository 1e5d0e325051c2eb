"""The wire on its very edges: what is just taken and just refused, what is shown whole."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from duplex import actions, events
from duplex.conversation import SpokenTurn, Turn
from models.base import AnswerOptions, AssistantText, SpokenWord, UserImage, UserSound, UserText
from server.realtime import images, json_input
from server.realtime.budget import BudgetSettings, Cost, SessionBudget, TokenBucket
from server.realtime.decode import MAX_APPEND, AudioReceived, LongAudioReceived
from server.realtime.encode import Encoder
from server.realtime.formats import PCM
from server.realtime.items import read_item
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig
from server.realtime.session_fields import Extension
from server.realtime.wire_ids import WireIds
from tests.server.decoding import decode, new_decoder, one, picture, user

NewEncoder = Callable[..., Encoder]
PIXELS = UserImage(np.zeros((2, 2, 3), np.uint8))
DONE = actions.ResponseStatus.COMPLETED


# -------------------------------------------------------------------------------- the budget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_what_it_has_and_no_more() -> None:
    clock = Clock()
    bucket = TokenBucket(2.0, 3.0, clock)
    assert [bucket.try_take() for _ in range(4)] == [True, True, True, False]
    clock.now = 0.499
    assert not bucket.try_take()
    clock.now = 0.5
    assert bucket.try_take() and not bucket.try_take()
    clock.now = 100.0
    assert bucket.is_full and bucket.left == 3.0
    assert bucket.take(5.0) == 1.0  # two are missing, at two a second
    assert bucket.left == -2.0


def test_the_smallest_budget_is_a_budget() -> None:
    least = BudgetSettings(items=1, text=1000, functions=0, out_of_band=0, updates_a_second=1)
    budget = SessionBudget(least)
    budget.check_item("item")
    budget.charge(Cost(text=10))
    with pytest.raises(Refusal, match="at most 1 items"):
        budget.check_item("item")
    budget.assign("one", Cost(text=10))
    with pytest.raises(Refusal, match="at most 1 items"):
        budget.check_item("item")
    budget.refund("one")
    budget.check_item("item")
    with pytest.raises(ValidationError):
        BudgetSettings(items=0)
    with pytest.raises(ValidationError):
        least.items = 5


def test_what_is_given_back_is_what_was_taken() -> None:
    budget = SessionBudget(BudgetSettings(text=1000, media=1000))
    for _ in range(3):
        budget.charge(Cost(text=600, media=600))
        bill = budget.new_bill()
        with pytest.raises(Refusal):
            bill.add_text("x" * 401, "item.text")
        budget.new_bill().add_text("x" * 400, "item.text")
        budget.release(Cost(text=600, media=600))
        budget.new_bill().add_text("x" * 1000, "item.text")


# --------------------------------------------------------------------------------- messages


def test_an_append_holds_15_mib_and_not_three_bytes_more() -> None:
    decoder = new_decoder()
    whole = base64.b64encode(bytes(MAX_APPEND)).decode()
    found = one(decoder, "input_audio_buffer.append", audio=whole)
    assert isinstance(found, LongAudioReceived)
    more = base64.b64encode(bytes(MAX_APPEND + 6)).decode()
    with pytest.raises(Refusal, match="at most"):
        decode(decoder, "input_audio_buffer.append", audio=more)


def test_short_appends_are_decoded_at_once() -> None:
    sound = base64.b64encode(bytes(4800)).decode()
    found = one(new_decoder(), "input_audio_buffer.append", audio=sound)
    assert isinstance(found, AudioReceived)


def test_as_many_marks_as_may_be_are_just_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_input, "MAX_MARKS", 3)
    assert json_input.parse_object('{"a":[1,2]}', "message") == {"a": [1, 2]}
    assert json_input.parse_object(b'{"a":[1,2]}', "message") == {"a": [1, 2]}
    with pytest.raises(Refusal):
        json_input.parse_object('{"a":[1,2,3]}', "message")


def test_a_data_url_is_as_long_as_its_bytes_and_256_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = picture()
    monkeypatch.setattr(images, "MAX_BYTES", 0)
    with pytest.raises(Refusal) as caught:
        images.read_image("data:image/png;base64," + "A" * (256 - 22), "p")
    assert "larger" not in caught.value.message  # it is read, and is no picture
    with pytest.raises(Refusal, match="larger than"):
        images.read_image("data:image/png;base64," + "A" * (257 - 22), "p")
    monkeypatch.undo()
    read = images.read_image(url, "p")
    assert read.decoded_bytes == read.size[0] * read.size[1] * 3


# ----------------------------------------------------------------------------------- items


def test_what_an_item_says_in_each_of_its_forms() -> None:
    def parts(*content: dict[str, Any], **fields: Any) -> tuple[Any, ...]:
        item = user(*content, **fields)
        offered = one(new_decoder(), "conversation.item.create", item=item)
        assert isinstance(offered, events.ItemOffered)
        return offered.parts

    sound = base64.b64encode(np.zeros(2400, "<i2").tobytes()).decode()
    (spoken,) = parts({"type": "input_audio", "audio": sound, "transcript": "hello"})
    assert isinstance(spoken, UserSound) and spoken.words == "hello"
    (silent,) = parts({"type": "input_audio", "audio": sound})
    assert isinstance(silent, UserSound) and silent.words == ""
    assert parts({"type": "input_text", "text": ""}) == (UserText(""),)
    said = {"type": "output_audio", "transcript": "well"}
    assert parts(said, role="assistant") == (AssistantText("well"),)
    both = {"type": "output_text", "text": "text", "transcript": "words"}
    assert parts(both, role="assistant") == (AssistantText("text"),)


@pytest.mark.parametrize("item", [7, "text", [], None, {"content": []}, {"role": "user", "id": 5}])
def test_what_is_no_item_is_refused_by_name(item: Any) -> None:
    with pytest.raises(Refusal) as caught:
        decode(new_decoder(), "conversation.item.create", item=item)
    assert (caught.value.param or "").startswith("item")


def test_ids_of_a_conversation_that_goes_on_are_known() -> None:
    ids = WireIds("t")
    words = (SpokenWord("hi", 0, 10),)
    written = Turn("written", "assistant", response_id=3)
    ids.restore([Turn("asked", "user", (SpokenTurn("asked"),)), written])
    assert (ids.answer_of("written"), ids.answer_of("asked")) == (3, None)
    assert not ids.voice_spoken
    ids.restore([Turn("spoken", "assistant", words=words, response_id=4)])
    assert ids.voice_spoken
    shown = [Turn(f"picture{number}", "user", (PIXELS,)) for number in range(images.KEPT_IMAGES)]
    ids.restore(shown)
    assert ids.offer("one more", Cost(), (PIXELS,)) == ["picture0"]
    assert ids.offer("text", Cost(), (UserText("hi"),)) == []
    assert ids.offer("both", Cost(), (UserText("hi"), PIXELS)) == []
    ids.forget("written")
    assert ids.answer_of("written") is None
    ids.clear()
    assert ids.answer_of("spoken") is None


def test_names_that_the_server_gives_are_its_own() -> None:
    ids = WireIds("t")
    names = {ids.new_item_id() for _ in range(50)}
    assert len(names) == 50 and all(name.startswith("item_t_") for name in names)
    assert ids.response_number(ids.response_name(12)) == 12
    for name in ("resp_u_1", "resp_t_", "resp_t_x", "resp_t_1234567890", "resp_t_²", "12"):
        assert ids.response_number(name) is None


# --------------------------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    ("patch", "param"),
    [
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ({"max_output_tokens": 4097}, "session.max_output_tokens"),
        ({"antiphon": {"lead_ms": -1}}, "session.antiphon.lead_ms"),
        ({"antiphon": {"lead_ms": 2001}}, "session.antiphon.lead_ms"),
        ({"antiphon": {"audio_gap_ms": 99}}, "session.antiphon.audio_gap_ms"),
        ({"antiphon": {"endpoint_delay_ms": 10_001}}, "session.antiphon.endpoint_delay_ms"),
        ({"audio": {"output": {"voice": ""}}}, "session.audio.output.voice"),
    ],
)
def test_just_refused(patch: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        SessionConfig().changed(patch)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "patch",
    [
        {"max_output_tokens": 1},
        {"max_output_tokens": 4096},
        {"antiphon": {"lead_ms": 0}},
        {"antiphon": {"lead_ms": 2000}},
        {"antiphon": {"audio_gap_ms": 100}},
        {"antiphon": {"endpoint_delay_ms": 0}},
        {"audio": {"output": {"voice": "x"}}},
    ],
)
def test_just_taken(patch: dict[str, Any]) -> None:
    SessionConfig().changed(patch)


def test_what_is_ours_is_off_until_it_is_asked_for() -> None:
    usual = Extension()
    assert usual.events == []
    assert not (usual.playback_ack or usual.strict_truncate or usual.transcript_ahead)
    assert not usual.resume
    assert usual.speculate is None and usual.lead_ms is None and usual.audio_gap_ms is None


def test_an_end_is_shown_only_where_there_is_one() -> None:
    assert "expires_at" not in SessionConfig().echo("sess", None)
    assert SessionConfig().echo("sess", 12)["expires_at"] == 12


def test_a_choice_is_of_a_declared_function() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    config = SessionConfig().changed({"tools": [tool], "tool_choice": "required"})
    chosen = config.changed({"tool_choice": {"type": "function", "name": "f"}})
    assert chosen.answer_options().tool_choice == "f"
    with pytest.raises(Refusal):
        config.changed({"tool_choice": {"type": "function", "name": "g"}})


@pytest.mark.parametrize(("modalities", "speaks"), [(["audio"], True), (["text"], False)])
def test_a_response_speaks_or_writes(modalities: list[str], speaks: bool) -> None:
    asked = one(new_decoder(), "response.create", response={"output_modalities": modalities})
    assert asked.options.speak is speaks


# -------------------------------------------------------------------------------- responses


def done_of(encoder: Encoder, ended: actions.ResponseEnded, **started: Any) -> dict[str, Any]:
    encoder.encode(actions.ResponseStarted(1, "item_a", None, AnswerOptions(), **started))
    found: dict[str, Any] = encoder.encode(ended)[-1]["response"]
    return found


def test_usage_is_whole(new_encoder: NewEncoder) -> None:
    ended = actions.ResponseEnded(1, DONE, input_tokens=7, output_tokens=3)
    assert done_of(new_encoder(), ended)["usage"] == {
        "total_tokens": 10,
        "input_tokens": 7,
        "output_tokens": 3,
        "input_token_details": {
            "text_tokens": 7,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 3, "audio_tokens": 0},
    }


@pytest.mark.parametrize(
    ("status", "reason", "details"),
    [
        ("completed", None, None),
        ("cancelled", "turn_detected", {"type": "cancelled", "reason": "turn_detected"}),
        ("incomplete", "max_output_tokens", {"type": "incomplete", "reason": "max_output_tokens"}),
        ("failed", "why", {"code": "server_error", "message": "why"}),
        ("failed", None, {"code": "server_error", "message": "The answer failed."}),
    ],
)
def test_how_a_response_ended(
    new_encoder: NewEncoder, status: str, reason: str | None, details: dict[str, Any] | None
) -> None:
    ended = actions.ResponseEnded(1, actions.ResponseStatus(status), reason)
    shown = done_of(new_encoder(), ended)
    assert shown["status"] == status
    found = shown["status_details"]
    if status == "failed":
        assert found["type"] == "failed"
        assert details is not None and found["error"].items() >= details.items()
    else:
        assert found == details


def test_a_schema_is_refused_in_few_words() -> None:
    deep: dict[str, Any] = {"type": "object", "properties": {"x" * 400: {"type": "y" * 400}}}
    tool = {"type": "function", "name": "f", "parameters": deep}
    with pytest.raises(Refusal) as caught:
        decode(new_decoder(), "session.update", session={"type": "realtime", "tools": [tool]})
    where = caught.value.param or ""
    assert len(where) == 200
    said = caught.value.message.removeprefix(f"Invalid schema for '{where}': ").removesuffix(".")
    assert len(said) <= 200


def test_a_function_call_shows_its_arguments_whole(new_encoder: NewEncoder) -> None:
    encoder = new_encoder()
    encoder.encode(actions.ResponseStarted(1, "item_a", None, AnswerOptions()))
    found = encoder.encode(actions.ResponseCallAdded(1, "item_c", "call_c", "f", '{"a": 1}'))
    done = next(e for e in found if e["type"] == "response.function_call_arguments.done")
    assert (done["arguments"], done["call_id"]) == ('{"a": 1}', "call_c")
    assert orjson.loads(done["arguments"]) == {"a": 1}


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"type": "function_call", "name": "f", "call_id": "c", "arguments": "x"}, "arguments"),
        ({"type": "function_call_output", "call_id": "c", "output": "x"}, "output"),
    ],
)
def test_what_functions_say_counts_as_text(item: dict[str, Any], field: str) -> None:
    budget = SessionBudget(BudgetSettings(text=1000))
    bill = budget.new_bill()
    read = read_item({**item, field: "x" * 1000}, PCM, bill=bill)
    assert read.cost.text == 1000
    with pytest.raises(Refusal) as caught:
        read_item({**item, field: "x" * 1001}, PCM, bill=budget.new_bill())
    assert caught.value.param == f"item.{field}"


def test_an_unknown_field_is_called_unknown_and_an_old_one_by_todays_name() -> None:
    with pytest.raises(Refusal) as caught:
        SessionConfig().changed({"volume": 3})
    assert caught.value.message == "Unknown parameter: 'session.volume'."
    with pytest.raises(Refusal) as caught:
        SessionConfig().changed({"voice": "alloy"})
    assert caught.value.message == (
        "Unknown parameter: 'session.voice' (the GA protocol calls it "
        "'session.audio.output.voice')."
    )


def test_a_server_that_ends_says_how_to_go_on(new_encoder: NewEncoder) -> None:
    event = new_encoder().draining("token")
    assert event["type"] == "error"
    assert (event["error"]["code"], event["error"]["resume_token"]) == ("session_draining", "token")


def test_a_report_of_playback_names_its_answer() -> None:
    decoder = new_decoder(antiphon={"playback_ack": True})
    with pytest.raises(Refusal, match="item_id or response_id is needed"):
        decode(decoder, "antiphon.playback", audio_ms=500)
