"""Client events that are nearly right: each is a valid one of which some places are something else.

The grammar is known (every event, every field, with a good value), so that most mutants come past
the outer checks and reach what lies behind.
"""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from PIL import Image

Event = dict[str, Any]
Place = tuple[Any, Any]  # a list or an object, and an index or a key of it


def _picture(side: int, form: str = "PNG") -> str:
    stream = io.BytesIO()
    Image.new("P", (side, side)).save(stream, form)
    data = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/{form.lower()};base64,{data}"


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


_SOUND = base64.b64encode(bytes(4_800)).decode()
_TOOL = {
    "type": "function",
    "name": "set_timer",
    "description": "Sets a timer.",
    "parameters": {
        "type": "object",
        "properties": {"minutes": {"type": "integer", "minimum": 1}, "name": {"type": "string"}},
        "required": ["minutes"],
    },
}
_ITEMS: tuple[Event, ...] = (
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
    {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
    {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": _SOUND}]},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": _picture(64), "detail": "low"},
        ],
    },
    {"type": "function_call", "name": "set_timer", "call_id": "c1", "arguments": '{"minutes": 3}'},
    {"type": "function_call_output", "call_id": "c1", "output": '{"ok": true}'},
)
_SESSION: Event = {
    "type": "realtime",
    "model": "nano",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "x", "language": "en"},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "default", "speed": 1},
    },
    "tools": [_TOOL],
    "tool_choice": "auto",
    "max_output_tokens": 8,
    "reasoning": {"effort": "low"},
    "tracing": "auto",
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
    "include": ["item.input_audio_transcription.logprobs"],
    "prompt": {"id": "p", "variables": {"a": "b"}},
    "antiphon": {
        "events": ["decision", "verdict", "state", "swap", "duck"],
        "playback_ack": True,
        "strict_truncate": True,
        "sensitivity": {"query": 0.5, "sure": 0.9, "noise": 0.5, "take": 0.8},
        "endpoint_delay_ms": 100,
        "lead_ms": 0,
        "speculate": True,
        "seed": 1,
        "temperature": 0.5,
    },
}
_SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 100,
    "silence_duration_ms": 200,
    "idle_timeout_ms": 5000,
    "create_response": True,
    "interrupt_response": True,
}
_RESPONSE: Event = {
    "conversation": "none",
    "instructions": "Say yes.",
    "input": [_ITEMS[0], {"type": "item_reference", "id": "i0"}],
    "output_modalities": ["text"],
    "max_output_tokens": 4,
    "metadata": {"a": "b"},
    "tools": [_TOOL],
    "tool_choice": {"type": "function", "name": "set_timer"},
    "parallel_tool_calls": True,
    "audio": {"output": {"voice": "default"}},
}
VALID: tuple[Event, ...] = (
    *({"type": "conversation.item.create", "item": item} for item in _ITEMS),
    {
        "type": "conversation.item.create",
        "item": {**_ITEMS[0], "id": "i0"},
        "previous_item_id": "root",
    },
    {"type": "conversation.item.retrieve", "item_id": "i0"},
    {"type": "conversation.item.delete", "item_id": "i0"},
    {
        "type": "conversation.item.truncate",
        "item_id": "i0",
        "content_index": 0,
        "audio_end_ms": 100,
    },
    {"type": "session.update", "session": _SESSION},
    {
        "type": "session.update",
        "session": {"audio": {"input": {"turn_detection": _SERVER_VAD}}},
    },
    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}},
    {"type": "response.create"},
    {"type": "response.create", "response": _RESPONSE},
    {"type": "response.create", "response": {"max_output_tokens": 4}},
    {"type": "response.cancel"},
    {"type": "response.cancel", "response_id": "resp_x_1"},
    {"type": "input_audio_buffer.append", "audio": _SOUND},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {"type": "antiphon.playback", "item_id": "i0", "audio_ms": 100},
)
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, 2**31, 2**63, -(2**63), 1e308, -0.0, 1e-308),
    *("", " ", "x" * 129, "x" * 70_000, "\0", "\u202e", "\U0001f600" * 40, "<end>" * 200),
    *("<e" * 2_000 + "<end>" + "nd>" * 2_000, "none", "auto", "root", "AA", "A" * 4_001, "=" * 8),
    *("data:image/png;base64,AAAA", "http://127.0.0.1:9/x", "file:///etc/passwd", _picture(6_000)),
    *(_picture(900, "GIF"), _picture(900, "WEBP"), "function_call", "../..", "%s%n", "NaN"),
    *([], {}, [[]], [None], {"": None}, {"a" * 500: 1}, list(range(300)), ["x"] * 600),
    *(
        _nested(40),
        _nested(63),
        _nested(70),
        _nested(300),
        {"type": "server_vad"},
        _TOOL,
        _ITEMS[4],
    ),
    *({"properties": 5}, {"type": "objekt"}, {"properties": {"a": {"$ref": "#"}}}, _SERVER_VAD),
)


def places(value: Any) -> Iterator[Place]:
    """Every place in a value where something else could stand."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def mutant(random: Random) -> str | bytes:
    """One message: text, or bytes that are none."""
    event = copy.deepcopy(random.choice(VALID))
    if random.random() < 0.3:
        event["event_id"] = f"e{random.randrange(1000)}"
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        _change(random, event)
    text = json.dumps(event, allow_nan=True)
    return _spoilt(random, text) if random.random() < 0.08 else text


def _change(random: Random, event: Event) -> None:
    found = list(places(event))
    if not found:
        return
    holder, key = random.choice(found)
    match random.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[random.choice(("unknown", "type", "id", "name", "", "\0"))] = _any(random)
        case 2:
            other = copy.deepcopy(random.choice(VALID))
            where, which = random.choice(list(places(other)))
            holder[key] = where[which]
        case _:
            holder[key] = _any(random)


def _any(random: Random) -> Any:
    return copy.deepcopy(random.choice(NASTY))


def _spoilt(random: Random, text: str) -> str | bytes:
    """No JSON, or hardly any."""
    at = random.randrange(len(text))
    return random.choice(
        (
            text[:at],
            text[:at] + random.choice('{}[]",:\\') + text[at:],
            text + text,
            " " * 70_000 + text,
            text.replace('"', "'"),
            text.replace(":", ": NaN,", 1),
            text.replace('"type"', '"type": "response.create", "type"', 1),
            text[:at] + "\\ud800" + text[at:],
            "[" * random.choice((10, 1_000, 200_000)),
            "[" + "[]," * random.choice((100, 150_000)) + "1]",
            "1" * random.choice((10, 5_000)),
            text.encode()[:at] + b"\xff\xfe" + text.encode()[at:],
            b"",
        )
    )
