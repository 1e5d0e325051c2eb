"""What clients send: each good message becomes its event, each bad one a refusal with a name."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from duplex import events
from duplex.conversation import ItemReference
from models.base import (
    UserText,
)
from server.realtime.decode import AudioReceived, Configured
from server.realtime.refusal import Refusal
from tests.server.decoding import PCM_100MS, decode, new_decoder, one, picture, user


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "input_audio_buffer.commit"}, events.CommitRequested("e", held=0.002)),
        ({"type": "input_audio_buffer.clear"}, events.ClearRequested("e")),
        (
            {"type": "conversation.item.retrieve", "item_id": "i"},
            events.ItemRetrieveRequested("i", "e"),
        ),
        (
            {"type": "conversation.item.delete", "item_id": "i"},
            events.ItemDeleteRequested("i", "e"),
        ),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "i",
                "content_index": 0,
                "audio_end_ms": 0,
            },
            events.ItemTruncateRequested("i", 0, 0, "e"),
        ),
        ({"type": "response.cancel"}, events.CancelRequested(None, "e")),
        (
            {"type": "response.cancel", "response_id": "resp_t_7"},
            events.CancelRequested(7, "e"),
        ),
    ],
)
def test_plain_requests(message: dict[str, Any], expected: Any) -> None:
    assert new_decoder().decode(orjson.dumps(message | {"event_id": "e"})) == [expected]


# ----------------------------------------------------------------------------------------- sound


@pytest.mark.parametrize(
    ("form", "bytes_a_second"),
    [
        ({"type": "audio/pcm", "rate": 24000}, 48000),
        ({"type": "audio/pcm", "rate": 16000}, 32000),
        ({"type": "audio/pcmu"}, 8000),
        ({"type": "audio/pcma"}, 8000),
    ],
)
def test_append_becomes_16_khz(form: dict[str, Any], bytes_a_second: int) -> None:
    decoder = new_decoder(audio={"input": {"format": form}})
    data = bytes(bytes_a_second)
    chunks = [data[at : at + 777] for at in range(0, len(data), 777)]  # odd: halves are carried
    heard = [
        one(decoder, "input_audio_buffer.append", audio=base64.b64encode(chunk).decode())
        for chunk in chunks
    ]
    assert all(isinstance(step, AudioReceived) for step in heard)
    assert abs(sum(len(step.samples) for step in heard) - 16000) <= 64


def test_formats_change_between_appends() -> None:
    decoder = new_decoder()
    assert len(one(decoder, "input_audio_buffer.append", audio=PCM_100MS).samples) > 1500
    step = one(decoder, "session.update", session={"audio": {"input": {"format": "g711_ulaw"}}})
    assert isinstance(step, Configured)
    sound = one(decoder, "input_audio_buffer.append", audio=base64.b64encode(bytes(800)).decode())
    assert abs(len(sound.samples) - 1600) <= 64


# --------------------------------------------------------------------------------------- session


def test_session_update() -> None:
    decoder = new_decoder()
    step = one(
        decoder, "session.update", session={"model": "gpt-realtime-2.1", "instructions": "hi"}
    )
    assert step.session is decoder.session
    again = one(decoder, "session.update", session={"tools": [{"name": "f"}]})
    assert again.session.instructions == "hi"
    assert [tool.name for tool in again.session.model_tools()] == ["f"]


def test_refused_update_changes_nothing() -> None:
    decoder = new_decoder()
    before = decoder.session
    with pytest.raises(Refusal):
        decode(decoder, "session.update", session={"instructions": "x", "nonsense": 1})
    assert decoder.session is before


# ------------------------------------------------------------------------------------- responses


def test_response_create() -> None:
    decoder = new_decoder(antiphon={"seed": 5}, tools=[{"name": "f"}])
    response = {
        "instructions": "short",
        "output_modalities": ["text"],
        "max_output_tokens": 12,
        "metadata": {"client_event_id": "e"},
        "conversation": "none",
        "tool_choice": {"type": "function", "name": "f"},
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "x"}},
        "input": [
            user({"type": "input_text", "text": "q"}),
            {"type": "item_reference", "id": "it"},
        ],
    }
    asked = one(decoder, "response.create", response=response, event_id="e")
    options = asked.options
    assert (options.speak, options.max_tokens, options.seed) == (False, 12, 5)
    assert (options.instructions, options.tool_choice) == ("short", "f")
    assert (asked.in_conversation, asked.metadata) == (False, {"client_event_id": "e"})
    assert asked.items == (UserText("q"), ItemReference("it", "response.input[1].id"))


def test_bare_response_create() -> None:
    asked = one(new_decoder(output_modalities=["text"]), "response.create")
    assert (asked.options.speak, asked.items, asked.in_conversation) == (False, None, True)
    empty = one(new_decoder(), "response.create", response={"input": []})
    assert empty.items == ()  # an empty context is not the conversation's


def test_a_reference_is_resolved_by_the_core() -> None:
    response = {"input": [{"type": "item_reference", "id": "item_spoken"}]}
    asked = one(new_decoder(), "response.create", response=response)
    assert asked.items == (ItemReference("item_spoken", "response.input[0].id"),)


def test_playback() -> None:
    decoder = new_decoder(antiphon={"playback_ack": True})
    step = one(decoder, "antiphon.playback", response_id="resp_t_2", audio_ms=500)
    assert step == events.PlayoutReported(2, 12000)
    with pytest.raises(Refusal):
        decode(new_decoder(), "antiphon.playback", response_id="resp_t_2", audio_ms=500)


# ------------------------------------------------------------------------------------ bad input

ITEM = "conversation.item.create"
APPEND = "input_audio_buffer.append"


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[1]", "invalid_json", None),
        ("null", "invalid_json", None),
        ("[" * 5000, "invalid_json", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type": 3}', "invalid_value", "type"),
        ('{"type": "no.such"}', "invalid_value", "type"),
        ('{"type": "output_audio_buffer.clear"}', "invalid_value", "type"),
    ],
)
def test_bad_messages(text: str, code: str, param: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        new_decoder().decode(text)
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        (APPEND, {}, "audio"),
        (APPEND, {"audio": 7}, "audio"),
        (APPEND, {"audio": "%%%"}, "audio"),
        (APPEND, {"audio": "A" * (21 * 2**20)}, "audio"),
        ("session.update", {"session": "x"}, "session"),
        (ITEM, {"item": {"type": "message", "role": "user"}}, "item.content"),
        (ITEM, {"item": {"type": "poem"}}, "item"),
        (ITEM, {"item": user({"type": "output_text", "text": "x"})}, "item.content[0].type"),
        (ITEM, {"item": user({"type": "input_text"})}, "item.content[0].text"),
        (ITEM, {"item": user({"type": "input_audio", "audio": "?"})}, "item.content[0].audio"),
        (
            ITEM,
            {"item": user({"type": "input_image", "image_url": "http://x/y.png"})},
            "item.content[0].image_url",
        ),
        (
            ITEM,
            {"item": user({"type": "input_image", "image_url": "data:image/png;base64,AAAA"})},
            "item.content[0].image_url",
        ),
        (ITEM, {"item": user(id="x" * 200)}, "item.id"),
        ("conversation.item.truncate", {"item_id": "i", "audio_end_ms": -1}, "audio_end_ms"),
        ("response.cancel", {"response_id": "resp_other_1"}, "response_id"),
        ("response.create", {"response": {"volume": 3}}, "response.volume"),
        ("response.create", {"response": {"tool_choice": "required"}}, "response.tool_choice"),
        (
            "response.create",
            {"response": {"metadata": {"k" * 65: "v"}}},
            "response.metadata",
        ),
        ("response.create", {"response": {"conversation": "x"}}, "response.conversation"),
        (
            "response.create",
            {"response": {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}},
            "response.audio.output.format",
        ),
    ],
)
def test_bad_fields(kind: str, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        decode(new_decoder(), kind, event_id="e7", **fields)
    assert (caught.value.param, caught.value.event_id) == (param, "e7")
    assert len(caught.value.message) < 500


def test_a_picture_too_large_is_not_decoded() -> None:
    item = user({"type": "input_image", "image_url": picture((6000, 5000))})
    with pytest.raises(Refusal, match="pixels"):
        decode(new_decoder(), ITEM, item=item)
