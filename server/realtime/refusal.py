"""A client event that cannot be done, with the protocol's own words for why."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from server.realtime.beta_names import name_of_today

INVALID = "invalid_value"
MISSING = "missing_required_parameter"
UNKNOWN = "unknown_parameter"
_CODES = {"missing": MISSING}
_MOST_NAMED = 12  # unknown fields in one message


class Refusal(Exception):
    """One client event is refused; the session goes on. `param` is the path of the field at fault,
    `event_id` the client's own id of the event."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = INVALID,
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.event_id = event_id

    def for_event(self, event_id: str | None) -> Refusal:
        """The same refusal, joined to a client event."""
        self.event_id = event_id
        return self


def from_validation(error: ValidationError, *prefix: str) -> Refusal:
    """The first fault that pydantic found, as a refusal; `prefix` is the path of what was read.

    Of fields that nobody knows all are named at once, those of the beta protocol with the name
    that they have today.
    """
    faults = error.errors(include_url=False, include_context=False)
    unknown = [_param(fault, prefix) for fault in faults if fault["type"] == "extra_forbidden"]
    if faults[0]["type"] == "extra_forbidden":
        return Refusal(
            " ".join(map(_unknown, unknown[:_MOST_NAMED])), code=UNKNOWN, param=unknown[0]
        )
    fault = faults[0]
    param = _param(fault, prefix)
    code = _CODES.get(fault["type"], INVALID)
    said = fault["msg"].removeprefix("Value error, ")
    return Refusal(f"Invalid value for '{param}': {said}.", code=code, param=param)


def _param(fault: Any, prefix: tuple[str, ...]) -> str:
    return path(*prefix, *_without_tags(fault["loc"]))


def _unknown(param: str) -> str:
    today = name_of_today(param)
    if today is None:
        return f"Unknown parameter: '{param}'."
    return f"Unknown parameter: '{param}' (the GA protocol calls it '{today}')."


def path(*parts: Any) -> str:
    """A field's path in the protocol's notation: session.tools[0].name."""
    joined = ""
    for part in parts:
        joined += f"[{part}]" if isinstance(part, int) else f".{part}" if joined else str(part)
    return joined


# pydantic puts the name of the chosen union member into the path; the client never wrote it.
_TAGS = {"server_vad", "semantic_vad", "message", "function_call", "function_call_output"}
_TAGS |= {"item_reference", "int", "str", "RetentionRatio", "FunctionChoice"}


def _without_tags(location: tuple[int | str, ...]) -> list[int | str]:
    return [part for part in location if isinstance(part, int) or _is_field(part)]


def _is_field(part: str) -> bool:
    return part not in _TAGS and part.isidentifier()
