"""What is large or deep is refused on the way in, or taken in little memory."""

from __future__ import annotations

import base64

import numpy as np
import orjson
import pytest

from models.base import (
    HEAR_RATE,
)
from models.capabilities import Capabilities
from server.realtime.budget import SessionBudget
from server.realtime.client_events import Append
from server.realtime.decode import Decoder, LongAudioReceived
from server.realtime.formats import PCM, SoundReader, decode_base64
from server.realtime.json_input import MAX_DEPTH, MAX_MARKS, MAX_VALUES, parse_object
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig
from server.realtime.wire_ids import WireIds
from tests.server.budgeted import message, new_decoder, picture, refused, send, text

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
