"""What one session may put into the server: counted in one place, refused by the field's name."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image

from duplex import events
from models.base import (
    HEAR_RATE,
    AssistantText,
    Capabilities,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    Tool,
    UserImage,
    UserText,
)
from server.realtime.budget import EXCEEDED, BudgetSettings, SessionBudget, TokenBucket
from server.realtime.client_events import Append
from server.realtime.decode import Decoder, LongAudioReceived, Step
from server.realtime.formats import PCM, SoundReader, decode_base64
from server.realtime.functions import check_functions
from server.realtime.images import MAX_PIXELS
from server.realtime.json_input import MAX_DEPTH, MAX_MARKS, MAX_VALUES, parse_object
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig
from server.realtime.session_fields import FunctionTool
from server.realtime.wire_ids import WireIds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def new_decoder(clock: Clock | None = None, **limits: Any) -> Decoder:
    budget = SessionBudget(BudgetSettings(**limits), clock or Clock())
    return Decoder(WireIds("t", budget), SessionConfig(), 0.08)


def send(decoder: Decoder, kind: str, **fields: Any) -> list[Step]:
    return decoder.decode(orjson.dumps({"type": kind, **fields}))


def refused(decoder: Decoder, kind: str, **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        send(decoder, kind, **fields)
    return caught.value


def message(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": list(content), **fields}


def text(words: str) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def picture(side: int, form: str = "PNG") -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("P", (side, side)).save(stream, form)
    data = base64.b64encode(stream.getvalue()).decode()
    return {"type": "input_image", "image_url": f"data:image/{form.lower()};base64,{data}"}


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


# ------------------------------------------------------------------------------------ functions


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        value = {"type": "object", "properties": {"a": value}}
    return value


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"properties": 5}, "parameters.properties"),
        ({"properties": []}, "parameters.properties"),
        ({"properties": {"a": 5}}, "parameters.properties.a"),
        ({"properties": {"a": {"type": "objekt"}}}, "parameters.properties.a.type"),
        ({"properties": {"a": {"minimum": "x"}}}, "parameters.properties.a.minimum"),
        ({"required": "a"}, "parameters.required"),
        ({"type": "string"}, "parameters.type"),
        ({"type": ["object", 3]}, "parameters.type"),
        ({"$ref": 5}, "parameters.$ref"),
    ],
)
def test_a_schema_that_is_none_is_refused_by_its_path(
    parameters: dict[str, Any], param: str
) -> None:
    tool = {"type": "function", "name": "f", "parameters": parameters}
    said = refused(new_decoder(), "session.update", session={"tools": [tool]})
    assert said.param == f"session.tools[0].{param}"
    said = refused(new_decoder(), "response.create", response={"tools": [tool]})
    assert said.param == f"response.tools[0].{param}"


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {"a": {"items": [{}]}},
        },
        {"$schema": "http://127.0.0.1:1/nowhere", "$ref": "http://127.0.0.1:1/nothing"},
        nested(14),
    ],
)
def test_what_clients_write_is_taken_and_nothing_is_looked_up(
    parameters: dict[str, Any] | None,
) -> None:
    check_functions([FunctionTool(name="f", parameters=parameters)], BudgetSettings(), "tools")


def test_functions_are_few_small_and_flat() -> None:
    tool = FunctionTool(name="f", description="x" * 600)
    limits = BudgetSettings(functions=2, function_bytes=1024, function_depth=8)
    for tools, param in [
        ([FunctionTool(name="f")] * 3, "tools"),
        ([tool] * 2, "tools[1]"),
        ([FunctionTool(name="f", parameters=nested(4))], "tools[0].parameters"),
    ]:
        with pytest.raises(Refusal) as caught:
            check_functions(tools, limits, "tools")
        assert (caught.value.code, caught.value.param) == (EXCEEDED, param)


# ----------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_depth_is_refused_on_the_way_in(opening: str) -> None:
    closing = "}" if opening[0] == "{" else "]"

    def nest(levels: int) -> str:
        return '{"x":' + opening * (levels - 1) + "1" + closing * (levels - 1) + "}"

    parse_object(nest(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 300, 900, 100_000):
        with pytest.raises(Refusal) as caught:
            parse_object(nest(levels))
        assert caught.value.code == "invalid_json"


def test_values_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orjson, "loads", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(Refusal, match="values"):
        parse_object('{"x":[' + "[]," * MAX_MARKS + "1]}")


@pytest.mark.parametrize("shape", ['{"x":[%s1]}', '{"y":{"z":[[%s1]]}}'])
def test_values_are_counted_exactly_and_not_those_in_texts(shape: str) -> None:
    parse_object(shape % ("1," * (MAX_VALUES - 10)))
    with pytest.raises(Refusal, match="values"):
        parse_object(shape % ("1," * MAX_VALUES))
    parse_object(orjson.dumps({"x": "a,b:[" * MAX_VALUES}))


# ---------------------------------------------------------------------------------------- sound


@pytest.mark.parametrize("size", [0, 1, 2, 3, 2**18 - 1, 2**18, 2**19 + 7])
def test_base64_in_pieces_is_base64(size: int) -> None:
    data = np.random.default_rng(1).bytes(size)
    assert decode_base64(base64.b64encode(data).decode(), "audio") == data


@pytest.mark.parametrize("bad", ["AA==AAAA", "A" * (2**18 - 2) + "==" + "A" * 8, "AAA", "*", "é"])
def test_no_base64_is_refused(bad: str) -> None:
    with pytest.raises(Refusal) as caught:
        decode_base64(bad, "audio")
    assert caught.value.param == "audio"


def test_a_long_append_is_resampled_in_little_memory() -> None:
    import tracemalloc

    data = np.random.default_rng(1).integers(-9000, 9000, 2_000_000).astype("<i2").tobytes()
    whole, parts = SoundReader(PCM), SoundReader(PCM)
    tracemalloc.start()
    samples = whole.push(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(data)
    pieces = [parts.push(data[at : at + 96_000]) for at in range(0, len(data), 96_000)]
    np.testing.assert_array_equal(samples, np.concatenate(pieces))


def test_what_the_model_cannot_do_is_refused_before() -> None:
    blind = SessionBudget(can=Capabilities(pictures=False, tools=False))
    decoder = Decoder(WireIds("t", blind), SessionConfig(), 0.08)
    said = refused(decoder, "conversation.item.create", item=message(picture(8)))
    assert (said.code, said.param) == ("unsupported_content_type", "item.content[0].type")
    tool = {"type": "function", "name": "f"}
    said = refused(decoder, "session.update", session={"tools": [tool]})
    assert said.param == "session.tools"
    send(decoder, "session.update", session={"tools": []})
    send(decoder, "conversation.item.create", item=message(text("hi")))


@pytest.mark.parametrize("name", ["de", "de-DE", "xx"])
def test_a_language_that_the_model_does_not_know_is_refused(name: str) -> None:
    can = Capabilities(languages=("en", "zh"))
    budget = SessionBudget(can=can)
    decoder = Decoder(WireIds("t", budget), SessionConfig(), 0.08)
    audio = {"input": {"transcription": {"language": name}}}
    said = refused(decoder, "session.update", session={"audio": audio})
    assert said.param == "session.audio.input.transcription.language"
    assert "en and zh" in said.message
    for known in ("en", "en-US", "ZH_cn", None):
        wanted = {"audio": {"input": {"transcription": {"language": known}}}}
        send(decoder, "session.update", session=wanted)
    send(new_decoder(), "session.update", session={"audio": {"input": {"transcription": {}}}})


def test_what_can_never_fit_into_the_context_is_refused_before_it_is_decoded() -> None:
    budget = SessionBudget(can=Capabilities(context=10, longest_sound=1.0))
    decoder = Decoder(WireIds("t", budget), SessionConfig(), 0.08)
    second = base64.b64encode(bytes(48_000)).decode()
    sound = {"type": "input_audio", "audio": second}
    send(decoder, "conversation.item.create", item=message(text("x" * 640), sound))
    longer = {"type": "input_audio", "audio": base64.b64encode(bytes(60_000)).decode()}
    output = {"type": "function_call_output", "call_id": "c", "output": "x" * 700}
    for item, param in [
        (message(text("x" * 641)), "item.content[0].text"),
        (message(sound, longer), "item.content[1].audio"),
        (output, "item.output"),
    ]:
        said = refused(decoder, "conversation.item.create", item=item)
        assert (said.code, said.param) == ("context_length_exceeded", param)
    said = refused(decoder, "response.create", response={"input": [message(longer)]})
    assert said.param == "response.input[0].content[0].audio"


# ------------------------------------------------------------------------------- large messages


def test_a_long_append_becomes_samples_little_by_little() -> None:
    data = np.random.default_rng(2).integers(-9000, 9000, 400_000).astype("<i2").tobytes()
    audio = base64.b64encode(data).decode()
    (step,) = send(new_decoder(), "input_audio_buffer.append", audio=audio)
    assert isinstance(step, LongAudioReceived)
    pieces = list(step.pieces())
    assert max(map(len, pieces)) <= HEAR_RATE // 2
    np.testing.assert_array_equal(np.concatenate(pieces), SoundReader(PCM).push(data))
    assert not step.encoded


def test_the_largest_append_takes_little_more_memory_than_on_the_wire() -> None:
    import tracemalloc

    decoder = new_decoder()
    form = {"type": "audio/pcmu"}
    send(decoder, "session.update", session={"audio": {"input": {"format": form}}})
    audio = base64.b64encode(bytes(15 * 2**20)).decode()
    event = Append(type="input_audio_buffer.append", audio=audio)
    tracemalloc.start()
    (step,) = decoder.steps(event)
    assert isinstance(step, LongAudioReceived)
    assert sum(len(piece) for piece in step.pieces()) / HEAR_RATE == pytest.approx(1966, abs=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * len(audio)  # as sound it is six times as much
