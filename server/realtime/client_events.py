"""The client's events as pydantic models: their fields and the types of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from server.realtime.formats import OutputFormat
from server.realtime.items import ItemId
from server.realtime.session_fields import (
    FunctionTool,
    Label,
    MaxTokens,
    Metadata,
    Modalities,
    Strict,
    ToolChoice,
    Voice,
)

EventId = Annotated[str, Field(max_length=512)]


class _Event(BaseModel):
    """Unknown keys of the envelope are passed over; those of a session are not (see Strict)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    event_id: EventId | None = None


class SessionUpdate(_Event):
    type: Literal["session.update"]
    session: dict[str, Any]


class Append(_Event):
    type: Literal["input_audio_buffer.append"]
    audio: str


class Commit(_Event):
    type: Literal["input_audio_buffer.commit"]


class Clear(_Event):
    type: Literal["input_audio_buffer.clear"]


class ItemCreate(_Event):
    type: Literal["conversation.item.create"]
    item: dict[str, Any]
    previous_item_id: ItemId | None = None


class ItemRetrieve(_Event):
    type: Literal["conversation.item.retrieve"]
    item_id: ItemId


class ItemDelete(_Event):
    type: Literal["conversation.item.delete"]
    item_id: ItemId


class ItemTruncate(_Event):
    type: Literal["conversation.item.truncate"]
    item_id: ItemId
    content_index: int = Field(default=0, ge=0)
    audio_end_ms: int = Field(ge=0, le=100_000_000)


class ResponseOutput(Strict):
    format: OutputFormat | None = None
    voice: Voice | None = None


class ResponseAudio(Strict):
    output: ResponseOutput = ResponseOutput()


class ResponseFields(Strict):
    """The fields that one response may set for itself; null means the session's value, as if the
    field were absent."""

    audio: ResponseAudio | None = None
    conversation: str | None = None
    input: list[Any] | None = Field(default=None, max_length=512)
    instructions: str | None = Field(default=None, max_length=200_000)
    max_output_tokens: MaxTokens | None = None
    metadata: Metadata | None = None
    output_modalities: Modalities | None = None
    parallel_tool_calls: bool | None = None
    prompt: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    safety_identifier: Label | None = None
    service_tier: Label | None = None
    verbosity: Label | None = None
    tool_choice: ToolChoice | None = None
    tools: list[FunctionTool] | None = Field(default=None, max_length=128)


class ResponseCreate(_Event):
    type: Literal["response.create"]
    response: ResponseFields | None = None


class ResponseCancel(_Event):
    type: Literal["response.cancel"]
    response_id: str | None = None


class OutputClear(_Event):
    type: Literal["output_audio_buffer.clear"]


class Playback(_Event):
    """Our own event: how much of an answer the user has heard so far. The answer is named by its
    response or by its item."""

    type: Literal["antiphon.playback"]
    item_id: ItemId | None = None
    response_id: str | None = None
    audio_ms: int = Field(ge=0, le=100_000_000)


ClientEvent: TypeAlias = (
    SessionUpdate
    | Append
    | Commit
    | Clear
    | ItemCreate
    | ItemRetrieve
    | ItemDelete
    | ItemTruncate
    | ResponseCreate
    | ResponseCancel
    | OutputClear
    | Playback
)
CLIENT_EVENT: TypeAdapter[ClientEvent] = TypeAdapter(
    Annotated[ClientEvent, Field(discriminator="type")]
)
