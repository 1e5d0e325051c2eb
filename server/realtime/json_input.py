"""JSON from outside, refused on the way in where it is too deep or too large.

What is let through here can be walked, echoed and written to a trace without further care.
"""

from __future__ import annotations

from typing import Any

import orjson

from server.realtime.refusal import Refusal

MAX_DEPTH = 64
# Values in one message: each takes memory of its own, many times what it takes on the wire.
MAX_VALUES = 200_000
_INVALID = "invalid_json"


def parse_object(text: str | bytes, what: str = "message") -> dict[str, Any]:
    """One JSON object. Raises Refusal."""
    _check_values(text, what)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"The {what} is no JSON: {error}.", code=_INVALID) from None
    if not isinstance(value, dict):
        raise Refusal(f"The {what} is no JSON object.", code=_INVALID)
    if is_deeper(value, MAX_DEPTH):
        raise Refusal(f"The {what} is nested deeper than {MAX_DEPTH} levels.", code=_INVALID)
    return value


def _check_values(text: str | bytes, what: str) -> None:
    """An upper bound, found without a walk: a value needs a comma, a colon or a bracket."""
    if isinstance(text, str):
        found = text.count(",") + text.count(":") + text.count("[")
    else:
        found = text.count(b",") + text.count(b":") + text.count(b"[")
    if found > MAX_VALUES:
        raise Refusal(f"The {what} holds more than {MAX_VALUES} values.", code=_INVALID)


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested in more levels than that, counting `value` itself."""
    nested = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        if not nested:
            return False
        nested = [inner for outer in nested for inner in _inside(outer)]
    return bool(nested)


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value
    return [each for each in inner if isinstance(each, (dict, list))]
