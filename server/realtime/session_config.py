"""One session's effective configuration: sparse changes in, full echo out."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from duplex.endpointing import Eagerness, Settings, TurnDetection
from models.base import AnswerOptions, Tool
from server.realtime.model_names import ModelNames
from server.realtime.refusal import INVALID, Refusal, from_validation
from server.realtime.session_fields import (
    Audio,
    Extension,
    FunctionTool,
    Label,
    MaxTokens,
    Metadata,
    Modalities,
    SemanticVad,
    ServerVad,
    Strict,
    ToolChoice,
    Truncation,
    choice_option,
)

# Objects that are replaced as a whole; all others are merged key by key.
_WHOLE = {"format", "tool_choice", "tracing", "truncation", "prompt", "reasoning", "tools", "voice"}
_WHOLE |= {"metadata"}
_CLEARED_BY_NULL = {"turn_detection", "transcription", "noise_reduction", "idle_timeout_ms"}
# Clients read these as null when they are off; a null deeper inside trips some of them.
_SHOWN_WHEN_OFF = ("tracing", "prompt", "include", "reasoning")
_SHOWN_INPUT_WHEN_OFF = ("transcription", "noise_reduction", "turn_detection")
SERVICE_TIER = "default"  # there is only one, whichever is asked for
_SERVER_ONLY = ("id", "object", "expires_at", "client_secret")
_SERVER_ONLY_EXTENSION = ("resume_token", "resume_seconds", "resumed")


class SessionConfig(Strict):
    """The configuration of one session. It is never changed: a change makes a new one, and a
    refused change none."""

    type: Literal["realtime"] = "realtime"
    model: str = "nano"
    output_modalities: Modalities = Field(default=["audio"])
    instructions: str = Field(default="", max_length=200_000)
    audio: Audio = Audio()
    tools: list[FunctionTool] = Field(default=[], max_length=128)
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: MaxTokens = "inf"
    reasoning: dict[str, Any] | None = None
    tracing: Literal["auto"] | dict[str, Any] | None = None
    truncation: Truncation = "auto"
    include: list[str] | None = None
    prompt: dict[str, Any] | None = None
    metadata: Metadata | None = None
    safety_identifier: Label | None = None
    service_tier: Label | None = None
    verbosity: Label | None = None
    antiphon: Extension = Extension()

    @field_validator("output_modalities")
    @classmethod
    def _one_modality(cls, value: list[str]) -> list[str]:
        """Audio comes with its words, so ["audio", "text"] of older clients means ["audio"]."""
        return ["audio"] if "audio" in value else ["text"]

    @property
    def speaks(self) -> bool:
        return self.output_modalities == ["audio"]

    def changed(
        self,
        patch: dict[str, Any],
        *,
        voice_spoken: bool = False,
        names: ModelNames | None = None,
    ) -> SessionConfig:
        """This configuration with the client's sparse `session` applied, whole or not at all.

        An absent key keeps its value; null clears what can be off and resets the rest to its
        default. `names` are those that stand for the model. Raises Refusal naming the field.
        """
        patch = {key: value for key, value in patch.items() if key not in _SERVER_ONLY}
        if isinstance(ours := patch.get("antiphon"), dict):
            kept = {key: value for key, value in ours.items() if key not in _SERVER_ONLY_EXTENSION}
            patch["antiphon"] = kept
        if "model" in patch:
            patch["model"] = self._own_model(patch["model"], names or ModelNames(self.model))
        merged = _merge(self.model_dump(), patch)
        if merged.get("service_tier") is not None:
            merged["service_tier"] = SERVICE_TIER
        try:
            config = SessionConfig.model_validate(merged)
        except ValidationError as error:
            raise from_validation(error, "session") from None
        self._check_fixed(config, voice_spoken)
        return config

    def _own_model(self, name: Any, names: ModelNames) -> str:
        """The model that answers, under whichever of its names it is asked for."""
        if names.answers_to(name):
            return self.model
        raise Refusal(names.refusal(name), code=INVALID, param="session.model")

    def _check_fixed(self, config: SessionConfig, voice_spoken: bool) -> None:
        check_choice(config.tool_choice, config.tools, "session.tool_choice")
        if voice_spoken and config.audio.output.voice != self.audio.output.voice:
            raise Refusal(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
                param="session.audio.output.voice",
            )

    def echo(self, session_id: str, expires_at: int | None) -> dict[str, Any]:
        """The whole effective session as `session.created` and `session.updated` show it. It has no
        `expires_at` where it has no end."""
        shown = self.model_dump(mode="json", exclude_none=True)
        shown["audio"]["input"]["format"] = self.audio.input.format.echo()
        shown["audio"]["output"]["format"] = self.audio.output.format.echo()
        return {
            "id": session_id,
            "object": "realtime.session",
            **({} if expires_at is None else {"expires_at": expires_at}),
            **dict.fromkeys(_SHOWN_WHEN_OFF),
            **shown,
            "audio": {
                "input": {**dict.fromkeys(_SHOWN_INPUT_WHEN_OFF), **shown["audio"]["input"]},
                "output": shown["audio"]["output"],
            },
        }

    def model_tools(self) -> tuple[Tool, ...]:
        return tuple(tool.tool() for tool in self.tools)

    def answer_options(self) -> AnswerOptions:
        """What an answer is where the response itself says nothing else."""
        default, extension = AnswerOptions(), self.antiphon
        return AnswerOptions(
            speak=self.speaks,
            max_tokens=token_limit(self.max_output_tokens),
            seed=extension.seed,
            temperature=extension.temperature or default.temperature,
            speed=self.audio.output.speed,
            tool_choice=choice_option(self.tool_choice),
        )

    def settings(self, lead: float = Settings().lead) -> Settings:
        """The settings for the duplex core; `lead` (seconds) is the operator's default."""
        default, extension = Settings(), self.antiphon
        sensitivity = extension.sensitivity
        delay, gap = extension.endpoint_delay_ms, extension.audio_gap_ms
        return Settings(
            **_turn_settings(self.audio.input.turn_detection),
            query_threshold=_or(sensitivity.query, default.query_threshold),
            sure_threshold=_or(sensitivity.sure, default.sure_threshold),
            noise_threshold=_or(sensitivity.noise, default.noise_threshold),
            take_threshold=_or(sensitivity.take, default.take_threshold),
            endpoint_delay=None if delay is None else delay / 1000,
            speculate=default.speculate if extension.speculate is None else extension.speculate,
            speaker_profile=extension.speaker_profile,
            lead=lead if extension.lead_ms is None else extension.lead_ms / 1000,
            answer=self.answer_options(),
            transcript_ahead=extension.transcript_ahead,
            audio_gap=default.audio_gap if gap is None else gap / 1000,
            strict_truncate=extension.strict_truncate,
        )


def check_choice(choice: ToolChoice, tools: list[FunctionTool], param: str) -> None:
    """Raises Refusal where a function is demanded that is not declared."""
    if isinstance(choice, str) or choice.name in {tool.name for tool in tools}:
        return
    raise Refusal(f"tool_choice names '{choice.name}', which is not in tools.", param=param)


def token_limit(limit: MaxTokens) -> int:
    return AnswerOptions().max_tokens if limit == "inf" else limit


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _turn_settings(detection: ServerVad | SemanticVad | None) -> dict[str, Any]:
    if detection is None:
        return {"turn_detection": TurnDetection.MANUAL}
    shared = {
        "turn_detection": TurnDetection(detection.type),
        "create_response": detection.create_response,
        "interrupt_response": detection.interrupt_response,
    }
    if isinstance(detection, SemanticVad):
        return shared | {"eagerness": Eagerness(detection.eagerness)}
    idle = detection.idle_timeout_ms
    return shared | {
        "idle_timeout": None if idle is None else idle / 1000,
        "threshold": detection.threshold,
        "prefix_padding": detection.prefix_padding_ms / 1000,
        "silence_duration": detection.silence_duration_ms / 1000,
    }


def _merge(current: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The sparse rules. What is reset is left out, so that the model's default fills it."""
    merged = dict(current)
    for key, value in patch.items():
        if value is None and key not in _CLEARED_BY_NULL:
            merged.pop(key, None)
        elif _merges(key, merged.get(key), value):
            merged[key] = _merge(merged[key], value)
        elif isinstance(value, dict) and key not in _WHOLE:
            merged[key] = _merge({}, value)  # a null in a new object means the default, too
        else:
            merged[key] = value
    return merged


def _merges(key: str, old: Any, new: Any) -> bool:
    if key in _WHOLE or not isinstance(old, dict) or not isinstance(new, dict):
        return False
    # Another kind of turn detection starts from its own defaults.
    return new.get("type", old.get("type")) == old.get("type")
