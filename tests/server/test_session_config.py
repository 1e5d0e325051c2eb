"""Sparse changes of a session: what is kept, cleared, reset and refused."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import SessionUpdatedEvent

from duplex.endpointing import Eagerness, TurnDetection
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig

FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


def detection(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": fields}}}


def test_default_is_semantic() -> None:
    settings = SessionConfig().settings()
    assert settings.turn_detection is TurnDetection.SEMANTIC
    assert settings.eagerness is Eagerness.AUTO
    assert settings.interrupt_response


def test_what_agents_sdk_sends_first_is_accepted() -> None:
    """Trap 10: its defaults, then tracing, one after the other."""
    first = {
        "type": "realtime",
        "model": "nano",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "noise_reduction": None,
                "transcription": {"model": "gpt-4o-mini-transcribe", "delay": "low"},
                "turn_detection": {"type": "semantic_vad"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "speed": 1},
        },
        "tools": [FUNCTION],
    }
    config = SessionConfig().changed(first).changed({"type": "realtime", "tracing": "auto"})
    assert config.tracing == "auto"
    assert config.audio.input.transcription is not None
    # Trap 11: it decides by this echo whether to cancel answers itself.
    shown = config.echo("sess_1", 1)["audio"]["input"]["turn_detection"]
    assert shown["interrupt_response"] is True
    assert shown["create_response"] is True


@pytest.mark.parametrize(
    ("patch", "path", "value"),
    [
        ({"instructions": "be brief"}, ("instructions",), "be brief"),
        ({"instructions": ""}, ("instructions",), ""),
        ({"tools": []}, ("tools",), []),
        (
            {"audio": {"input": {"turn_detection": None}}},
            ("audio", "input", "turn_detection"),
            None,
        ),
        ({"audio": {"input": {"transcription": None}}}, ("audio", "input", "transcription"), None),
        ({"audio": {"output": {"voice": {"id": "ash"}}}}, ("audio", "output", "voice"), "ash"),
        ({"audio": {"output": {"voice": None}}}, ("audio", "output", "voice"), "default"),
        ({"audio": {"output": {"speed": 0.25}}}, ("audio", "output", "speed"), 0.25),
        ({"output_modalities": ["text"]}, ("output_modalities",), ["text"]),
        ({"output_modalities": ["audio", "text"]}, ("output_modalities",), ["audio"]),
        ({"truncation": "disabled"}, ("truncation",), "disabled"),
        ({"reasoning": {"effort": "low"}}, ("reasoning",), {"effort": "low"}),
        ({"include": ["item.input_audio_transcription.logprobs"]}, ("include", 0), None),
        (
            {"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
            ("audio", "input", "format"),
            {"type": "audio/pcmu"},
        ),
        (
            {"audio": {"input": {"format": {"type": "audio/pcm"}}}},
            ("audio", "input", "format"),
            {"type": "audio/pcm", "rate": 24000},
        ),
        ({"antiphon": {"seed": 7}}, ("antiphon", "seed"), 7),
        ({"antiphon": {"seed": 7}}, ("antiphon", "playback_ack"), True),
    ],
)
def test_sparse_change(patch: dict[str, Any], path: tuple[str | int, ...], value: Any) -> None:
    before = SessionConfig().changed(
        {
            "instructions": "old",
            "tools": [FUNCTION],
            "audio": {"input": {"transcription": {"model": "any"}}, "output": {"voice": "old"}},
            "antiphon": {"playback_ack": True, "seed": 1},
        }
    )
    shown: Any = before.changed(patch).echo("sess_1", 1)
    for part in path:
        shown = shown[part]
    assert shown == value or path[0] == "include"


def test_partial_turn_detection_keeps_the_rest() -> None:
    config = SessionConfig().changed(detection(type="server_vad", threshold=0.3))
    config = config.changed(detection(silence_duration_ms=200))
    settings = config.settings()
    assert (settings.threshold, settings.silence_duration) == (0.3, 0.2)
    again = config.changed(detection(type="semantic_vad", eagerness="low")).settings()
    assert (again.turn_detection, again.eagerness) == (TurnDetection.SEMANTIC, Eagerness.LOW)


@pytest.mark.parametrize(
    ("patch", "code", "param"),
    [
        ({"instuctions": "x"}, "unknown_parameter", "session.instuctions"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"model": "other"}, "invalid_value", "session.model"),
        ({"audio": 3}, "invalid_value", "session.audio"),
        ({"output_modalities": []}, "invalid_value", "session.output_modalities"),
        ({"max_output_tokens": 0}, "invalid_value", "session.max_output_tokens"),
        ({"tools": [{"type": "mcp"}]}, "invalid_value", "session.tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        (
            {"tool_choice": {"type": "function", "name": "no"}},
            "invalid_value",
            "session.tool_choice",
        ),
        (
            detection(type="server_vad", threshold=3),
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (detection(type="magic"), "invalid_value", "session.audio.input.turn_detection"),
        (
            {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 16000}}}},
            "invalid_value",
            "session.audio.output.format",
        ),
        ({"audio": {"output": {"speed": 0}}}, "invalid_value", "session.audio.output.speed"),
        ({"voice": "ash"}, "unknown_parameter", "session.voice"),
        ({"metadata": {"k": "v" * 513}}, "invalid_value", "session.metadata"),
        (
            {"tool_choice": {"type": "mcp", "server_label": "x"}},
            "invalid_value",
            "session.tool_choice",
        ),
        ({"antiphon": {"events": ["all"]}}, "invalid_value", "session.antiphon.events[0]"),
        (
            {"antiphon": {"sensitivity": {"query": 2}}},
            "invalid_value",
            "session.antiphon.sensitivity.query",
        ),
    ],
)
def test_refused_change_names_the_field(patch: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(Refusal) as caught:
        SessionConfig().changed({"instructions": "must not stick", **patch})
    assert (caught.value.code, caught.value.param) == (code, param)


@pytest.mark.parametrize(
    ("patch", "path", "value"),
    [
        ({"metadata": {"user": "7"}}, ("metadata",), {"user": "7"}),
        ({"safety_identifier": "s"}, ("safety_identifier",), "s"),
        ({"verbosity": "low"}, ("verbosity",), "low"),
        ({"service_tier": "priority"}, ("service_tier",), "default"),
        ({"parallel_tool_calls": False}, ("parallel_tool_calls",), False),
        ({"audio": {"output": {"speed": 4}}}, ("audio", "output", "speed"), 1.5),
        ({"audio": {"output": {"speed": 0.1}}}, ("audio", "output", "speed"), 0.25),
        ({"model": "gpt-4o-mini-realtime-preview"}, ("model",), "nano"),
        (detection(type="none"), ("audio", "input", "turn_detection"), None),
    ],
)
def test_shows_what_a_field_came_to(
    patch: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    shown: Any = SessionConfig().changed(patch).echo("sess_1", 1)
    for part in path:
        shown = shown[part]
    assert shown == value


def test_every_beta_field_is_named_with_what_it_is_called_today() -> None:
    beta = {
        "modalities": ["audio"],
        "voice": "ash",
        "input_audio_format": "pcm16",
        "turn_detection": {"type": "server_vad"},
        "max_response_output_tokens": 9,
    }
    with pytest.raises(Refusal) as caught:
        SessionConfig().changed(beta)
    for name in ("output_modalities", "audio.output.voice", "audio.input.format"):
        assert f"'session.{name}'" in caught.value.message
    assert "'session.audio.input.turn_detection'" in caught.value.message


@pytest.mark.parametrize("before", [None, {"type": "server_vad"}, {"type": "semantic_vad"}])
def test_null_means_the_default_whatever_was_set_before(before: dict[str, Any] | None) -> None:
    names = ("threshold", "prefix_padding_ms", "idle_timeout_ms", "create_response")
    nulls = detection(type="server_vad", **dict.fromkeys(names))
    config = SessionConfig().changed({"audio": {"input": {"turn_detection": before}}})
    assert config.changed(nulls) == SessionConfig().changed(detection(type="server_vad"))


def test_voice_is_fixed_once_it_was_heard() -> None:
    config = SessionConfig()
    patch = {"audio": {"output": {"voice": "other"}}}
    assert config.changed(patch).audio.output.voice == "other"
    with pytest.raises(Refusal) as caught:
        config.changed(patch, voice_spoken=True)
    assert caught.value.param == "session.audio.output.voice"
    assert config.changed({"audio": {"output": {"voice": "default"}}}, voice_spoken=True)


def test_extension_reaches_the_core() -> None:
    patch = {
        "max_output_tokens": 9,
        "antiphon": {
            "sensitivity": {"query": 0.7, "sure": 0.9, "take": 0.8},
            "lead_ms": 40,
            "seed": 3,
            "strict_truncate": True,
            "speculate": False,
            "endpoint_delay_ms": 0,
        },
    }
    settings = SessionConfig().changed(patch).settings(lead=0.2)
    assert (settings.query_threshold, settings.noise_threshold) == (0.7, 0.5)
    assert settings.sure_threshold == 0.9
    assert (settings.take_threshold, settings.lead, settings.endpoint_delay) == (0.8, 0.04, 0.0)
    assert (settings.answer.seed, settings.answer.max_tokens) == (3, 9)
    assert settings.strict_truncate
    assert not settings.speculate
    assert SessionConfig().settings(lead=0.2).lead == 0.2


def test_echo_is_whole_and_valid() -> None:
    event: dict[str, Any] = {
        "type": "session.updated",
        "event_id": "e",
        "session": SessionConfig().changed({"tools": [FUNCTION]}).echo("sess_1", 1),
    }
    session: Any = SessionUpdatedEvent.model_validate(event).session
    assert session.type == "realtime"
    for key in ("id", "object", "expires_at", "model", "tracing", "tool_choice", "include"):
        assert key in event["session"]
    assert isinstance(event["session"]["audio"]["output"]["voice"], str)  # traps 5 and 17


def test_answers_have_the_speed_that_was_asked_for() -> None:
    config = SessionConfig().changed({"audio": {"output": {"speed": 1.25}}})
    assert config.answer_options().speed == 1.25
