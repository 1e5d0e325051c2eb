"""The parts of a session object, as the client may write them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from models.base import Tool
from server.realtime.formats import PCM, InputFormat, OutputFormat

DEFAULT_VOICE = "default"
Event: TypeAlias = Literal["decision", "verdict", "state", "swap", "duck", "times"]
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


def no_detection(value: Any) -> Any:
    """Azure's clients write {"type": "none"} where OpenAI's write null."""
    return None if isinstance(value, dict) and value.get("type") == "none" else value


OptionalDetection = Annotated[TurnDetection | None, BeforeValidator(no_detection)]


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
    turn_detection: OptionalDetection = SemanticVad()


def voice_name(value: Any) -> Any:
    """Newer clients write {"id": name}; the answer is always a string."""
    return value.get("id") if isinstance(value, dict) else value


Voice = Annotated[str, BeforeValidator(voice_name), Field(min_length=1, max_length=64)]


SLOWEST, FASTEST = 0.25, 1.5
# What is asked for beyond these is clamped, and the session shows what it came to.
Speed = Annotated[
    float, Field(gt=0), AfterValidator(lambda speed: min(max(speed, SLOWEST), FASTEST))
]


class AudioOutput(Strict):
    format: OutputFormat = PCM
    voice: Voice = DEFAULT_VOICE
    speed: Speed = 1.0


class Audio(Strict):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


# --------------------------------------------------------------------------------------- tools


def only_functions(value: Any) -> Any:
    """Raises ValueError for tools that OpenAI's servers would call themselves."""
    if value != "function":
        raise ValueError(f"tools of type {value!r:.40} are not served, only 'function' is")
    return value


class FunctionTool(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Annotated[Literal["function"], BeforeValidator(only_functions)] = "function"
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


def a_function(value: Any) -> Any:
    """Raises ValueError for a choice among tools that are not served."""
    if isinstance(value, dict) and value.get("type") != "function":
        raise ValueError(f"type {value.get('type')!r:.40} is not served, only 'function' is")
    return value


ToolChoice = Annotated[
    Literal["none", "auto", "required"] | FunctionChoice, BeforeValidator(a_function)
]


def choice_option(choice: ToolChoice) -> str:
    """As models.base.AnswerOptions.tool_choice wants it."""
    return choice if isinstance(choice, str) else choice.name


# ---------------------------------------------------------------------- accepted without effect


MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512


def check_metadata(pairs: dict[str, str]) -> dict[str, str]:
    """The protocol's bounds of metadata. Raises ValueError."""
    if len(pairs) > MOST_PAIRS:
        raise ValueError(f"at most {MOST_PAIRS} pairs of metadata are taken")
    if any(len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE for key, value in pairs.items()):
        raise ValueError(f"a key has at most {LONGEST_KEY} letters, a value {LONGEST_VALUE}")
    return pairs


class RetentionRatio(Open):
    type: Literal["retention_ratio"]
    retention_ratio: Share


Truncation: TypeAlias = Literal["auto", "disabled"] | RetentionRatio
Modalities = Annotated[list[Literal["audio", "text"]], Field(min_length=1, max_length=2)]
Label = Annotated[str, StringConstraints(max_length=512)]
Metadata: TypeAlias = Annotated[dict[str, str], AfterValidator(check_metadata)]
MaxTokens: TypeAlias = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]


# -------------------------------------------------------------------------------- our extension


class Sensitivity(Strict):
    """The probability that a state needs to act; null: the default of the profile."""

    query: Share | None = None
    sure: Share | None = None
    noise: Share | None = None
    take: Share | None = None


class Extension(Strict):
    """The fields of a session that OpenAI's protocol does not have, under the key `antiphon`. Times
    are milliseconds."""

    events: list[Event] = Field(default=[])
    playback_ack: bool = False
    strict_truncate: bool = False
    transcript_ahead: bool = False
    audio_gap_ms: int | None = Field(default=None, ge=100, le=10_000)
    sensitivity: Sensitivity = Sensitivity()
    endpoint_delay_ms: int | None = Field(default=None, ge=0, le=10_000)
    lead_ms: int | None = Field(default=None, ge=0, le=2_000)
    speculate: bool | None = None
    speaker_profile: bool = True
    resume: bool = False
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
