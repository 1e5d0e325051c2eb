"""One response.create against its session: what that answer is to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from duplex.events import RequestedItem, ResponseRequested
from models.base import AnswerOptions
from server.realtime.client_events import ResponseFields
from server.realtime.refusal import Refusal
from server.realtime.session_config import SessionConfig, check_choice, token_limit
from server.realtime.session_fields import choice_option


def response_request(
    fields: ResponseFields,
    session: SessionConfig,
    items: tuple[RequestedItem, ...] | None,
    event_id: str | None,
) -> ResponseRequested:
    """The core's event; `items` is the response's own input. Raises Refusal naming the field."""
    _check_output(fields, session)
    return ResponseRequested(
        _options(fields, session),
        items,
        in_conversation=_is_in_conversation(fields.conversation),
        metadata=fields.metadata,
        event_id=event_id,
    )


def _options(fields: ResponseFields, session: SessionConfig) -> AnswerOptions:
    changes: dict[str, Any] = {}
    if fields.output_modalities is not None:
        changes["speak"] = "audio" in fields.output_modalities
    if fields.max_output_tokens is not None:
        changes["max_tokens"] = token_limit(fields.max_output_tokens)
    if fields.instructions is not None:
        changes["instructions"] = fields.instructions
    if fields.tools is not None:
        changes["tools"] = tuple(tool.tool() for tool in fields.tools)
    if fields.tool_choice is not None:
        changes["tool_choice"] = _choice(fields, session)
    return replace(session.answer_options(), **changes)


def _choice(fields: ResponseFields, session: SessionConfig) -> str:
    assert fields.tool_choice is not None
    tools = session.tools if fields.tools is None else fields.tools
    check_choice(fields.tool_choice, tools, "response.tool_choice")
    if fields.tool_choice == "required" and not tools:
        message = "tool_choice is 'required', and no function is declared."
        raise Refusal(message, param="response.tool_choice")
    return choice_option(fields.tool_choice)


def _is_in_conversation(name: str | None) -> bool:
    if name not in (None, "auto", "none"):
        raise Refusal("conversation is 'auto' or 'none'.", param="response.conversation")
    return name != "none"


def _check_output(fields: ResponseFields, session: SessionConfig) -> None:
    """One session speaks in one format and one voice: a response may repeat them."""
    output = None if fields.audio is None else fields.audio.output
    if output is not None and output.format not in (None, session.audio.output.format):
        raise Refusal(
            "The audio format is the session's: change it with session.update.",
            param="response.audio.output.format",
        )
