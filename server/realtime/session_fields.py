"""The parts of a session object, as the client may write them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from models.base import Tool
from server.realtime.formats import PCM, InputFormat, OutputFormat

DEFAULT_VOICE = "default"
Event: TypeAlias = Literal["decision", "verdict", "state", "swap", "duck"]
Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


class Strict(BaseModel):
    """Unknown keys are refused, so that a misspelt field is never silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Open(BaseModel):
    """Keys that we do not know are kept and echoed: newer clients send more than is of use here."""

    model_config = ConfigDict(extra="allow", frozen=True)


# ------------------------------------------------------------------------------ turn detection


class ServerVad(Strict):
    type: Literal["server_vad"]
    threshold: Share = 0.5
    prefix_padding_ms: int = Field(default=300, ge=0, le=5_000)
    silence_duration_ms: int = Field(default=500, ge=0, le=10_000)
    idle_timeout_ms: int | None = Field(default=None, ge=1_000, le=600_000)
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Strict):
    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


# --------------------------------------------------------------------------------------- audio


class Transcription(Open):
    """Any model name is taken: the words come from the resident model's own aligner."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class NoiseReduction(Open):
    type: Literal["near_field", "far_field"] = "near_field"


class AudioInput(Strict):
    format: InputFormat = PCM
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = SemanticVad()


def voice_name(value: Any) -> Any:
    """Newer clients write {"id": name}; the answer is always a string."""
    return value.get("id") if isinstance(value, dict) else value


Voice = Annotated[str, BeforeValidator(voice_name), Field(min_length=1, max_length=64)]


class AudioOutput(Strict):
    format: OutputFormat = PCM
    voice: Voice = DEFAULT_VOICE
    speed: float = Field(default=1.0, ge=0.25, le=1.5)


class Audio(Strict):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


# --------------------------------------------------------------------------------------- tools


class FunctionTool(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["function"] = "function"
    name: str = Field(pattern=re.compile(r"^[a-zA-Z0-9_.-]{1,64}$"))
    description: str | None = None
    parameters: dict[str, Any] | None = None

    def tool(self) -> Tool:
        return Tool(self.name, self.description or "", self.parameters or {})


class FunctionChoice(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Literal["function"]
    name: str

    def option(self) -> str:
        return self.name


ToolChoice: TypeAlias = Literal["none", "auto", "required"] | FunctionChoice


def choice_option(choice: ToolChoice) -> str:
    """As models.base.AnswerOptions.tool_choice wants it."""
    return choice if isinstance(choice, str) else choice.name


# ---------------------------------------------------------------------- accepted without effect


class RetentionRatio(Open):
    type: Literal["retention_ratio"]
    retention_ratio: Share


Truncation: TypeAlias = Literal["auto", "disabled"] | RetentionRatio
Modalities = Annotated[list[Literal["audio", "text"]], Field(min_length=1, max_length=2)]
MaxTokens: TypeAlias = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]


# -------------------------------------------------------------------------------- our extension


class Sensitivity(Strict):
    """The probability that a state needs to act; null: the default of the profile."""

    query: Share | None = None
    sure: Share | None = None
    noise: Share | None = None
    take: Share | None = None


class Extension(Strict):
    """All that is ours in a session, under one key. Times are milliseconds."""

    events: list[Event] = Field(default=[])
    playback_ack: bool = False
    strict_truncate: bool = False
    sensitivity: Sensitivity = Sensitivity()
    endpoint_delay_ms: int | None = Field(default=None, ge=0, le=10_000)
    lead_ms: int | None = Field(default=None, ge=0, le=2_000)
    speculate: bool | None = None
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
