"""What one session may put into the server: counted in one place, refused by the field's name."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from duplex import events
from models.base import (
    HEAR_RATE,
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Tool,
    UserImage,
    UserText,
)
from server.realtime.budget import EXCEEDED, SessionBudget, TokenBucket
from server.realtime.decode import Decoder
from server.realtime.images import MAX_PIXELS
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds
from tests.server.budgeted import Clock, message, new_decoder, picture, refused, send, text

# ---------------------------------------------------------------------------------------- items


def test_items_are_counted_and_deleted_ones_given_back() -> None:
    decoder = new_decoder(items=2)
    for name in "ab":
        send(decoder, "conversation.item.create", item=message(text("hi"), id=name))
    said = refused(decoder, "conversation.item.create", item=message(text("hi")))
    assert (said.code, said.param) == (EXCEEDED, "item")
    for name in "ab":
        decoder._ledger.accept_offer(name)
    said = refused(decoder, "conversation.item.create", item=message(text("hi")))
    assert (said.code, said.param) == (EXCEEDED, "item")
    decoder._ledger.forget("a")
    send(decoder, "conversation.item.create", item=message(text("hi")))


def test_letters_are_counted_over_all_items() -> None:
    decoder = new_decoder(text=1000)
    send(decoder, "conversation.item.create", item=message(text("x" * 900)))
    said = refused(
        decoder, "conversation.item.create", item=message(text("short"), text("x" * 200))
    )
    assert (said.code, said.param) == (EXCEEDED, "item.content[1].text")
    output = {"type": "function_call_output", "call_id": "c", "output": "x" * 200}
    said = refused(decoder, "conversation.item.create", item=output)
    assert said.param == "item.output"
    send(decoder, "conversation.item.create", item=message(text("x" * 100)))


def test_pictures_are_counted_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = new_decoder(media=4 * 2**20)
    item = message(picture(1024), picture(1024))
    with monkeypatch.context() as patch:
        patch.setattr(np, "asarray", lambda *_, **__: pytest.fail("it was decoded"))
        said = refused(decoder, "conversation.item.create", item=item)
    assert (said.code, said.param) == (EXCEEDED, "item.content[1].image_url")
    (offered,) = send(decoder, "conversation.item.create", item=message(picture(1024), text("x")))
    assert isinstance(offered.parts[0], UserImage)  # type: ignore[union-attr]


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
def test_a_small_file_that_is_a_huge_picture_is_refused(form: str) -> None:
    side = int(MAX_PIXELS**0.5) + 10
    said = refused(new_decoder(), "conversation.item.create", item=message(picture(side, form)))
    assert said.param == "item.content[0].image_url"
    assert "pixels" in said.message


def test_pixels_of_one_message_are_bounded() -> None:
    decoder = new_decoder(pixels_a_second=1_000_000)
    item = message(*[picture(1500) for _ in range(3)])
    said = refused(decoder, "conversation.item.create", item=item)
    assert (said.code, said.param) == (EXCEEDED, "item.content[1].image_url")


def test_who_sends_many_pixels_is_read_more_slowly() -> None:
    clock = Clock()
    decoder = new_decoder(clock, pixels_a_second=1_000_000)
    waits = []
    for _ in range(5):
        send(decoder, "conversation.item.create", item=message(picture(1000)))
        waits.append(decoder.pause())
    assert waits == [0, 0, 0, 0, pytest.approx(1.0)]
    assert decoder.pause() == pytest.approx(0.0, abs=1.1)


def test_sound_of_items_is_counted_by_its_decoded_size() -> None:
    decoder = new_decoder(media=HEAR_RATE * 4)  # one second at 16 kHz, as float32
    second = base64.b64encode(bytes(48_000)).decode()
    sound = {"type": "input_audio", "audio": second}
    send(decoder, "conversation.item.create", item=message(sound))
    said = refused(decoder, "conversation.item.create", item=message(sound))
    assert (said.code, said.param) == (EXCEEDED, "item.content[0].audio")


def test_a_response_of_its_own_input_keeps_nothing_but_is_bounded() -> None:
    decoder = new_decoder(text=1000)
    fields = {"conversation": "none", "input": [message(text("x" * 600)), message(text("y" * 600))]}
    said = refused(decoder, "response.create", response=fields)
    assert said.param == "response.input[1].content[0].text"
    for _ in range(3):
        send(decoder, "conversation.item.create", item=message(text("x" * 300)))


def test_an_item_is_referred_to_once_since_a_reference_costs_nothing() -> None:
    decoder = new_decoder()
    send(decoder, "conversation.item.create", item=message(text("x" * 900), id="a"))
    once = {"type": "item_reference", "id": "a"}
    send(decoder, "response.create", response={"conversation": "none", "input": [once]})
    fields = {"conversation": "none", "input": [once] * 300}
    said = refused(decoder, "response.create", response=fields)
    assert said.param == "response.input[1].id"


def test_an_item_that_the_core_refuses_costs_nothing() -> None:
    decoder = new_decoder(items=1)
    ids = decoder._ledger
    send(decoder, "conversation.item.create", item=message(text("hi"), id="a"))
    ids.refuse_offer()
    send(decoder, "conversation.item.create", item=message(text("hi"), id="b"))
    ids.accept_offer("b")
    assert refused(decoder, "conversation.item.create", item=message(text("hi"))).param == "item"


def test_an_item_that_is_deleted_and_put_in_again_is_counted_again() -> None:
    decoder = new_decoder(text=1000)
    ids = decoder._ledger
    long = message(text("x" * 900), id="a")
    send(decoder, "conversation.item.create", item=long)
    ids.accept_offer("a")
    ids.forget("a")
    send(decoder, "conversation.item.create", item=long)
    ids.accept_offer("a")
    said = refused(decoder, "conversation.item.create", item=message(text("x" * 200)))
    assert said.code == EXCEEDED
    ids.forget("a")
    send(decoder, "conversation.item.create", item=message(text("x" * 200)))


def test_a_refused_picture_pushes_none_out() -> None:
    decoder = new_decoder()
    ids = decoder._ledger
    for number in range(8):
        send(decoder, "conversation.item.create", item=message(picture(8), id=f"p{number}"))
        ids.accept_offer(f"p{number}")
    send(decoder, "conversation.item.create", item=message(picture(8), id="p7"))
    ids.refuse_offer()
    steps = send(decoder, "conversation.item.create", item=message(picture(8), id="p8"))
    assert [step.item_id for step in steps[1:]] == ["p0"]  # type: ignore[union-attr]


# ------------------------------------------------------------------------- what the model reads


class Narrow:
    """A model that reads ten letters of a text and has room for two functions."""

    def fitted(self, item: Item) -> Item:
        match item:
            case UserText(said) | AssistantText(said) | Instructions(said) if len(said) > 10:
                return replace(item, text=said[:10])
            case FunctionOutput(output=output) if len(output) > 10:
                return replace(item, output=output[:10])
            case FunctionCall(arguments=arguments) if len(arguments) > 10:
                return replace(item, arguments=arguments[:10])
        return item

    def num_fitting(self, tools: Sequence[Tool]) -> int:
        return min(2, len(tools))


def narrow_decoder() -> Decoder:
    return Decoder(WireIds("t", SessionBudget(measuring=Narrow())), SessionConfig(), 0.08)


LONG = "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (message(text(LONG)), [text(LONG[:10])]),
        (message(text("short"), text(LONG), text("x")), [text("short"), text(LONG[:5]), text("")]),
        (message(text(LONG), role="system"), [text(LONG[:10])]),
        (
            message({"type": "output_audio", "transcript": LONG}, role="assistant"),
            [{"type": "output_audio", "transcript": LONG[:10]}],
        ),
    ],
)
def test_a_text_beyond_the_room_is_cut_and_shown_cut(item: Any, shown: Any) -> None:
    (offered,) = send(narrow_decoder(), "conversation.item.create", item=item)
    assert isinstance(offered, events.ItemOffered)
    assert (offered.wire["status"], offered.wire["content"]) == ("incomplete", shown)
    read = [getattr(part, "text", None) for part in offered.parts]
    assert read == [next(iter(list(part.values())[1:])) for part in shown]


def test_what_fits_is_whole() -> None:
    (offered,) = send(narrow_decoder(), "conversation.item.create", item=message(text("short")))
    assert isinstance(offered, events.ItemOffered)
    assert offered.wire["status"] == "completed"


def test_an_output_beyond_the_room_is_cut_and_arguments_are_refused() -> None:
    output = {"type": "function_call_output", "call_id": "c", "output": LONG}
    (offered,) = send(narrow_decoder(), "conversation.item.create", item=output)
    assert isinstance(offered, events.ItemOffered)
    assert (offered.wire["status"], offered.wire["output"]) == ("incomplete", LONG[:10])
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": LONG}
    assert refused(narrow_decoder(), "conversation.item.create", item=call).code == EXCEEDED


def test_a_responses_own_input_beyond_the_room_is_refused() -> None:
    said = refused(narrow_decoder(), "response.create", response={"input": [message(text(LONG))]})
    assert (said.code, said.param) == (EXCEEDED, "response.input[0].content[0]")


def test_functions_beyond_the_room_are_refused_with_the_number_that_fits() -> None:
    tools = [{"type": "function", "name": name} for name in ("a", "b", "c")]
    decoder = narrow_decoder()
    said = refused(decoder, "session.update", session={"tools": tools})
    assert (said.code, said.param) == (EXCEEDED, "session.tools") and "first 2 of" in said.message
    send(decoder, "session.update", session={"tools": tools[:2]})
    said = refused(decoder, "response.create", response={"tools": tools})
    assert said.param == "response.tools"


# ------------------------------------------------------------------------- responses and updates


def test_open_responses_outside_the_conversation_are_few() -> None:
    decoder = new_decoder(out_of_band=2)
    fields = {"conversation": "none"}
    for _ in range(2):
        send(decoder, "response.create", response=fields)
    said = refused(decoder, "response.create", response=fields, event_id="e")
    assert (said.code, said.param, said.event_id) == (EXCEEDED, "response.conversation", "e")
    send(decoder, "response.create")
    decoder._ledger.budget.end_out_of_band()
    send(decoder, "response.create", response=fields)


def test_who_asks_for_many_responses_is_read_more_slowly_though_they_are_cancelled() -> None:
    decoder, waits = new_decoder(responses_a_second=2), []
    for _ in range(10):
        send(decoder, "response.create", response={"conversation": "none"})
        waits.append(decoder.pause())
        send(decoder, "response.cancel")
        assert decoder.pause() == 0
        decoder._ledger.budget.end_out_of_band()
    assert waits == [0] * 8 + [0.5, 1.0]


def test_pictures_of_one_message_are_few_however_small() -> None:
    said = refused(
        new_decoder(),
        "response.create",
        response={"conversation": "none", "input": [message(*[picture(8)] * 8)] * 9},
    )
    assert (said.code, said.param) == (EXCEEDED, "response.input[8].content[0].image_url")


def test_session_updates_a_second_are_counted() -> None:
    clock = Clock()
    decoder = new_decoder(clock, updates_a_second=1)
    for _ in range(2):
        send(decoder, "session.update", session={"instructions": "x"})
    said = refused(decoder, "session.update", session={"instructions": "x"})
    assert (said.code, said.param) == (EXCEEDED, "session")
    clock.now = 1.0
    send(decoder, "session.update", session={"instructions": "x"})


def test_a_whole_session_is_bounded() -> None:
    decoder = new_decoder(session_bytes=20_000)
    said = refused(decoder, "session.update", session={"prompt": {"id": "x" * 20_000}})
    assert (said.code, said.param) == (EXCEEDED, "session")
    assert decoder.session.prompt is None


@pytest.mark.parametrize(
    ("patch", "param"),
    [
        ({"prompt": {"variables": dict.fromkeys(map(str, range(600)), "x")}}, "session.prompt"),
        ({"reasoning": {"a": [[]] * 600}}, "session.reasoning"),
        ({"tracing": {"a": {"b": [{"c": 1}] * 300}}}, "session.tracing"),
        ({"audio": {"input": {"transcription": {"x": [1] * 600}}}}, "session.audio"),
    ],
)
def test_a_session_of_many_small_values_is_refused_since_each_update_walks_through_it(
    patch: dict[str, Any], param: str
) -> None:
    said = refused(new_decoder(), "session.update", session=patch)
    assert (said.code, said.param) == (EXCEEDED, param)


def test_a_bucket_that_nobody_used_is_full() -> None:
    clock = Clock()
    bucket = TokenBucket(2, 2, clock)
    assert bucket.is_full
    assert bucket.try_take()
    assert not bucket.is_full
    clock.now = 0.5
    assert bucket.is_full
